"""Jobs as a cron table asks for them: what they read, how they end, who is told, what they leave."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from jobrun.cron.words import Entry, EntrySpec, Errand, Special
from jobrun.model import Kind, Leftovers, State, Surroundings, Terms
from tests.process.site import Site, eventually, is_alive


def load(site: Site, on_failure: Errand) -> None:
    entry = Entry(
        name="backup",
        kind=Kind.SHELL,
        task="true",
        schedule=Special.MANUAL,
        schedule_text="@manual",
        zone=UTC,
        zone_name="UTC",
        on_failure=on_failure,
    )
    spec = EntrySpec(entry=entry, digest="1", schedule_digest="1")
    site.store.entries.load("/jobs.toml", [spec], boot_id="b", now=datetime.now(UTC))


def test_a_command_reads_a_mebibyte(site: Site) -> None:
    text = "x" * ((1 << 20) - 100)

    job_id = site.shell("wc -c", terms=Terms(stdin=text))
    site.burst()

    assert site.last(job_id).ending.output.head.split() == [str(len(text)).encode()]


def test_exit_codes_mean_what_the_terms_say(site: Site) -> None:
    well = site.shell("exit 24", terms=Terms(ok_exit=(0, 24)))
    skipped = site.shell("exit 75", terms=Terms(skip_exit=(75,)))
    useless = site.shell("exit 3", retries=5, terms=Terms(no_retry_exit=(3,)))

    site.burst()

    assert [site.job(job_id).state for job_id in (well, skipped, useless)] == [
        State.SUCCEEDED,
        State.SKIPPED,
        State.FAILED,
    ]
    assert site.job(skipped).reason == "exit 75: nothing to do"


def test_a_deadline_ends_the_attempt_and_all_retries(site: Site) -> None:
    site.start(n=1).workers()
    job_id = site.shell("sleep 60", retries=5, backoff_s=0, deadline_s=2)

    job = site.wait(job_id)
    assert (job.state, job.attempt) == (State.FAILED, 1)
    assert job.reason == "stopped at its deadline, killed by SIGTERM"


def test_a_command_is_told_of_a_failure_on_its_standard_input(site: Site) -> None:
    around = Surroundings(cwd=str(site.folder), umask=0o022, environment=site.environment())
    load(site, Errand(kind=Kind.SHELL, task='cat; echo "$JOBRUN_EVENT"', surroundings=around))

    failed = site.shell("echo no disk; exit 3", entry="backup", terms=Terms(ping="http://[::1]:9/x"))
    site.burst()

    notice = site.last(failed + 1).ending.output.head.decode()
    event, _, variable = notice.rpartition("}")
    assert variable.split() == ["failed"]
    assert json.loads(event + "}")["output"] == "no disk\n"


def test_what_a_job_keeps_lives_as_long_as_its_group(site: Site) -> None:
    group = site.start(n=1)
    job_id = site.shell("sleep 600 >/dev/null 2>&1 & echo $!", terms=Terms(leftovers=Leftovers.KEEP))
    site.wait(job_id)
    site.wait(site.shell("true"))
    attempt = site.last(job_id)
    kept = int(attempt.ending.output.head)

    assert attempt.ending.note == "left 1 process, kept"
    assert is_alive(kept)
    group.stop()
    eventually(lambda: not is_alive(kept))


def test_what_a_job_keeps_outlives_its_worker(site: Site) -> None:
    group = site.start(n=1)
    job_id = site.shell("sleep 600 >/dev/null 2>&1 & echo $!", terms=Terms(leftovers=Leftovers.KEEP))
    site.wait(job_id)
    kept = int(site.last(job_id).ending.output.head)

    group.kill_one(group.workers()[0])
    site.wait(site.shell("true"))

    assert is_alive(kept)
