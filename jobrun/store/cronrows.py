"""Rows of the tables of cron and the words they stand for."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from jobrun.cron.words import EntryRow, Ping, TableRow, Tick, TickState
from jobrun.store.rows import instant, instant_or_none, legible


@legible
def entry_of(row: sqlite3.Row) -> EntryRow:
    """Return what a row knows of an entry."""
    return EntryRow(
        name=row["name"],
        table=row["table_path"],
        schedule_text=row["schedule"],
        zone_name=row["zone"],
        digest=row["digest"],
        since=instant(row["since"]),
        done_until=instant(row["done_until"]),
        anchor=instant(row["anchor"]),
        boot_id=row["boot_id"],
        is_enabled=bool(row["is_enabled"]),
        removed_at=instant_or_none(row["removed_at"]),
        paused_at=instant_or_none(row["paused_at"]),
        paused_until=instant_or_none(row["paused_until"]),
        failing_since=instant_or_none(row["failing_since"]),
        failed_runs=row["failed_runs"],
        last_success_at=instant_or_none(row["last_success_at"]),
    )


@legible
def tick_of(row: sqlite3.Row) -> Tick:
    """Return the tick that a row stands for."""
    moved_from = row["moved_from"]
    return Tick(
        entry=row["entry"],
        at=instant(row["at"]),
        state=TickState(row["state"]),
        job_id=row["job_id"],
        moved_from=None if moved_from is None else datetime.fromisoformat(moved_from),
        reason=row["reason"],
        in_way=row["in_way"],
        last=instant(row["last"]),
        count=row["count"],
        decided_at=instant(row["decided_at"]),
    )


@legible
def table_of(row: sqlite3.Row) -> TableRow:
    """Return what a row tells of the scheduler of a table."""
    return TableRow(
        path=row["path"], pid=row["pid"], started_at=instant(row["started_at"]), problem=row["problem"]
    )


@legible
def ping_of(row: sqlite3.Row) -> Ping:
    """Return the message that a row stands for."""
    return Ping(
        id=row["id"],
        url=row["url"],
        entry=row["entry"],
        job_id=row["job_id"],
        body=row["body"],
        tries=row["tries"],
        due_at=instant(row["due_at"]),
        created_at=instant(row["created_at"]),
    )
