"""Alerts as they stand: how far each has got, what is measured now, and who was told."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from jobrun import locks
from jobrun.alerts.latch import holds
from jobrun.alerts.telling import event_of, telling
from jobrun.alerts.words import AlertRow, Event, Reading, Standing
from jobrun.errors import NotDone, meant
from jobrun.model import Job
from jobrun.paths import scheduler_lock
from jobrun.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertView:
    """An alert, and what it is about as it is now."""

    row: AlertRow
    reading: Reading
    job: Job | None  # that told it last, if it is kept
    has_scheduler: bool  # somebody looks at it

    @property
    def standing(self) -> Standing:
        if self.row.latch.told_at is not None:
            return Standing.FIRING
        is_held = self.row.latch.holds_since is not None or holds(self.row.alert.condition, self.reading)
        return Standing.PENDING if is_held else Standing.OK


def alerts(store: Store, *, now: datetime) -> tuple[AlertView, ...]:
    """Return the alerts of all tables by name."""
    rows = store.alerts.rows()
    readings = store.readings.of([row.alert.condition for row in rows], now=now)
    served = {
        table: locks.is_held(scheduler_lock(store.path, Path(table))) for table in {row.table for row in rows}
    }
    return tuple(
        AlertView(
            row=row,
            reading=reading,
            job=None if row.job_id is None else store.ledger.get(row.job_id),
            has_scheduler=served[row.table],
        )
        for row, reading in zip(rows, readings, strict=True)
    )


def check_can_test(store: Store, name: str) -> AlertRow:
    """Return an alert that tells somebody. Raises `NotDone`."""
    row = store.alerts.get(name)
    if row is None:
        names = [each.alert.name for each in store.alerts.rows()]
        hint = "`jobrun cron FILE` loads a table; only then its alerts are known here"
        raise NotDone(f"no alert `{name}` in `{store.path}`", hint=meant(name, names, hint))
    if row.template is None:
        raise NotDone(
            f"alert `{name}` tells nobody", hint="give it a `shell`, `command` or `call` in its table"
        )
    return row


def test(store: Store, row: AlertRow, *, queue: str, expires_at: datetime, now: datetime) -> int:
    """Add a job that tells of an alert as if it fired, once, in a queue of its own; return its id."""
    [reading] = store.readings.of([row.alert.condition], now=now)
    since = row.latch.holds_since or now
    event = event_of(row, Event.TEST, reading, since=since, host=os.uname().nodename)
    job = telling(row, event, now=now)
    assert job is not None, "an alert that tells nobody is refused before"
    own = replace(job, key=None, queue=queue, retries=0, expires_at=expires_at)
    return store.intake.add([own], now=now)[0].id
