"""Alerts as a table, and those that fire in one line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from jobrun.actions.alerts import AlertView
from jobrun.alerts.wording import limit_in_words
from jobrun.alerts.words import AlertRow, Standing
from jobrun.cli import render
from jobrun.cli.human import distance
from jobrun.cli.render import Column
from jobrun.model import State
from jobrun.units import format_duration, listed, rfc3339

SHOWN = 5  # alerts that are named in a line
_COLUMNS = (
    Column(title="alert"),
    Column(title="state", is_state=True),
    Column(title="for", is_number=True),
    Column(title="severity", is_state=True),
    Column(title="now", may_shrink=True),
    Column(title="limit"),
    Column(title="told"),
    Column(title="by", may_shrink=True),
    Column(title="table", may_shrink=True),
)


def alerts(found: Sequence[AlertView], now: datetime) -> None:
    """Print alerts, one a line; the table is named where there is more than one."""
    is_alone = len({view.row.table for view in found}) == 1
    rows = [[*_cells(view, now), "" if is_alone else Path(view.row.table).name] for view in found]
    render.table(_COLUMNS, rows)


def glance(firing: Sequence[AlertRow], now: datetime) -> str:
    """Return the alerts that fire in one line."""
    named = [f"{row.alert.name} ({row.alert.severity}, {_span(row.latch.told_at, now)})" for row in firing]
    return f"alerts: firing: {listed(named, most=SHOWN)}"


def alert_object(view: AlertView) -> dict[str, object]:
    """Return an alert for a program."""
    row, alert, condition = view.row, view.row.alert, view.row.alert.condition
    return {
        "name": alert.name,
        "table": row.table,
        "state": view.standing,
        "severity": alert.severity,
        "condition": condition.quantity,
        "threshold": condition.threshold,
        "queue": condition.queue,
        "entry": condition.entry,
        "task": condition.task,
        "value": view.reading.value,
        "text": view.reading.text,
        "for_s": alert.for_s,
        "remind_s": alert.remind_s,
        "on_end": alert.on_end,
        "holds_since": _time(row.latch.holds_since),
        "firing_since": _time(row.latch.told_at),
        "tells": row.latch.tells,
        "last_event": row.last_event,
        "last_at": _time(row.last_at),
        "last_text": row.last_text,
        "job": row.job_id,
        "job_state": view.job and view.job.state,
        "has_scheduler": view.has_scheduler,
    }


def _cells(view: AlertView, now: datetime) -> list[str]:
    row = view.row
    since = row.latch.told_at if view.standing is Standing.FIRING else row.latch.holds_since
    return [
        row.alert.name,
        view.standing,
        _span(since, now),
        row.alert.severity,
        view.reading.text,
        _limit(row),
        distance(row.last_at, now) if row.last_at else "",
        _by(view),
    ]


def _limit(row: AlertRow) -> str:
    long = f"for {format_duration(row.alert.for_s)}" if row.alert.for_s else ""
    return f"{limit_in_words(row.alert.condition)} {long}".strip()


def _by(view: AlertView) -> str:
    if view.row.job_id is None:
        return ""
    job = view.job
    return f"job {view.row.job_id}" + (f" {job.state}" if job and job.state is not State.SUCCEEDED else "")


def _span(since: datetime | None, now: datetime) -> str:
    return "" if since is None else format_duration(max(round((now - since).total_seconds()), 0))


def _time(instant: datetime | None) -> str | None:
    return None if instant is None else rfc3339(instant)
