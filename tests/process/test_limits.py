"""Time limits and cancels: what is told to end ends, and what does not is killed, with all that it started."""

from __future__ import annotations

import signal
from collections import Counter
from datetime import UTC, datetime

import pytest

from jobrun.model import Job, Outcome, State
from tests.process.site import Site, children_of, eventually, is_alive

pytestmark = pytest.mark.process

BEGIN = 'echo "S $JOBRUN_ID $JOBRUN_ATTEMPT" >> "$LEDGER"; '
STUBBORN = "trap '' TERM; while :; do sleep 600; done"
TREES = {
    "a plain child": "sleep 600",
    "what ignores TERM": STUBBORN,
    "a session of its own": "setsid sleep 600 & wait",
    "a session that ignores TERM": f'setsid sh -c "{STUBBORN}" & wait',
    "a double fork": "(setsid sh -c '(sleep 600 &) ; sleep 600' &) ; sleep 600",
    "what outlives its leader": f'trap "exit 0" TERM; setsid sh -c "{STUBBORN}" & wait',
    "a stopped child": "sleep 600 & kill -STOP $!; wait",
}


def cancel(site: Site, job_id: int) -> Job:
    job = site.store.orders.cancel(job_id, now=datetime.now(UTC))
    assert job is not None
    return job


def test_a_call_gets_an_exception_at_its_time_limit_and_may_clean_up(served: Site) -> None:
    job_id = served.call("cleans_up", timeout_s=0.1)

    job = served.wait(job_id)

    assert (job.state, job.reason) == (State.FAILED, "stopped at its time limit")
    assert served.last(job_id).ending.outcome is Outcome.TIMEOUT
    assert served.effects()[f"TimeLimit {job_id} 1"] == 1
    assert job.error is not None
    assert "cleans_up" in (job.error.traceback or "")


def test_a_coroutine_is_cancelled_at_its_time_limit_and_the_loop_goes_on(served: Site) -> None:
    job_id = served.call("cleans_up_async", timeout_s=0.1)

    assert served.wait(job_id).state is State.FAILED
    assert served.last(job_id).ending.outcome is Outcome.TIMEOUT
    assert served.effects()[f"cleaned {job_id} 1"] == 1
    assert all(served.wait(served.call("coroutine", 7)).result == "7" for _ in range(2))


def test_what_finishes_in_spite_of_the_exception_has_succeeded(served: Site) -> None:
    job = served.wait(served.call("finishes_all_the_same", timeout_s=0.1))

    assert (job.state, job.result) == (State.SUCCEEDED, '"finished"')


def test_a_job_that_was_stopped_at_its_time_limit_is_retried(served: Site) -> None:
    job = served.wait(served.call("cleans_up", timeout_s=0.1, retries=1, backoff_s=0))

    assert (job.state, job.attempt) == (State.FAILED, 2)


@pytest.mark.parametrize(
    "task", ["ignores_stops", "ignores_term_and_alarm", "stops_itself", "hides_and_hangs"]
)
def test_a_call_that_does_not_end_is_killed_after_the_grace(site: Site, task: str) -> None:
    group = site.start()
    neighbour = site.call("until", str(site.folder / "go"))
    site.runs(neighbour)
    job_id = site.call(task, timeout_s=0.2)

    job = site.wait(job_id)

    assert (job.state, job.reason) == (State.FAILED, "stopped at its time limit, killed after the grace")
    assert len(eventually(group.workers)) == 2
    assert len(site.alive()) == 4, "supervisor, dispatcher and two workers"
    (site.folder / "go").touch()
    assert site.wait(neighbour).attempt == 1
    assert "replaced in" not in group.log(), "a worker that we kill ourselves is replaced at once"


@pytest.mark.parametrize("line", TREES.values(), ids=TREES.keys())
def test_nothing_of_a_command_is_alive_after_its_time_limit(served: Site, line: str) -> None:
    before = set(served.alive())
    job_id = served.shell(BEGIN + line, timeout_s=0.3)
    served.runs(job_id)

    job = served.wait(job_id)

    assert job.state is State.FAILED
    assert served.last(job_id).ending.outcome is Outcome.TIMEOUT
    assert set(served.alive()) == before


def test_a_command_may_end_well_at_its_time_limit_and_is_a_timeout_all_the_same(served: Site) -> None:
    job_id = served.shell("trap 'echo bye; exit 0' TERM; sleep 600 & wait", timeout_s=0.2)

    assert served.wait(job_id).reason == "stopped at its time limit, exit 0"
    assert served.last(job_id).ending.output.head == b"bye\n"


def test_a_waiting_job_is_cancelled_at_once(site: Site) -> None:
    job_id = site.call("short")

    assert cancel(site, job_id).state is State.CANCELLED
    site.burst()
    assert site.effects() == Counter()


def test_a_running_call_is_cancelled_by_an_exception(served: Site) -> None:
    job_id = served.call("cleans_up", retries=3)
    served.runs(job_id)

    assert cancel(served, job_id).state is State.RUNNING

    job = served.wait(job_id)
    assert (job.state, job.attempt) == (State.CANCELLED, 1)
    assert served.effects()[f"Cancelled {job_id} 1"] == 1


def test_a_running_coroutine_is_cancelled(served: Site) -> None:
    job_id = served.call("cleans_up_async")
    served.runs(job_id)
    cancel(served, job_id)

    assert served.wait(job_id).state is State.CANCELLED
    assert served.effects()[f"cleaned {job_id} 1"] == 1


def test_a_running_call_that_ignores_its_cancel_is_killed(served: Site) -> None:
    job_id = served.call("ignores_stops")
    served.runs(job_id)
    cancel(served, job_id)

    assert served.wait(job_id).state is State.CANCELLED
    assert served.last(job_id).ending.signal == signal.SIGKILL


def test_a_running_command_is_cancelled_with_its_whole_tree(served: Site) -> None:
    before = set(served.alive())
    job_id = served.shell(f'{BEGIN} setsid sh -c "{STUBBORN}" & {STUBBORN}', retries=3)
    served.runs(job_id)
    cancel(served, job_id)

    job = served.wait(job_id)

    assert (job.state, job.attempt) == (State.CANCELLED, 1)
    assert not [pid for pid in set(served.alive()) - before if is_alive(pid)]


def test_a_job_that_kills_its_worker_is_not_retried_once_it_is_cancelled(site: Site) -> None:
    group = site.start(n=1)
    job_id = site.call("ignores_stops", retries=3, backoff_s=0)
    site.runs(job_id)
    cancel(site, job_id)

    assert site.wait(job_id).state is State.CANCELLED
    assert len(children_of(group.pid)) >= 1
    assert site.wait(site.call("short")).state is State.SUCCEEDED


def test_a_time_limit_of_one_job_does_not_reach_the_next(served: Site) -> None:
    ids = [served.call("works", 0.1, timeout_s=0.12) for _ in range(6)]
    calm = [served.call("works", 0.1) for _ in range(6)]

    for job_id in ids:
        served.wait(job_id)
    assert all(served.wait(job_id).state is State.SUCCEEDED for job_id in calm)
