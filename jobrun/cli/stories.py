"""How a job stands, in one sentence, and the reasons for it with what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from jobrun.actions.reasons.ticks import ENDED
from jobrun.actions.reasons.words import JobFacts, Reason
from jobrun.cli import render
from jobrun.cli.human import local
from jobrun.model import Job, State
from jobrun.units import distance, format_duration, plural


def of_job(facts: JobFacts) -> str:
    """Return how a job stands, and where it came from."""
    job = facts.job
    if job.state is State.RUNNING:
        told = _running(job, facts.now)
    elif job.state.is_final:
        after = f", after {plural(job.attempt, 'attempt')}" if job.attempt > 1 else ""
        told = f"{ENDED[job.state]} {distance(job.finished_at or facts.now, facts.now)}{after}."
    else:
        told = _waiting(facts)
    return " ".join([f"Job {job.id} ({job.name or job.task}) {told}", *_origin(facts)])


def paragraph(*told: str, reasons: Sequence[Reason]) -> str:
    """Return all in one line, for programs that only pass it on."""
    return " ".join([*filter(None, told), *(f"{each.text} Next: {each.next}." for each in reasons)])


def show(*told: str, reasons: Sequence[Reason]) -> None:
    """Print sentences, and below each reason what to do next."""
    for text in filter(None, told):
        render.paragraph(text)
    for each in reasons:
        render.paragraph(each.text)
        render.words(["next:", *each.next.split()])


def reason_object(reason: Reason) -> dict[str, Any]:
    return {"code": reason.code, "text": reason.text, "next": reason.next}


def _running(job: Job, now: datetime) -> str:
    of = f" of at most {job.max_attempts}" if job.max_attempts > 1 else ""
    took = format_duration(max((now - (job.started_at or now)).total_seconds(), 0))
    return f"has run for {took}: attempt {job.attempt}{of}, by worker {job.worker}."


def _waiting(facts: JobFacts) -> str:
    """Return how long a job waits already, how often it was tried, and until when it may wait."""
    job, now = facts.job, facts.now
    told = f"is ready since {distance(job.run_at, now)}" if facts.is_due else f"is {job.state}"
    if job.attempt:
        told += f", was tried {'once' if job.attempt == 1 else f'{job.attempt} times'}"
    if facts.is_due and job.reason:
        told += f" ({job.reason})"
    if job.expires_at is not None and job.expires_at > now:
        told += f", and expires {distance(job.expires_at, now)}"
    return f"{told}."


def _origin(facts: JobFacts) -> list[str]:
    job, tick = facts.job, facts.tick
    if job.entry is None:
        return []
    if job.scheduled_for is None:
        return [f"A person triggered entry `{job.entry}`."]
    moved = f" (moved from {tick.moved_from:%H:%M})" if tick and tick.moved_from else ""
    late = f", {tick.reason}" if tick and tick.reason else ""
    at = local(job.scheduled_for, timespec="seconds" if job.scheduled_for.second else "minutes")
    return [
        f"It is the run of entry `{job.entry}` for {at}{moved}{late}; `jobrun why {job.entry}` tells more."
    ]
