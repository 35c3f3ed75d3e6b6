"""Why a job runs on, or seems to."""

from __future__ import annotations

from datetime import timedelta

from jobrun.actions.reasons.words import JobFacts, Reason, Rule, every
from jobrun.units import distance, format_duration


def of_running(facts: JobFacts) -> list[Reason]:
    """Return what is particular about a running job, or else how long it may run."""
    return every(RUNNING, facts) or [runs(facts)]


def worker_died(facts: JobFacts) -> Reason | None:
    """Say that nobody runs it any more, and nobody has noticed."""
    worker = facts.worker
    if worker is not None and worker.is_alive:
        return None
    seen = (
        f"; its last sign of life was {distance(worker.beat_at, facts.now)}"
        if worker and worker.beat_at
        else ""
    )
    return Reason(
        code="dead-workers",
        text=f"Worker {facts.job.worker}, which ran it, has died{seen}, and nobody has cleared up after it.",
        next="start one with `jobrun worker`: it proves that death, then settles the attempt as crashed",
    )


def cancelling(facts: JobFacts) -> Reason | None:
    if facts.job.cancel_at is None:
        return None
    return Reason(
        code="cancelling",
        text=f"Its end was asked for {distance(facts.job.cancel_at, facts.now)};"
        " it is told first, and killed when its grace is over.",
        next=f"`jobrun wait {facts.job.id}` waits for its end",
    )


def worker_stops(facts: JobFacts) -> Reason | None:
    worker = facts.worker
    if worker is None or not worker.is_alive or worker.row.stopping_at is None:
        return None
    return Reason(
        code="stopping",
        text=f"Its worker was told to stop {distance(worker.row.stopping_at, facts.now)};"
        " what does not end in time is interrupted, and waits again.",
        next="nothing; a second TERM to the group hurries it",
    )


def runs(facts: JobFacts) -> Reason:
    """Say that all is well, and what will end the job if it does not end by itself."""
    job = facts.job
    limits = [job.deadline_at] if job.deadline_at is not None else []
    if job.timeout_s is not None and job.started_at is not None:
        limits.append(job.started_at + timedelta(seconds=job.timeout_s))
    if limits:
        left_s = max((min(limits) - facts.now).total_seconds(), 0)
        told = f"It runs, and is stopped in {format_duration(left_s)} unless it ends before."
    else:
        told = "It runs, and has no time limit."
    return Reason(
        code="running",
        text=told,
        next=f"`jobrun logs {job.id} -f` follows what it prints, `jobrun cancel {job.id}` ends it",
    )


RUNNING: tuple[Rule[JobFacts], ...] = (worker_died, cancelling, worker_stops)
