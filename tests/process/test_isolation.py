"""A call in a fork of its own: what it does to its process ends with it, and nothing else differs."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jobrun.locks.records import read_record
from jobrun.model import Attempt, Ending, Job, OnCrash, Outcome, State, Terms
from tests.process.site import Group, Site, children_of, eventually, is_alive, kill

pytestmark = pytest.mark.process

ISOLATED = Terms(isolate=True)
NOBODY = 65534
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
OK, FAILED, CRASHED = State.SUCCEEDED, State.FAILED, State.CRASHED


def begun(site: Site, task: str, *args: Any, **options: Any) -> int:
    return site.call(task, *args, terms=ISOLATED, **options)


def ended(site: Site, task: str, *args: Any, **options: Any) -> tuple[Job, Attempt]:
    job_id = begun(site, task, *args, **options)
    return site.wait(job_id), site.last(job_id)


def fork_of(site: Site, group: Group, job_id: int) -> int:
    """Return the fork in which a job runs."""
    site.runs(job_id)
    [fork] = children_of(group.runner(job_id))
    return fork


def worker_pids(site: Site) -> list[int]:
    return sorted(site.groups[0].workers())


def test_each_isolated_call_has_a_process_and_a_session_of_its_own(served: Site) -> None:
    first, second = (json.loads(ended(served, "lives_in")[0].result or "") for _ in range(2))

    for pid, session, parent, _ in (first, second):
        assert pid == session
        assert parent in worker_pids(served)
    assert first[0] != second[0]


def test_what_an_isolated_call_leaves_in_memory_is_gone_with_it(site: Site) -> None:
    site.start(n=1)
    _, grown = ended(site, "grows", 64)
    left = json.loads(site.wait(site.call("lives_in")).result or "")[-1]

    assert left == 0
    assert (grown.ending.peak_rss or 0) > 64 << 20


def test_an_isolated_call_that_changes_everything_changes_its_own_process(site: Site) -> None:
    site.start(n=1)
    before = json.loads(site.wait(site.call("surroundings")).result or "")
    messy, _ = ended(site, "leaves_a_mess")
    after = json.loads(site.wait(site.call("surroundings")).result or "")

    assert messy.state is OK
    assert messy.result != str(before["pid"])
    assert before == after


@pytest.mark.parametrize(
    ("task", "args", "ending"),
    [
        ("leaves", (3,), Ending(outcome=Outcome.CRASHED, exit_code=3, cause="fork ended without a result (exit 3)")),
        ("leaves", (0,), Ending(outcome=Outcome.CRASHED, exit_code=0, cause="fork ended without a result (exit 0)")),
        ("dies_by", (11,), Ending(outcome=Outcome.CRASHED, signal=11, cause="fork killed by SIGSEGV")),
        ("aborts", (), Ending(outcome=Outcome.CRASHED, signal=6, cause="fork killed by SIGABRT")),
        ("dies_by", (15,), Ending(outcome=Outcome.CRASHED, signal=15, cause="fork killed by SIGTERM")),
        ("exits", (3,), Ending(outcome=Outcome.ERROR, exit_code=3, cause="exit 3")),
        ("exits", (0,), Ending(outcome=Outcome.OK, exit_code=0)),
        ("signals_itself", (10,), Ending(outcome=Outcome.OK, result="[10]")),
        ("runs_a_program", (23,), Ending(outcome=Outcome.OK, result="23")),
        ("coroutine", (4,), Ending(outcome=Outcome.OK, result="4")),
    ],
)  # fmt: skip
def test_an_isolated_call_ends_as_it_would_and_its_worker_lives_on(
    served: Site, task: str, args: tuple[Any, ...], ending: Ending
) -> None:
    before = worker_pids(served)

    job, attempt = ended(served, task, *args)

    told = attempt.ending
    assert (told.outcome, told.exit_code, told.signal, told.cause, job.result) == (
        ending.outcome, ending.exit_code, ending.signal, ending.cause, ending.result,
    )  # fmt: skip
    assert attempt.pid not in before
    assert worker_pids(served) == before


def test_an_isolated_call_that_kills_its_session_kills_itself_alone(served: Site) -> None:
    before = worker_pids(served)

    job, attempt = ended(served, "kills_its_session")

    assert (job.state, attempt.ending.signal) == (CRASHED, signal.SIGKILL)
    assert (attempt.ending.cause or "").startswith("fork killed by SIGKILL")
    assert worker_pids(served) == before


def test_a_fork_that_dies_counts_as_a_worker_that_dies(served: Site) -> None:
    job, attempt = ended(served, "leaves", 3, retries=9, backoff_s=0)
    failed, _ = ended(served, "leaves", 3, retries=9, on_crash=OnCrash.FAIL)

    assert (job.state, job.crashes, attempt.number) == (CRASHED, 3, 3)
    assert job.reason == "poison: its fork died 3 times in a row"
    assert (failed.state, failed.attempt) == (FAILED, 1)


def test_an_exception_comes_out_of_the_fork_with_its_traceback(served: Site) -> None:
    job, _ = ended(served, "raises_type_error_inside")

    assert job.state is FAILED
    assert job.error is not None
    assert job.error.type == "TypeError"
    assert "disasters.py" in (job.error.traceback or "")
    assert "jobrun/" not in (job.error.traceback or "")


@pytest.mark.parametrize("size", [100_000, 1_000_000])
def test_a_result_of_any_size_comes_out_of_the_fork(served: Site, size: int) -> None:
    job, _ = ended(served, "long_text", size)

    assert len(json.loads(job.result or "")) == size


def test_what_an_isolated_call_prints_is_its_output(served: Site) -> None:
    _, attempt = ended(served, "says", "hello")
    _, calm = ended(served, "says", "again")

    assert (attempt.ending.output.head, calm.ending.output.head) == (b"hello\n", b"again\n")


@AS_ROOT
def test_an_isolated_call_that_becomes_another_user_ends_well_and_costs_no_worker(served: Site) -> None:
    before = worker_pids(served)

    job, attempt = ended(served, "becomes_another", NOBODY)

    assert (job.state, attempt.ending.note) == (OK, None)
    assert attempt.ending.output.head == b"so long"
    assert worker_pids(served) == before


@pytest.mark.parametrize("task", ["enqueues_together", "enqueues_one_by_one", "enqueues_from_threads"])
def test_an_isolated_call_enqueues_through_its_worker(served: Site, task: str) -> None:
    job, _ = ended(served, task, 20)

    ids = json.loads(job.result or "")
    assert len(set(ids)) == 20
    assert all(served.wait(each).state is OK for each in ids)


def test_what_cannot_be_enqueued_is_refused_in_the_fork(served: Site) -> None:
    job, _ = ended(served, "enqueues_nonsense")

    assert job.error is not None
    assert "UsageError" in job.error.type


def test_a_dispatcher_that_dies_meanwhile_costs_an_isolated_call_nothing(site: Site) -> None:
    group = site.start(n=1)
    go = site.folder / "go"
    job_id = begun(site, "enqueues_after", str(go))
    site.runs(job_id)

    group.kill_one(group.dispatcher())
    go.touch()

    job = site.wait(job_id)
    assert (job.state, job.attempt) == (OK, 1)
    assert site.wait(int(job.result or "")).state is OK


@pytest.mark.parametrize("task", ["cleans_up", "cleans_up_async"])
def test_an_isolated_call_is_told_of_its_time_limit_by_an_exception(served: Site, task: str) -> None:
    job, attempt = ended(served, task, timeout_s=0.3)

    assert (job.state, attempt.ending.outcome) == (FAILED, Outcome.TIMEOUT)
    assert attempt.ending.cause == "stopped at its time limit"
    told = {"cleans_up": "TimeLimit", "cleans_up_async": "cleaned"}[task]
    assert served.effects()[f"{told} {job.id} 1"] == 1


@pytest.mark.parametrize("task", ["ignores_stops", "hides_and_hangs", "ignores_term_and_alarm"])
def test_an_isolated_call_that_does_not_heed_its_time_limit_is_killed_with_all_it_started(
    served: Site, task: str
) -> None:
    before = worker_pids(served)

    job, attempt = ended(served, task, timeout_s=0.3)

    assert (job.state, attempt.ending.outcome) == (FAILED, Outcome.TIMEOUT)
    assert attempt.ending.cause == "stopped at its time limit, killed after the grace"
    assert worker_pids(served) == before
    assert all(not children_of(worker) for worker in before)


def test_an_isolated_call_is_cancelled_by_an_exception(served: Site) -> None:
    job_id = begun(served, "cleans_up")
    served.runs(job_id)

    served.store.orders.cancel(job_id, now=datetime.now(UTC))

    assert served.wait(job_id).state is State.CANCELLED
    assert served.effects()[f"Cancelled {job_id} 1"] == 1


def test_an_isolated_call_that_stopped_itself_still_hears_of_its_time_limit(served: Site) -> None:
    job, attempt = ended(served, "stops_itself", timeout_s=0.3)

    assert (job.state, attempt.ending.outcome) == (FAILED, Outcome.TIMEOUT)
    assert attempt.ending.cause == "stopped at its time limit"


def test_a_shutdown_in_a_hurry_interrupts_an_isolated_call(site: Site) -> None:
    group = site.start(n=1)
    job_id = begun(site, "cleans_up")
    site.runs(job_id)

    group.stop()

    assert site.job(job_id).state is State.READY
    assert site.last(job_id).ending.outcome is Outcome.INTERRUPTED
    assert site.effects()[f"Interrupted {job_id} 1"] == 1


@pytest.mark.parametrize("task", ["leaves_a_daemon", "returns_twice"])
def test_what_an_isolated_call_leaves_running_is_ended(served: Site, task: str) -> None:
    job, attempt = ended(served, task)

    assert job.state is OK
    assert all(not children_of(worker) for worker in worker_pids(served))
    assert attempt.ending.note in (None, "left 1 process, ended")


def test_what_outlives_a_fork_that_died_is_ended_too(served: Site) -> None:
    before = worker_pids(served)

    job, attempt = ended(served, "dies_beside_a_daemon")

    assert (job.state, attempt.ending.note) == (CRASHED, "left 1 process, ended")
    assert all(not children_of(worker) for worker in before)


def test_an_isolated_call_ends_with_its_worker(site: Site) -> None:
    group = site.start(n=1)
    job_id = begun(site, "works", 600)
    fork = fork_of(site, group, job_id)

    kill(group.runner(job_id))

    assert site.wait(job_id).state is CRASHED
    assert (site.last(job_id).ending.cause or "").startswith("worker killed by SIGKILL")
    assert not is_alive(fork)


@AS_ROOT
@pytest.mark.parametrize("dies", ["the worker", "the group"])
def test_a_fork_that_shed_its_death_signal_is_ended_before_its_job_may_run_again(
    site: Site, dies: str
) -> None:
    group = site.start(n=1)
    job_id = begun(site, "waits_as_another", NOBODY, retries=1, backoff_s=0)
    fork = fork_of(site, group, job_id)
    eventually(lambda: f"Uid:\t{NOBODY}" in Path(f"/proc/{fork}/status").read_text())
    if dies == "the worker":
        kill(group.runner(job_id))
    else:
        group.kill_all()
        assert is_alive(fork)
        group = site.start(n=1)

    site.runs(job_id, attempt=2)

    assert not is_alive(fork)
    assert site.last(job_id).ending.outcome is Outcome.CRASHED


def test_the_lock_of_an_isolated_attempt_names_its_fork_and_goes_with_it(site: Site) -> None:
    group = site.start(n=1)
    go = site.folder / "go"
    job_id = begun(site, "until", str(go))
    fork = fork_of(site, group, job_id)
    lock = site.side / "locks" / (site.job(job_id).token or "")

    record = read_record(lock)
    go.touch()
    site.wait(job_id)

    assert record is not None
    assert (record.pid, record.begun) == (fork, (lock.name,))
    eventually(lambda: not lock.exists())


def test_isolated_calls_leave_no_descriptor_in_their_worker_and_have_none_of_it(site: Site) -> None:
    site.start(n=1)
    before = Counter(json.loads(site.wait(site.call("open_files")).result or ""))
    inside = json.loads(ended(site, "open_files")[0].result or "")
    for _ in range(20):
        begun(site, "short")
    begun(site, "leaves", 3)
    site.wait(begun(site, "closes_all_descriptors"))
    after = json.loads(site.wait(site.call("open_files")).result or "")

    assert sum(Counter(after).values()) == sum(before.values())
    locks = [path for path in inside if "/locks/" in path]
    assert len(locks) == 1  # of the attempt, not of the worker


def test_a_fork_that_closed_its_way_back_is_known_to_have_ended_without_a_result(served: Site) -> None:
    job, attempt = ended(served, "closes_all_descriptors")

    assert (job.state, attempt.ending.cause) == (CRASHED, "fork ended without a result (exit 70)")
    assert attempt.ending.output.head.startswith(b"jobrun: cannot say how the call ended: OSError")


def test_an_isolated_call_that_becomes_another_program_ends_with_that(served: Site) -> None:
    before = worker_pids(served)

    _, attempt = ended(served, "becomes_a_program", "echo $JOBRUN_ATTEMPT; exit 3")
    late, told = ended(served, "becomes_a_program", "sleep 600", timeout_s=0.3)

    assert (attempt.ending.outcome, attempt.ending.exit_code) == (Outcome.CRASHED, 3)
    assert attempt.ending.output.head == b"1\n"
    assert (late.state, told.ending.outcome) == (FAILED, Outcome.TIMEOUT)
    assert worker_pids(served) == before


def test_a_group_parks_a_job_after_as_many_crashes_as_it_is_told(site: Site) -> None:
    site.start("--max-crashes", "2", n=1)
    isolated, _ = ended(site, "leaves", 3, retries=9, backoff_s=0)
    plain = site.wait(site.call("dies_until", 99, retries=9, backoff_s=0))

    assert (isolated.state, isolated.attempt) == (CRASHED, 2)
    assert (plain.state, plain.attempt) == (CRASHED, 2)
    assert plain.reason == "poison: its worker died 2 times in a row"


def test_recovery_counts_crashes_by_what_its_own_group_is_told(site: Site) -> None:
    group = site.start(n=1)
    job_id = begun(site, "works", 600, retries=9)
    site.runs(job_id)
    group.kill_all()

    site.start("--max-crashes", "1", n=1)

    assert site.wait(job_id).state is CRASHED
