"""What the end of an attempt does to its job.

                 due later                due            claimed
     enqueue --> scheduled -------------> ready -------> running --> succeeded
                   ^                        ^               |  |---> skipped     it found nothing to do
                   |   retry with back-off  |   interrupted |  |---> failed      no retry left, or useless
                   `------------------------+---------------'  |---> crashed     parked for a person
                                                               `---> cancelled

This is the only place that chooses a job's next state. Nothing here looks at a clock, a file or a
random number: they are arguments.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_never

from jobrun.frozen import frozen
from jobrun.model import MAX_CRASHES, Ending, Job, OnCrash, Outcome, State


@frozen
class Settlement:
    """What becomes of a job: its next state, its counters, and when it is due if it waits again."""

    state: State
    failures: int
    crashes: int = 0
    run_at: datetime | None = None
    reason: str | None = None


def settle(
    job: Job, ending: Ending, now: datetime, spread: float, *, max_crashes: int = MAX_CRASHES
) -> Settlement:
    """Decide what becomes of a running job now that its attempt has ended.

    `spread`, a number in [0, 1), draws the wait before a retry. An interruption by our own shutdown
    is no failure; a crash is one, or a job that kills its worker would run for ever.
    """
    match ending.outcome:
        case Outcome.OK:
            return _ended_well(job, ending)
        case Outcome.CANCELLED:
            return _cancelled(job)
        case Outcome.INTERRUPTED:
            return _interrupted(job, ending, now)
        case Outcome.CRASHED:
            return _crashed(job, ending, now, spread, max_crashes)
        case Outcome.ERROR | Outcome.TIMEOUT:
            return _failed(job, ending, now, spread)
        case _:
            assert_never(ending.outcome)


def retry_delay_s(failures: int, *, backoff_s: float, max_backoff_s: float, spread: float) -> float:
    """Return the seconds to wait after a job has failed `failures` times.

    Exponential back-off with full jitter: a point, drawn by `spread` in [0, 1), between nothing and
    the doubled wait ("Exponential Backoff and Jitter", AWS Architecture Blog, 2015).

    >>> [retry_delay_s(n, backoff_s=10, max_backoff_s=60, spread=0.5) for n in (1, 2, 3, 4)]
    [5.0, 10.0, 20.0, 30.0]
    """
    doublings = min(failures - 1, 60)  # 2.0 ** 1024 would overflow
    return float(min(backoff_s * 2.0**doublings, max_backoff_s)) * spread


def _ended_well(job: Job, ending: Ending) -> Settlement:
    if not ending.is_skip:
        return Settlement(state=State.SUCCEEDED, failures=job.failures)
    if job.cancel_at is not None:
        return _cancelled(job)
    return Settlement(state=State.SKIPPED, failures=job.failures, reason=ending.cause)


def _cancelled(job: Job, reason: str = "cancelled while it ran") -> Settlement:
    return Settlement(state=State.CANCELLED, failures=job.failures, reason=reason)


def _interrupted(job: Job, ending: Ending, now: datetime) -> Settlement:
    if job.cancel_at is not None:
        return _cancelled(job) if ending.has_begun else _cancelled(job, "cancelled before it ran")
    if not ending.has_begun:
        return Settlement(state=State.READY, failures=job.failures, crashes=job.crashes)
    return Settlement(
        state=State.READY,
        failures=job.failures,
        crashes=job.crashes,
        run_at=now,
        reason=ending.cause,
    )


def _crashed(job: Job, ending: Ending, now: datetime, spread: float, max_crashes: int) -> Settlement:
    if job.cancel_at is not None:
        return _cancelled(job)
    failures, crashes = job.failures + 1, job.crashes + 1
    if job.on_crash is OnCrash.FAIL:
        return Settlement(state=State.FAILED, failures=failures, crashes=crashes, reason=ending.cause)
    if crashes >= max_crashes and crashes > 1:
        who = "fork" if job.terms.isolate else "worker"
        reason = f"poison: its {who} died {crashes} times in a row"
        return Settlement(state=State.CRASHED, failures=failures, crashes=crashes, reason=reason)
    if job.on_crash is OnCrash.RETRY and failures <= job.retries and crashes < max_crashes:
        return _again(job, ending, now, spread, crashes=crashes)
    return Settlement(state=State.CRASHED, failures=failures, crashes=crashes, reason=ending.cause)


def _failed(job: Job, ending: Ending, now: datetime, spread: float) -> Settlement:
    failures = job.failures + 1
    if job.cancel_at is not None:
        return _cancelled(job)
    if ending.is_permanent or failures > job.retries:
        return Settlement(state=State.FAILED, failures=failures, reason=ending.cause)
    return _again(job, ending, now, spread, crashes=0)


def _again(job: Job, ending: Ending, now: datetime, spread: float, *, crashes: int) -> Settlement:
    failures, cause = job.failures + 1, ending.cause or ending.outcome
    wait_s = ending.retry_in_s
    if wait_s is None:
        wait_s = retry_delay_s(
            failures, backoff_s=job.backoff_s, max_backoff_s=job.max_backoff_s, spread=spread
        )
    run_at = now + timedelta(seconds=wait_s)
    if job.deadline_at is not None and run_at >= job.deadline_at:
        reason = f"its deadline leaves no time for a retry: {cause}"
        return Settlement(state=State.FAILED, failures=failures, crashes=crashes, reason=reason)
    return Settlement(
        state=State.SCHEDULED if wait_s > 0 else State.READY,
        failures=failures,
        crashes=crashes,
        run_at=run_at,
        reason=f"retry {failures} of {job.retries}: {cause}",
    )
