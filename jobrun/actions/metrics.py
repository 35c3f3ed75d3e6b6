"""All numbers of a job file at a moment, for monitors."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jobrun.actions import looking
from jobrun.actions.tables import tables
from jobrun.cron.words import EntryRow
from jobrun.measures import Measures, Tallies
from jobrun.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    measures: Measures
    tallies: Tallies
    alive: int  # workers
    dead: int
    schedulers: int
    entries: tuple[EntryRow, ...]
    file_size: int  # bytes
    wal_size: int
    sqlite: str


def snapshot(store: Store, *, now: datetime) -> Snapshot:
    """Take all numbers; reads are short, and each is of one state of the file."""
    workers = [worker for worker in looking.workers(store) if worker.serves_queues]
    alive = sum(worker.is_alive for worker in workers)
    known = tables(store)
    return Snapshot(
        measures=store.measuring.measures(since=now, now=now),
        tallies=store.tallies.all(),
        alive=alive,
        dead=len(workers) - alive,
        schedulers=sum(table.scheduler is not None for table in known),
        entries=tuple(row for table in known for row in table.entries),
        file_size=_size(store.path),
        wal_size=_size(Path(f"{os.path.realpath(store.path)}-wal")),
        sqlite=store.tallies.sqlite(),
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
