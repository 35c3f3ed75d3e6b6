"""Several groups, several shells and one job file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from jobrun.model import Kind, NewJob, State, Surroundings
from tests.process.site import DEADLINE_S, Site

pytestmark = pytest.mark.process


def test_two_groups_share_the_work_and_run_each_job_once(site: Site) -> None:
    groups = [site.start(), site.start()]
    for group in groups:
        group.workers()
    ids = site.add(*[NewJob(kind=Kind.CALL, task="disasters:works", args=(0.01,))] * 200)

    assert all(site.wait(job_id).state is State.SUCCEEDED for job_id in ids)
    assert site.effects() == Counter(f"{what} {job_id} 1" for what in "SE" for job_id in ids)
    workers = Counter(site.last(job_id).pid for job_id in ids)
    assert set(workers) == {pid for group in groups for pid in group.workers()}


def test_a_group_that_is_killed_has_its_jobs_recovered_by_the_other(site: Site) -> None:
    doomed = site.start()
    jobs = {"retries": 1, "backoff_s": 0}
    call = site.call("until", str(site.folder / "go"), **jobs)
    command = site.shell('echo "S $JOBRUN_ID $JOBRUN_ATTEMPT" >> "$LEDGER"; [ -e go ] || sleep 600', **jobs)
    site.runs(call)
    site.runs(command)
    site.start().workers()

    doomed.kill_all()
    (site.folder / "go").touch()

    assert (site.wait(call).state, site.wait(command).state) == (State.SUCCEEDED, State.SUCCEEDED)
    assert (site.job(call).attempt, site.job(command).attempt) == (2, 2)
    assert max(site.effects().values()) == 1


def test_a_group_listens_to_its_queues_alone(site: Site) -> None:
    ours = [site.call("short", queue=queue) for queue in ("a", "b")]
    other = site.call("short", queue="c")

    site.burst("-Q", "a", "-Q", "b")

    assert [site.job(job_id).state for job_id in ours] == [State.SUCCEEDED] * 2
    assert site.job(other).state is State.READY


def test_eight_shells_that_enqueue_at_once_get_an_id_each_and_no_job_is_lost(site: Site) -> None:
    site.start()
    loop = 'for i in 1 2 3; do "$0" -m jobrun --db "$1" enqueue -q disasters:short || exit 1; done'
    shells = [
        subprocess.Popen(
            ["/bin/sh", "-c", loop, sys.executable, str(site.path)],
            env=site.environment(),
            cwd=site.folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    printed = [shell.communicate(timeout=DEADLINE_S)[0].split() for shell in shells]

    ids = [int(job_id) for of_one in printed for job_id in of_one]
    assert [shell.returncode for shell in shells] == [0] * 8
    assert len(set(ids)) == len(ids) == 24
    assert all(site.wait(job_id).state is State.SUCCEEDED for job_id in ids)
    assert site.effects() == Counter(f"{what} {job_id} 1" for what in "SE" for job_id in ids)


def test_a_job_is_started_when_it_is_due_and_not_before(site: Site) -> None:
    site.start().workers()
    due = datetime.now(UTC) + timedelta(seconds=0.4)
    job_id = site.call("echo", run_at=due)

    job = site.wait(job_id)

    assert job.started_at is not None
    assert 0 <= (job.started_at - job.run_at).total_seconds() < 0.9  # no look without a ring


def test_a_job_file_that_is_opened_closed_and_copied_by_jobs_loses_nothing(site: Site) -> None:
    site.start()
    meddlers = [site.call("opens_and_closes_the_job_file", 200) for _ in range(4)]
    ids = [site.call("short") for _ in range(100)]

    assert all(site.wait(job_id).state is State.SUCCEEDED for job_id in [*meddlers, *ids])
    assert site.effects() == Counter(f"{what} {job_id} 1" for what in "SE" for job_id in [*meddlers, *ids])


def test_a_command_is_run_as_it_was_written_whatever_the_locale_of_its_worker(site: Site) -> None:
    site.in_ascii()
    job_id = site.shell("printf grüße")

    site.burst()

    assert site.last(job_id).ending.output.head == "grüße".encode()


def test_a_command_runs_in_a_directory_of_any_name(site: Site) -> None:
    folder = site.folder / "caf\udce9"
    folder.mkdir()
    around = Surroundings(cwd=str(folder), umask=0o022, environment=site.environment())
    [job_id] = site.add(NewJob(kind=Kind.SHELL, task="pwd", surroundings=around))

    site.burst(n=1)

    assert site.last(job_id).ending.output.head == os.fsencode(folder) + b"\n"
