"""A table served by real processes: killed, reloaded, refused, and ended."""

from __future__ import annotations

import signal
import sqlite3
from collections import Counter
from itertools import pairwise

import pytest

from jobrun.cron.words import TickState
from jobrun.model import Job, JobFilter, State
from tests.process.site import Group, Site, eventually

pytestmark = pytest.mark.process

EFFECT = 'echo "$JOBRUN_ENTRY $JOBRUN_SCHEDULED_FOR" >> "$LEDGER"'
OFTEN = f"[jobs.often]\nshell = '''{EFFECT}'''\nevery = '1s'\n"


def jobs_of(site: Site, entry: str) -> list[Job]:
    jobs = site.store.ledger.select(JobFilter(), limit=10_000, newest_first=False)
    return [job for job in jobs if job.entry == entry]


def succeed(site: Site, entry: str, count: int) -> None:
    eventually(lambda: sum(job.state is State.SUCCEEDED for job in jobs_of(site, entry)) >= count)


def test_a_table_is_served_and_each_tick_has_one_effect(site: Site) -> None:
    site.table(OFTEN)
    group = site.cron()

    succeed(site, "often", 3)
    assert group.stop() == 0

    effects = site.effects()
    assert set(effects.values()) == {1}
    assert len(effects) == sum(job.state is State.SUCCEEDED for job in jobs_of(site, "often"))


def test_a_worker_serves_a_table_too(site: Site) -> None:
    site.table(OFTEN)
    site.start("--cron", str(site.table_path), n=1)

    succeed(site, "often", 1)


def test_a_scheduler_without_workers_leaves_the_jobs_to_others(site: Site) -> None:
    site.table(OFTEN)
    group = site.cron(n=0)
    eventually(lambda: jobs_of(site, "often"))
    assert {job.state for job in jobs_of(site, "often")} == {State.READY}

    site.start(n=1)
    succeed(site, "often", 2)
    group.send(signal.SIGTERM)

    assert group.wait() == 0


def test_a_table_with_errors_starts_nothing_and_all_of_them_are_told(site: Site) -> None:
    site.table("[jobs.one]\nshel = 'true'\nschedule = '61 * * * *'\n[jobs.two]\nshell = 'true'\n")

    group = site.cron()

    assert group.wait() == 2
    log = group.log()
    assert "did you mean `shell`" in log
    assert "61" in log
    assert "jobs.two" in log
    assert "worker" not in log


def test_a_second_scheduler_of_a_table_is_told_who_serves_it(site: Site) -> None:
    site.table(OFTEN)
    first = site.cron()
    first.workers()

    second = site.cron()

    assert second.wait() == 75
    assert f"(pid {first.pid})" in second.log()


def test_a_killed_scheduler_is_replaced_and_no_tick_is_lost_or_doubled(site: Site) -> None:
    site.table(OFTEN)
    group = site.cron()
    for count in range(1, 4):
        succeed(site, "often", count)
        group.kill_one(group.scheduler())
    succeed(site, "often", 6)
    group.stop()

    ticks = sorted(site.store.ticks.of("often", limit=1000), key=lambda tick: tick.at)
    assert {(b.at - a.at).total_seconds() for a, b in pairwise(ticks)} == {1.0}
    assert {tick.state for tick in ticks} <= {TickState.RAN, TickState.SKIPPED}
    assert set(site.effects().values()) == {1}


def test_a_scheduler_that_is_replaced_waits_for_a_table_that_is_broken_just_now(site: Site) -> None:
    site.table(OFTEN)
    group = site.cron()
    succeed(site, "often", 1)
    site.table("[jobs.often]\n")
    group.says("kept as it was")

    group.kill_one(group.scheduler())
    group.says("`shell`")
    site.table(OFTEN.replace("often", "again"))

    succeed(site, "again", 1)


