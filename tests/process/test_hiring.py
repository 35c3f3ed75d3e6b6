"""Workers that cannot be started, and workers that are replaced between two jobs."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

import pytest

from jobrun.model import State
from jobrun.supervisor.hiring import CANNOT_WORK, TRIES
from tests.process.site import DEADLINE_S, Site

pytestmark = pytest.mark.process

TOO_FEW = 9  # descriptors: the supervisor raises that limit, and a worker gets it back as it was


def few_descriptors(soft: int) -> Callable[[], None]:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_burst_in_which_no_worker_can_be_started_ends_and_says_why(site: Site) -> None:
    job_id = site.shell("true")

    done = subprocess.run(
        [sys.executable, "-m", "jobrun", "--db", site.path, "worker", "--burst", "-n", "2"],
        env=site.environment(),
        cwd=site.folder,
        preexec_fn=few_descriptors(TOO_FEW),
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )

    assert (done.returncode, site.job(job_id).state) == (CANNOT_WORK, State.READY)
    said = [line for line in done.stderr.splitlines() if "worker 1" in line]
    assert [line.rpartition("; ")[2] for line in said] == [
        *(f"replaced in {0.1 * 2**n:g} s" for n in range(TRIES - 1)),
        "not replaced",
    ]
    assert done.stderr.endswith(
        f"jobrun: no worker can be started: exit 71, {TRIES} times in a row\n"
        "hint: the lines above say why; all jobs wait\n"
    )


def test_a_worker_is_replaced_after_so_many_jobs_and_none_is_lost(site: Site) -> None:
    job_ids = [site.shell('echo "S $JOBRUN_ID $JOBRUN_ATTEMPT $PPID" >> "$LEDGER"') for _ in range(7)]
    group = site.start("--burst", "--max-jobs", "3", n=1)

    assert group.wait() == 0
    assert [(site.job(job_id).state, site.job(job_id).attempt) for job_id in job_ids] == [
        (State.SUCCEEDED, 1)
    ] * 7
    runs_of = Counter(line.split()[-1] for line in site.effects())
    assert sorted(runs_of.values()) == [1, 3, 3]
    said = [line.partition("supervisor: ")[2] for line in group.log().splitlines()]
    assert said == ["worker 1 replaced after 3 jobs"] * 2


def test_what_a_worker_holds_in_reserve_is_run_once_by_its_successor(site: Site) -> None:
    job_ids = [site.call("works", 0) for _ in range(200)]
    group = site.start("--burst", "--max-jobs", "70", n=1)

    assert group.wait() == 0
    assert site.effects() == Counter({f"{word} {job_id} 1": 1 for word in "SE" for job_id in job_ids})
    assert all(site.job(job_id).attempt == 1 for job_id in job_ids)
    assert [len(site.store.ledger.attempts(job_id)) for job_id in job_ids] == [1] * 200
    assert group.log().count("worker 1 replaced after 70 jobs") == 2


def test_a_worker_that_has_grown_is_replaced_before_its_next_job(site: Site) -> None:
    group = site.start("--max-memory", "200M", n=1)
    first = group.workers()
    small, large, after = (
        site.call(task, *args) for task, *args in (("says", "hi"), ("grows", 250), ("says", "hi"))
    )

    for job_id in (small, large, after):
        assert site.wait(job_id).state is State.SUCCEEDED

    runners = [site.last(job_id).pid for job_id in (small, large, after)]
    assert (runners[0], runners[1]) == (first[0], first[0])
    assert runners[2] != first[0]
    assert group.log().count("replaced at ") == 1
    assert ", after 2 jobs" in group.log()


def test_a_worker_that_waits_for_its_last_end_to_be_settled_has_a_successor_already(site: Site) -> None:
    group = site.start("--max-jobs", "1", n=1)
    [first] = group.workers()
    job_id = site.call("until", str(site.folder / "go"))
    site.runs(job_id)
    next_id = site.call("says", "hi")

    (site.folder / "go").touch()

    assert site.wait(next_id).state is State.SUCCEEDED
    assert site.last(next_id).pid != first
    assert "exit" not in group.log()
