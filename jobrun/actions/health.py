"""Taking what health is judged by, and the thresholds that tables have."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from jobrun.actions import looking
from jobrun.actions.tables import TableView, tables
from jobrun.cron.words import Special
from jobrun.health import TableVitals, Thresholds, Vitals, strictest
from jobrun.store import Store

SECTION = "health"
_NAMES = frozenset(field.name for field in fields(Thresholds))


def thresholds(store: Store) -> Thresholds:
    """Return those that schedulers took from their tables; of several the strictest."""
    return strictest(of_section(said[SECTION]) for said in store.sections.all().values() if SECTION in said)


def of_section(body: Mapping[str, Any]) -> Thresholds:
    """Return what `[health]` of a table says."""
    return Thresholds(**{name: value for name, value in body.items() if name in _NAMES})


def vitals(store: Store, *, since_s: float, now: datetime) -> Vitals:
    """Take what health is judged by; ticks count as missed that were decided in the last `since_s`."""
    workers = [view.row.queues for view in looking.workers(store) if view.is_alive and view.serves_queues]
    return Vitals(
        measures=store.measuring.measures(since=now - timedelta(seconds=since_s), now=now),
        workers=workers,
        tables=[
            TableVitals(path=each.path, is_served=each.scheduler is not None) for each in _to_serve(store)
        ],
        lost=len(looking.left_behind(store)),
    )


def _to_serve(store: Store) -> list[TableView]:
    """Return the tables that somebody should serve: those that are there, with an entry that falls due."""
    return [
        table
        for table in tables(store)
        if os.path.lexists(table.path)
        and any(row.is_enabled and row.schedule_text != Special.MANUAL for row in table.entries)
    ]
