"""One scheduler for a table and a job file, by lock; who holds it stands in the job file, for people."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from jobrun.cron.words import TableRow
from jobrun.errors import Busy
from jobrun.locks.roles import Role
from jobrun.paths import scheduler_lock
from jobrun.store import Store


@contextlib.contextmanager
def sole_scheduler(
    store: Store, table: Path, *, pid: int, now: datetime, is_replacement: bool = False
) -> Iterator[None]:
    """Be the scheduler of a table for the length of a block; `pid` is whom a person would stop.

    Who takes over from one that died stands there already, and begins though the disk is full.
    Raises `Busy` while another one is.
    """
    name = os.fspath(table)
    role = Role(scheduler_lock(store.path, table))
    is_taken = role.try_to_take()
    if not is_taken:
        holder = _last_of(store, table)
        by = f" (pid {holder.pid})" if holder is not None else ""
        raise Busy(
            f"another scheduler{by} serves `{table}` already", hint="stop it first; `jobrun status` shows it"
        )
    stands = store.tables.get(name)
    if not (is_replacement and stands is not None and stands.pid == pid):
        store.tables.hold(name, pid=pid, now=now)
    try:
        yield
    finally:
        role.give_up()


def _last_of(store: Store, table: Path) -> TableRow | None:
    """Return who came last to a table, by whichever of its names."""
    real = os.path.realpath(table)
    rows = [row for row in store.tables.all() if os.path.realpath(row.path) == real]
    return max(rows, key=lambda row: row.started_at, default=None)
