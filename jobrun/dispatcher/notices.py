"""What somebody is told when the luck of a cron entry turns: an event, for a command or a task."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from jobrun.cron.words import EntryRow, Turn
from jobrun.lifecycle import Settlement
from jobrun.model import Ending, Job, Kind, NewJob, Output, Surroundings
from jobrun.units import rfc3339

_LINES, _BYTES = 50, 4096  # of the output that goes with an event


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The final end of a job."""

    job: Job
    ending: Ending
    becomes: Settlement
    at: datetime


def event_of(end: End, turn: Turn, before: EntryRow, *, host: str) -> dict[str, Any]:
    """Return what there is to tell of a turn; `before` is the entry as it was until then.

    After a failure the failed runs hold this one, after a recovery those that it made good.
    """
    job, ending = end.job, end.ending
    is_failure = turn is Turn.FAILED
    since = end.at if is_failure else before.failing_since
    return {
        "event": turn,
        "entry": job.entry,
        "job": job.id,
        "host": host,
        "task": job.task,
        "state": end.becomes.state,
        "reason": end.becomes.reason,
        "exit_code": ending.exit_code,
        "signal": ending.signal,
        "attempt": job.attempt,
        "failed_runs": before.failed_runs + is_failure,
        "failing_since": _instant(since),
        "scheduled_for": _instant(job.scheduled_for),
        "started_at": _instant(job.started_at),
        "finished_at": rfc3339(end.at),
        "output": "".join(output_tail(ending.output, _BYTES).splitlines(keepends=True)[-_LINES:]),
    }


def telling(template: NewJob, event: dict[str, Any]) -> NewJob:
    """Return a notice that tells of an event: on standard input and in variables, or a call as its argument."""
    around = template.surroundings or Surroundings(cwd="", umask=None, environment={})
    job = replace(
        template, surroundings=replace(around, environment={**around.environment, **_variables(event)})
    )
    if template.kind is Kind.CALL:
        return replace(job, args=(*template.args, event))
    text = json.dumps(event, ensure_ascii=False, indent=1) + "\n"
    return replace(job, terms=replace(template.terms, stdin=text))


def output_tail(output: Output, most: int) -> str:
    """Return the end of what a job printed, at most so many bytes of it; what is no text is replaced."""
    return (output.head + output.tail)[-most:].decode("utf-8", "replace").replace("\0", "\ufffd")


def _variables(event: dict[str, Any]) -> dict[str, str]:
    names = ("event", "entry", "job", "reason", "exit_code", "failed_runs")
    return {f"JOBRUN_{name.upper()}": "" if event[name] is None else str(event[name]) for name in names}


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else rfc3339(instant)
