"""What is left when workers, dispatchers, supervisors and whole groups are killed."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter

import pytest

from jobrun.model import OnCrash, Outcome, State
from jobrun.paths import side_dir
from tests.process.site import Site, children_of, eventually, is_alive, kill

pytestmark = pytest.mark.process

BEGIN = 'echo "S $JOBRUN_ID $JOBRUN_ATTEMPT" >> "$LEDGER"; '


def test_a_job_whose_worker_is_killed_is_parked_as_crashed(site: Site) -> None:
    group = site.start()
    job_id = site.call("works", 600)
    site.runs(job_id)

    kill(group.runner(job_id))

    job = site.wait(job_id)
    assert job.state is State.CRASHED
    ending = site.last(job_id).ending
    assert (ending.outcome, ending.signal) == (Outcome.CRASHED, signal.SIGKILL)
    assert ending.cause is not None
    assert ending.cause.startswith("worker killed by SIGKILL")


def test_a_killed_worker_is_replaced_and_its_neighbour_goes_on(site: Site) -> None:
    group = site.start()
    neighbour = site.call("until", str(site.folder / "go"))
    victim = site.call("works", 600)
    site.runs(neighbour)
    site.runs(victim)
    before = group.workers()
    dead = group.runner(victim)

    kill(dead)
    site.wait(victim)
    after = eventually(lambda: group.workers() if dead not in group.workers() else [])
    (site.folder / "go").touch()

    assert site.wait(neighbour).state is State.SUCCEEDED
    assert len(set(before) & set(after)) == 1
    assert site.effects() == Counter([f"S {neighbour} 1", f"E {neighbour} 1", f"S {victim} 1"])


def test_a_crashed_job_is_tried_again_while_retries_are_left(site: Site) -> None:
    site.start(n=1)
    job_id = site.call("dies_until", 2, retries=1, backoff_s=0)

    job = site.wait(job_id)

    assert (job.state, job.attempt, job.failures) == (State.SUCCEEDED, 2, 1)
    assert [a.ending.outcome for a in site.store.ledger.attempts(job_id)] == [Outcome.CRASHED, Outcome.OK]


def test_a_job_that_crashed_may_be_parked_or_failed_though_retries_are_left(site: Site) -> None:
    site.start(n=1)
    parked = site.call("dies_until", 9, retries=5, on_crash=OnCrash.PARK)
    failed = site.call("dies_until", 9, retries=5, on_crash=OnCrash.FAIL)

    assert (site.wait(parked).state, site.job(parked).attempt) == (State.CRASHED, 1)
    assert (site.wait(failed).state, site.job(failed).attempt) == (State.FAILED, 1)


def test_a_job_that_kills_its_worker_three_times_is_poison(site: Site) -> None:
    site.start()
    job_id = site.call("dies_until", 99, retries=10, backoff_s=0)

    job = site.wait(job_id)

    assert (job.state, job.attempt) == (State.CRASHED, 3)
    assert job.reason == "poison: its worker died 3 times in a row"


def test_a_command_whose_worker_is_killed_is_ended_before_it_is_tried_again(site: Site) -> None:
    group = site.start()
    line = BEGIN + "if [ $JOBRUN_ATTEMPT = 1 ]; then sleep 600 & echo $! > child; wait; fi; cat child"
    job_id = site.shell(line, retries=1, backoff_s=0)
    child = int(eventually(lambda: _text(site, "child")))
    site.runs(job_id)

    kill(group.runner(job_id))
    eventually(lambda: site.effects()[f"S {job_id} 2"] or site.job(job_id).attempt == 2)

    assert not is_alive(child), "the first attempt lived when the second began"
    assert site.wait(job_id).state is State.SUCCEEDED
    assert site.effects() == Counter([f"S {job_id} 1", f"S {job_id} 2"])


def test_what_ignores_term_is_killed_when_its_worker_was(site: Site) -> None:
    group = site.start(n=1)
    job_id = site.shell(BEGIN + "trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep 600' & sleep 600")
    site.runs(job_id)
    pids = set(site.alive()) - {group.pid, *children_of(group.pid)}

    kill(group.runner(job_id))

    assert site.wait(job_id).state is State.CRASHED
    assert not [pid for pid in pids if is_alive(pid)]


def test_a_killed_dispatcher_is_replaced_and_running_jobs_go_on(site: Site) -> None:
    group = site.start()
    call = site.call("until", str(site.folder / "go"))
    command = site.shell(BEGIN + "while [ ! -e go ]; do sleep 0.01; done; echo done")
    site.runs(call)
    site.runs(command)
    workers = group.workers()
    dispatcher = group.dispatcher()

    kill(dispatcher)
    eventually(lambda: group.dispatcher() != dispatcher)
    (site.folder / "go").touch()

    assert (site.wait(call).state, site.wait(command).state) == (State.SUCCEEDED, State.SUCCEEDED)
    assert (site.job(call).attempt, site.job(command).attempt) == (1, 1)
    assert site.last(command).ending.output.head == b"done\n"
    assert group.workers() == workers


def test_a_result_that_came_while_there_was_no_dispatcher_is_not_lost(site: Site) -> None:
    group = site.start()
    job_id = site.call("until", str(site.folder / "go"))
    site.runs(job_id)
    dispatcher = group.dispatcher()

    group.freeze(dispatcher)
    (site.folder / "go").touch()
    eventually(lambda: site.effects()[f"E {job_id} 1"])
    kill(dispatcher)

    assert site.wait(job_id).state is State.SUCCEEDED
    assert site.effects() == Counter([f"S {job_id} 1", f"E {job_id} 1"])


def test_a_question_that_came_while_there_was_no_dispatcher_is_answered(site: Site) -> None:
    group = site.start(n=1)
    job_id = site.call("enqueues_after", str(site.folder / "go"))
    site.runs(job_id)
    dispatcher = group.dispatcher()
    group.freeze(dispatcher)
    (site.folder / "go").touch()
    eventually(lambda: site.effects()[f"E {job_id} 1"])
    group.kill_one(dispatcher)

    added = json.loads(site.wait(job_id).result or "")

    assert site.wait(added).state is State.SUCCEEDED
    assert site.effects()[f"S {added} 1"] == 1


def test_a_time_limit_holds_though_the_dispatcher_was_replaced(site: Site) -> None:
    group = site.start(n=1)
    job_id = site.call("cleans_up", timeout_s=1.5)
    site.runs(job_id)

    kill(group.dispatcher())

    assert site.wait(job_id).state is State.FAILED
    assert site.last(job_id).ending.outcome is Outcome.TIMEOUT


def test_no_job_is_lost_or_run_twice_when_the_dispatcher_is_killed_again_and_again(site: Site) -> None:
    group = site.start()
    workers = set(group.workers())
    ids = [site.call("works", 0.01) for _ in range(300)]
    dispatchers: set[int] = set()

    for done in range(15, 90, 15):
        eventually(lambda done=done: _ended(site) >= done)  # type: ignore[misc]
        dispatchers.add(pid := (children_of(group.pid) - workers or {0}).pop())
        if pid:
            kill(pid)

    assert all(site.wait(job_id).state is State.SUCCEEDED for job_id in ids)
    assert site.effects() == Counter(f"{what} {job_id} 1" for what in "SE" for job_id in ids)
    assert set(group.workers()) == workers


def test_workers_die_with_their_supervisor_and_the_next_group_settles_their_jobs(site: Site) -> None:
    first = site.start()
    parked, again = site.call("works", 600), site.call("dies_until", 1, retries=1, backoff_s=0)
    site.wait(again)
    again = site.call("kills_its_supervisor", retries=1, backoff_s=0)
    site.runs(parked)
    site.runs(again)
    assert first.wait() == -signal.SIGKILL
    eventually(lambda: not site.alive())

    site.start()

    assert (site.wait(parked).state, site.job(parked).attempt) == (State.CRASHED, 1)
    assert (site.wait(again).state, site.job(again).attempt) == (State.SUCCEEDED, 2)


def test_a_command_that_outlived_its_group_is_ended_before_it_is_tried_again(site: Site) -> None:
    first = site.start()
    line = BEGIN + "if [ $JOBRUN_ATTEMPT = 1 ]; then echo $$ > leader; setsid sleep 600 & wait; sleep 600; fi"
    job_id = site.shell(line, retries=1, backoff_s=0)
    site.runs(job_id)
    leader = int(eventually(lambda: _text(site, "leader")))
    eventually(lambda: len(site.alive()) >= 6)
    first.kill_all()
    assert is_alive(leader), "a command lives on without its group, else this proves nothing"
    left = site.alive()

    site.start()
    eventually(lambda: site.job(job_id).attempt == 2)

    assert not [pid for pid in left if is_alive(pid)]
    assert site.wait(job_id).state is State.SUCCEEDED
    assert site.effects() == Counter([f"S {job_id} 1", f"S {job_id} 2"])


def test_a_whole_group_is_killed_and_nothing_is_lost_or_run_twice_without_a_record(site: Site) -> None:
    ids = [site.call("works", 0.02, retries=100, backoff_s=0) for _ in range(60)]
    for done in (10, 20, 30):
        group = site.start()
        eventually(lambda done=done: _ended(site) >= done)  # type: ignore[misc]
        group.kill_all()

    site.burst()

    assert all(site.wait(job_id).state is State.SUCCEEDED for job_id in ids)
    for job_id in ids:
        attempts = site.store.ledger.attempts(job_id)
        outcomes = {attempt.number: attempt.ending.outcome for attempt in attempts}
        begun = [number for number in range(1, 100) if site.effects()[f"S {job_id} {number}"]]
        assert set(begun) <= set(outcomes), "an effect without an attempt"
        assert outcomes.pop(len(attempts)) is Outcome.OK
        for number, outcome in outcomes.items():
            assert outcome is Outcome.CRASHED or (outcome is Outcome.INTERRUPTED and number not in begun)
    assert max(site.effects().values()) == 1, "an attempt ran twice"


def test_killing_the_process_group_of_the_supervisor_leaves_nothing_running(site: Site) -> None:
    group = site.start()
    job_id = site.call("works", 600)
    site.runs(job_id)

    kill(-group.pid)
    group.wait()

    eventually(lambda: not site.alive())
    site.burst()
    assert site.wait(job_id).state is State.CRASHED


def test_files_that_no_row_tells_of_are_swept_after_a_day(site: Site) -> None:
    names = [f"{folder}/{age}" for folder in ("locks", "logs", "spool") for age in ("old", "new")]
    for name in names:
        path = site.side / name
        path.touch()
        days = 2 if path.name == "old" else 0
        os.utime(path, (time.time() - days * 86400,) * 2)

    site.burst()

    assert sorted(site.strays()) == ["locks/new", "logs/new", "spool/new"]
    for name in site.strays():
        (site.side / name).unlink()


def test_what_a_killed_maker_of_a_job_file_left_is_swept_after_a_day(site: Site) -> None:
    old, new, real = (site.folder / f"jobs.db.new-{name * 8}" for name in "abc")
    for path in (old, old.with_name(f"{old.name}-journal"), new, real):
        path.touch()
        days = 0 if path == new else 2
        os.utime(path, (time.time() - days * 86400,) * 2)
    side_dir(real).mkdir()  # somebody else's job file, however strange its name

    site.burst()

    left = sorted(path.name for path in site.folder.glob("*.new-*"))
    assert left == sorted([new.name, real.name, f"{real.name}.d"])


def _text(site: Site, name: str) -> str:
    path = site.folder / name
    return path.read_text().strip() if path.exists() else ""


def _ended(site: Site) -> int:
    return sum(line.startswith("E") for line in site.effects())
