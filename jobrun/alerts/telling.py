"""The job that tells somebody of an alert, and what it is given to tell."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import datetime
from typing import Any

from jobrun.alerts.wording import limit_in_words
from jobrun.alerts.words import Alert, AlertRow, Event, Reading
from jobrun.model import DEFAULT_QUEUE, Kind, NewJob, Surroundings
from jobrun.requests import MAX_PRIORITY
from jobrun.units import rfc3339, to_ms

RETRIES = 5
TIMEOUT_S = 60.0
TAG = "alert"
VARIABLES = (
    "name", "state", "severity", "since", "value", "threshold", "condition", "queue", "entry", "task", "text",
)  # fmt: skip


def template_of(alert: Alert) -> NewJob | None:
    """Return the job that tells of an alert, before there is something to tell; None where nobody is told.

    It goes before all others: what it tells of may be that they are too many.
    """
    errand = alert.errand
    if errand is None:
        return None
    return NewJob(
        kind=errand.kind,
        task=errand.task,
        args=errand.args,
        queue=DEFAULT_QUEUE,
        priority=MAX_PRIORITY,
        retries=RETRIES,
        timeout_s=TIMEOUT_S,
        tags=(TAG,),
        name=alert.name,
        surroundings=errand.surroundings,
    )


def event_of(row: AlertRow, event: Event, reading: Reading, *, since: datetime, host: str) -> dict[str, Any]:
    """Return what there is to tell; `since` is when the condition began to hold."""
    condition = row.alert.condition
    return {
        "event": "alert",
        "name": row.alert.name,
        "state": event,
        "severity": row.alert.severity,
        "since": rfc3339(since),
        "value": reading.value,
        "threshold": condition.threshold,
        "condition": condition.quantity,
        "queue": condition.queue,
        "entry": condition.entry,
        "task": condition.task,
        "text": _text(row.alert, event, reading),
        "table": row.table,
        "host": host,
    }


def telling(row: AlertRow, event: dict[str, Any], *, now: datetime) -> NewJob | None:
    """Return the job that tells of an event: on standard input and in variables, or a call as its argument."""
    if row.template is None:
        return None
    around = row.template.surroundings or Surroundings(cwd="", umask=None, environment={})
    job = replace(
        row.template,
        key=f"{key_prefix(row.table)}{row.alert.name} {event['state']} {to_ms(now)}",
        surroundings=replace(around, environment={**around.environment, **_variables(event)}),
    )
    if job.kind is Kind.CALL:
        return replace(job, args=(*job.args, event))
    text = json.dumps(event, ensure_ascii=False, indent=1) + "\n"
    return replace(job, terms=replace(job.terms, stdin=text))


def key_prefix(table: str) -> str:
    """Return what the keys of all jobs begin with that tell of alerts of a table."""
    return f".alert {hashlib.sha256(table.encode(errors='surrogateescape')).hexdigest()[:12]} "


def _text(alert: Alert, event: Event, reading: Reading) -> str:
    limit = limit_in_words(alert.condition)
    aside = f" (limit {limit})" if limit else ""
    return f"{alert.severity}: {alert.name} {event}: {reading.text}{aside}"


def _variables(event: dict[str, Any]) -> dict[str, str]:
    return {
        f"JOBRUN_ALERT_{name.upper()}": "" if event[name] is None else _plain(event[name])
        for name in VARIABLES
    }


def _plain(value: Any) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)