def test_a_scheduler_is_replaced_though_somebody_else_holds_the_file_locked(site: Site) -> None:
    site.table(OFTEN)
    group = site.cron()
    succeed(site, "often", 1)

    other = sqlite3.connect(site.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    group.kill_one(group.scheduler())
    group.says("is busy; nothing was changed; trying again")
    other.execute("COMMIT")
    other.close()

    group.says("1 entry of")
    succeed(site, "often", 2)
    assert group.stop() == 0


def test_who_only_schedules_can_be_ended_while_its_scheduler_is_being_replaced(site: Site) -> None:
    site.table(OFTEN)
    group = site.cron(n=0)
    eventually(lambda: jobs_of(site, "often"))

    for _ in range(2):  # the second one dies young, and the next has to wait
        group.kill_one(group.scheduler())
    group.says("replaced in 0.1 s")
    group.send(signal.SIGTERM)

    assert group.wait() == 0


def test_a_hang_up_reads_the_table_again_and_leaves_running_jobs_alone(site: Site) -> None:
    site.table("[jobs.long]\nshell = 'echo S long >> \"$LEDGER\"; sleep 600'\nevery = '1s'\n")
    group = site.cron(n=2)
    eventually(lambda: site.effects()["S long"])

    site.table(OFTEN)
    group.send(signal.SIGHUP)

    group.says("- removed: long")
    succeed(site, "often", 1)
    assert [job.state for job in jobs_of(site, "long")] == [State.RUNNING]


def test_a_cron_job_gets_the_terms_of_its_entry_and_a_clean_environment(site: Site) -> None:
    site.table(
        "[jobs.terms]\nshell = 'cat; pwd; umask; env; exit 24'\nevery = '1s'\nstdin = 'from the table'\n"
        "cwd = '/'\numask = '027'\nok_exit = [0, 24]\nenv = { GREETING = 'hello' }\n"
    )
    site.cron()
    succeed(site, "terms", 1)

    [job, *_] = [job for job in jobs_of(site, "terms") if job.state is State.SUCCEEDED]
    printed = site.last(job.id).ending.output.head.decode()
    assert printed.startswith("from the table/\n0027\n")
    lines = printed.splitlines()
    assert {"GREETING=hello", "JOBRUN_ENTRY=terms", "PYTHONUNBUFFERED=1", "SHELL=/bin/sh"} <= set(lines)
    assert not any(line.startswith("VIRTUAL_ENV=") for line in lines)


def test_a_failing_entry_is_told_of_once_and_so_is_its_recovery(site: Site) -> None:
    broken = site.folder / "broken"
    broken.touch()
    notice = 'cat >> /dev/null; echo "$JOBRUN_EVENT $JOBRUN_ENTRY" >> "$LEDGER"'
    site.table(
        f"[jobs.shaky]\nshell = 'test ! -e {broken}'\nevery = '1s'\n"
        f"on_failure = '''{notice}'''\non_recovery = '''{notice}'''\n"
    )
    site.cron(n=2)
    eventually(lambda: sum(job.state is State.FAILED for job in jobs_of(site, "shaky")) >= 2)
    broken.unlink()
    succeed(site, "shaky", 2)
    eventually(lambda: len(site.effects()) == 2)

    assert set(site.effects().values()) == {1}


def test_whatever_dies_no_tick_has_two_effects(site: Site) -> None:
    site.table("".join(OFTEN.replace("often", f"often-{n}") for n in range(5)))
    for _ in range(3):
        group = site.cron(n=2)
        seen = sum(site.effects().values())
        eventually(lambda seen=seen: sum(site.effects().values()) >= seen + 6)  # type: ignore[misc]
        group.kill_all()
    site.cron(n=2)
    done = sum(site.effects().values())
    eventually(lambda: sum(site.effects().values()) >= done + 6)

    assert_once(site)


def assert_once(site: Site) -> None:
    """Judge by the ledger of effects: a tick that has two was crashed in between, and says so."""
    with sqlite3.connect(site.path) as outside:
        doubled = outside.execute(
            "SELECT entry, at FROM ticks GROUP BY entry, at HAVING count(*) > 1"
        ).fetchall()
    outside.close()
    assert doubled == []
    per_tick = Counter((job.entry, job.scheduled_for) for job in all_jobs(site))
    assert set(per_tick.values()) == {1}
    twice = [effect for effect, count in site.effects().items() if count > 1]
    retried = [job for job in all_jobs(site) if job.attempt > 1]
    assert len(twice) <= len(retried)


def all_jobs(site: Site) -> list[Job]:
    return site.store.ledger.select(JobFilter(), limit=10_000, newest_first=False)


def test_a_group_that_ends_says_so_to_nobody_twice(site: Site) -> None:
    site.table(OFTEN)
    group: Group = site.cron(n=1)
    group.workers()

    group.send(signal.SIGTERM)

    assert group.wait() == 0
    assert group.log().count("stopping") == 1
