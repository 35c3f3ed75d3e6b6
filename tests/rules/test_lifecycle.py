"""What an ending does to its job: the table, and what holds for every job whatever its numbers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobrun.lifecycle import Settlement, retry_delay_s, settle
from jobrun.model import LIVE, MAX_CRASHES, Ending, Job, Kind, OnCrash, Outcome, State, Terms
from jobrun.units import from_ms

NOW = from_ms(1_800_000_000_000)
FAILURES = [Outcome.ERROR, Outcome.TIMEOUT]


def running(**changes: Any) -> Job:
    job = Job(
        id=1,
        kind=Kind.CALL,
        task="app:work",
        args=(),
        kwargs={},
        queue="default",
        priority=0,
        state=State.RUNNING,
        reason=None,
        key=None,
        tags=(),
        name=None,
        entry=None,
        scheduled_for=None,
        run_at=NOW,
        created_at=NOW,
        started_at=NOW,
        finished_at=None,
        expires_at=None,
        cancel_at=None,
        attempt=1,
        failures=0,
        crashes=0,
        retries=0,
        backoff_s=10.0,
        max_backoff_s=600.0,
        timeout_s=None,
        on_crash=OnCrash.RETRY,
        token="t1",
        worker="w1",
        exit_code=None,
        signal=None,
        result=None,
        note=None,
        error=None,
        cwd=None,
        umask=None,
        environment=None,
    )
    return replace(job, **changes)


durations = st.floats(min_value=0, max_value=100 * 366 * 86400.0)
spreads = st.floats(min_value=0, max_value=1, exclude_max=True)
jobs = st.builds(
    running,
    failures=st.integers(0, 5),
    crashes=st.integers(0, MAX_CRASHES - 1),
    retries=st.integers(0, 5),
    backoff_s=durations,
    max_backoff_s=durations,
    on_crash=st.sampled_from(OnCrash),
    cancel_at=st.none() | st.just(NOW),
    deadline_at=st.none() | st.floats(-3600, 3600).map(lambda s: NOW + timedelta(seconds=s)),
)
endings = st.builds(
    Ending,
    outcome=st.sampled_from(Outcome),
    is_permanent=st.booleans(),
    is_skip=st.booleans(),
    retry_in_s=st.none() | st.floats(0, 366 * 86400.0),
)


@pytest.mark.parametrize(
    ("outcome", "retries", "on_crash", "state"),
    [
        (Outcome.OK, 0, OnCrash.RETRY, State.SUCCEEDED),
        (Outcome.OK, 1, OnCrash.FAIL, State.SUCCEEDED),
        (Outcome.ERROR, 0, OnCrash.RETRY, State.FAILED),
        (Outcome.ERROR, 1, OnCrash.RETRY, State.SCHEDULED),
        (Outcome.ERROR, 1, OnCrash.PARK, State.SCHEDULED),
        (Outcome.ERROR, 1, OnCrash.FAIL, State.SCHEDULED),
        (Outcome.TIMEOUT, 0, OnCrash.RETRY, State.FAILED),
        (Outcome.TIMEOUT, 1, OnCrash.PARK, State.SCHEDULED),
        (Outcome.CRASHED, 0, OnCrash.RETRY, State.CRASHED),
        (Outcome.CRASHED, 1, OnCrash.RETRY, State.SCHEDULED),
        (Outcome.CRASHED, 1, OnCrash.PARK, State.CRASHED),
        (Outcome.CRASHED, 1, OnCrash.FAIL, State.FAILED),
        (Outcome.INTERRUPTED, 0, OnCrash.RETRY, State.READY),
        (Outcome.INTERRUPTED, 0, OnCrash.PARK, State.READY),
        (Outcome.INTERRUPTED, 0, OnCrash.FAIL, State.READY),
        (Outcome.CANCELLED, 1, OnCrash.RETRY, State.CANCELLED),
    ],
)
def test_an_ending_moves_a_job_as_its_policy_says(
    outcome: Outcome, retries: int, on_crash: OnCrash, state: State
) -> None:
    job = running(retries=retries, on_crash=on_crash)

    assert settle(job, Ending(outcome=outcome), NOW, 0.5).state is state


@pytest.mark.parametrize(
    ("outcome", "failures", "crashes"),
    [
        (Outcome.OK, 1, 0),
        (Outcome.ERROR, 2, 0),
        (Outcome.TIMEOUT, 2, 0),
        (Outcome.CRASHED, 2, 2),
        (Outcome.INTERRUPTED, 1, 1),
        (Outcome.CANCELLED, 1, 0),
    ],
)
def test_only_failures_count_and_only_deaths_in_a_row_are_crashes(
    outcome: Outcome, failures: int, crashes: int
) -> None:
    becomes = settle(running(failures=1, crashes=1, retries=9), Ending(outcome=outcome), NOW, 0.5)

    assert (becomes.failures, becomes.crashes) == (failures, crashes)


@pytest.mark.parametrize("outcome", FAILURES)
def test_a_job_fails_once_its_retries_are_used_up(outcome: Outcome) -> None:
    states = [
        settle(running(retries=2, failures=n), Ending(outcome=outcome), NOW, 0.5).state for n in range(3)
    ]

    assert states == [State.SCHEDULED, State.SCHEDULED, State.FAILED]


@pytest.mark.parametrize("outcome", FAILURES)
def test_a_permanent_failure_uses_no_retry(outcome: Outcome) -> None:
    becomes = settle(running(retries=5), Ending(outcome=outcome, is_permanent=True), NOW, 0.5)

    assert becomes.state is State.FAILED


def test_a_task_may_choose_when_it_is_retried() -> None:
    becomes = settle(running(retries=1), Ending(outcome=Outcome.ERROR, retry_in_s=3600.0), NOW, 0.5)

    assert becomes.run_at == NOW + timedelta(hours=1)


def test_a_retry_asked_for_at_once_waits_for_a_worker_alone() -> None:
    becomes = settle(running(retries=1), Ending(outcome=Outcome.ERROR, retry_in_s=0.0), NOW, 0.5)

    assert (becomes.state, becomes.run_at) == (State.READY, NOW)


def test_a_retry_asked_for_in_less_than_a_second_is_waited_for() -> None:
    becomes = settle(running(retries=1), Ending(outcome=Outcome.ERROR, retry_in_s=0.5), NOW, 0.5)

    assert (becomes.state, becomes.run_at) == (State.SCHEDULED, NOW + timedelta(seconds=0.5))


def test_asking_for_a_retry_gives_no_retry_that_is_not_left() -> None:
    becomes = settle(running(retries=0), Ending(outcome=Outcome.ERROR, retry_in_s=1.0), NOW, 0.5)

    assert becomes.state is State.FAILED


def test_an_interruption_hands_the_job_back_at_once() -> None:
    becomes = settle(running(), Ending(outcome=Outcome.INTERRUPTED, cause="shutdown"), NOW, 0.5)

    assert (becomes.state, becomes.run_at, becomes.reason) == (State.READY, NOW, "shutdown")


def test_what_was_taken_back_before_it_began_is_as_if_it_was_never_given_out() -> None:
    taken_back = Ending(outcome=Outcome.INTERRUPTED, cause="shutdown", has_begun=False)

    becomes = settle(running(failures=1, crashes=2), taken_back, NOW, 0.5)

    assert becomes == Settlement(state=State.READY, failures=1, crashes=2, run_at=None, reason=None)


@pytest.mark.parametrize(("has_begun", "reason"), [(True, "while it ran"), (False, "before it ran")])
def test_a_cancelled_job_says_whether_it_ran(has_begun: bool, reason: str) -> None:  # noqa: FBT001 -- a parameter of the test
    ending = Ending(outcome=Outcome.INTERRUPTED, has_begun=has_begun)

    becomes = settle(running(cancel_at=NOW), ending, NOW, 0.5)

    assert becomes == Settlement(state=State.CANCELLED, failures=0, reason=f"cancelled {reason}")


@pytest.mark.parametrize(
    ("on_crash", "crashes", "state", "reason"),
    [
        (OnCrash.FAIL, 0, State.FAILED, "SIGKILL"),
        (OnCrash.PARK, 0, State.CRASHED, "SIGKILL"),
        (OnCrash.RETRY, 0, State.CRASHED, "SIGKILL"),
        (OnCrash.RETRY, 2, State.CRASHED, "poison: its worker died 3 times in a row"),
    ],
)
def test_the_death_that_ends_a_job_is_counted_and_named(
    on_crash: OnCrash, crashes: int, state: State, reason: str
) -> None:
    job = running(on_crash=on_crash, failures=4, crashes=crashes, retries=4)

    becomes = settle(job, Ending(outcome=Outcome.CRASHED, cause="SIGKILL"), NOW, 0.5)

    assert becomes == Settlement(state=state, failures=5, crashes=crashes + 1, reason=reason)


def test_a_job_that_kills_its_worker_three_times_is_stopped_whatever_its_retries() -> None:
    states = [
        settle(running(retries=99, crashes=n), Ending(outcome=Outcome.CRASHED), NOW, 0.5) for n in range(3)
    ]

    assert [one.state for one in states] == [State.SCHEDULED, State.SCHEDULED, State.CRASHED]
    assert states[-1].reason == "poison: its worker died 3 times in a row"


@pytest.mark.parametrize(("most", "states"), [(1, [State.CRASHED]), (2, [State.SCHEDULED, State.CRASHED])])
def test_a_group_may_stop_a_job_that_crashes_sooner(most: int, states: list[State]) -> None:
    died = Ending(outcome=Outcome.CRASHED, cause="SIGKILL")
    found = [settle(running(retries=99, crashes=n), died, NOW, 0.5, max_crashes=most) for n in range(most)]

    assert [one.state for one in found] == states
    assert found[-1].reason == ("SIGKILL" if most == 1 else "poison: its worker died 2 times in a row")


def test_of_an_isolated_job_it_is_the_fork_that_dies() -> None:
    job = running(retries=99, crashes=2, terms=Terms(isolate=True))

    becomes = settle(job, Ending(outcome=Outcome.CRASHED), NOW, 0.5)

    assert becomes.reason == "poison: its fork died 3 times in a row"


def test_a_failure_between_two_crashes_begins_their_count_anew() -> None:
    job = running(retries=99, crashes=2)

    after = settle(job, Ending(outcome=Outcome.ERROR), NOW, 0.5)

    assert after.crashes == 0


@pytest.mark.parametrize("outcome", [Outcome.ERROR, Outcome.TIMEOUT, Outcome.CRASHED, Outcome.INTERRUPTED])
@pytest.mark.parametrize("on_crash", OnCrash)
def test_a_cancel_asked_for_while_it_ran_wins_over_every_bad_end(outcome: Outcome, on_crash: OnCrash) -> None:
    job = running(cancel_at=NOW, retries=3, on_crash=on_crash)

    assert settle(job, Ending(outcome=outcome), NOW, 0.5).state is State.CANCELLED


def test_a_success_wins_over_a_cancel_that_came_too_late() -> None:
    assert settle(running(cancel_at=NOW), Ending(outcome=Outcome.OK), NOW, 0.5).state is State.SUCCEEDED


def test_a_job_that_found_nothing_to_do_is_skipped_and_says_why() -> None:
    ending = Ending(outcome=Outcome.OK, is_skip=True, cause="exit 75: nothing to do")

    becomes = settle(running(failures=1), ending, NOW, 0.5)

    assert (becomes.state, becomes.reason, becomes.failures) == (State.SKIPPED, "exit 75: nothing to do", 1)
    assert settle(running(cancel_at=NOW), ending, NOW, 0.5).state is State.CANCELLED


@pytest.mark.parametrize("outcome", [*FAILURES, Outcome.CRASHED])
@pytest.mark.parametrize(
    ("left_s", "state"), [(5.001, State.SCHEDULED), (5.0, State.FAILED), (-1.0, State.FAILED)]
)
def test_no_retry_is_due_at_the_deadline_or_later(outcome: Outcome, left_s: float, state: State) -> None:
    job = running(retries=9, backoff_s=10, deadline_at=NOW + timedelta(seconds=left_s))

    becomes = settle(job, Ending(outcome=outcome, cause="exit 3"), NOW, 0.5)

    assert becomes.state is state
    assert becomes.reason is not None
    assert becomes.reason.endswith("exit 3")
    assert (becomes.failures, becomes.crashes) == (1, int(outcome is Outcome.CRASHED))


def test_the_reason_of_a_retry_says_which_one_and_why() -> None:
    becomes = settle(running(retries=3, failures=1), Ending(outcome=Outcome.ERROR, cause="exit 3"), NOW, 0.5)

    assert becomes.reason == "retry 2 of 3: exit 3"
    assert settle(running(retries=1), Ending(outcome=Outcome.ERROR), NOW, 0.5).reason == "retry 1 of 1: error"


@given(jobs, endings, spreads)
def test_a_job_either_ends_or_waits_for_a_known_instant(job: Job, ending: Ending, spread: float) -> None:
    becomes = settle(job, ending, NOW, spread)

    assert becomes.state is not State.RUNNING
    assert (becomes.state in LIVE) == (becomes.run_at is not None)
    assert becomes.run_at is None or (becomes.run_at > NOW) <= (becomes.state is State.SCHEDULED)


@given(jobs, endings, spreads)
def test_a_failure_is_followed_by_nothing_at_or_after_the_deadline(
    job: Job, ending: Ending, spread: float
) -> None:
    becomes = settle(job, ending, NOW, spread)

    if job.deadline_at is not None and ending.outcome is not Outcome.INTERRUPTED:
        assert becomes.run_at is None or becomes.run_at < job.deadline_at


@given(jobs, endings, spreads)
def test_counters_never_go_down_but_for_crashes_in_a_row(job: Job, ending: Ending, spread: float) -> None:
    becomes = settle(job, ending, NOW, spread)

    assert job.failures <= becomes.failures <= job.failures + 1
    assert becomes.crashes in (0, job.crashes, job.crashes + 1)


@given(jobs, endings, spreads)
def test_what_a_person_cancelled_never_waits_again(job: Job, ending: Ending, spread: float) -> None:
    cancelled = replace(job, cancel_at=NOW)

    assert settle(cancelled, ending, NOW, spread).state in {State.CANCELLED, State.SUCCEEDED}


@given(st.integers(1, 5000), durations, durations, spreads)
def test_the_wait_before_a_retry_lies_under_its_doubled_step_and_its_cap(
    failures: int, backoff_s: float, max_backoff_s: float, spread: float
) -> None:
    wait_s = retry_delay_s(failures, backoff_s=backoff_s, max_backoff_s=max_backoff_s, spread=spread)

    assert 0 <= wait_s <= max_backoff_s
    assert wait_s <= backoff_s * 2 ** min(failures - 1, 900)


@given(st.integers(1, 100), durations, durations, spreads, spreads)
def test_the_wait_is_drawn_from_the_whole_span(
    failures: int, backoff_s: float, max_backoff_s: float, one: float, other: float
) -> None:
    low, high = (
        retry_delay_s(failures, backoff_s=backoff_s, max_backoff_s=max_backoff_s, spread=spread)
        for spread in sorted((one, other))
    )

    assert low <= high
    assert retry_delay_s(failures, backoff_s=backoff_s, max_backoff_s=max_backoff_s, spread=0.0) == 0


@given(st.integers(1, 100), durations, durations)
def test_no_failure_shortens_the_longest_wait(failures: int, backoff_s: float, max_backoff_s: float) -> None:
    first, second = (
        retry_delay_s(n, backoff_s=backoff_s, max_backoff_s=max_backoff_s, spread=0.999)
        for n in (failures, failures + 1)
    )

    assert first <= second
