"""What is known of the entries of cron tables beyond their tables: how far they came, rest and luck."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jobrun.cron.latch import Latch, turned
from jobrun.cron.notices import notice_of
from jobrun.cron.words import Changes, EntryRow, EntrySpec, Turn
from jobrun.errors import UsageError
from jobrun.model import NewJob
from jobrun.store.cronrows import entry_of
from jobrun.store.database import Database
from jobrun.store.rows import compact
from jobrun.store.templates import template_of, template_text
from jobrun.units import to_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What loading a table is to write."""

    added: Sequence[EntrySpec]
    changed: Sequence[EntrySpec]
    moved: Sequence[str]  # unchanged, from a table that is no more
    removed: Sequence[str]

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.changed or self.moved or self.removed)


class Entries:
    """The entries of all tables of this job file; a name is one entry's alone."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def load(self, table: str, specs: Sequence[EntrySpec], *, boot_id: str, now: datetime) -> Changes:
        """Make the entries of a table those given, in one commit, and return what that changed.

        A new or changed entry makes up no tick from before `now`, and has seen the boot of `boot_id`. One
        that keeps its times has yet to tell of those since it was last served. One that comes back is new,
        but for its rest: who paused it still means that.

        Raises `UsageError`, changing nothing, when another table has an entry of the same name.
        """
        if (plan := self._plan(table, specs)).is_empty:
            return Changes()
        with self._db.write():
            plan = self._plan(table, specs)  # others may have written since
            fresh = {"table": table, "now": to_ms(now), "boot_id": boot_id}
            for spec in plan.added:
                self._db.change(_ADD, {**_columns(spec), **fresh})
            for spec in plan.changed:
                self._db.change(_CHANGE, {**_columns(spec), **fresh})
            self._db.change(_MOVE, {"names": compact(plan.moved), **fresh})
            self._remove(plan.removed, now=now)
        return Changes(
            added=tuple(spec.entry.name for spec in plan.added),
            changed=tuple(spec.entry.name for spec in plan.changed),
            removed=tuple(plan.removed),
        )

    def rows(self, table: str | None = None) -> list[EntryRow]:
        """Return the entries of a table (None: of all tables) by name."""
        rows = self._db.rows(
            """
            SELECT *
              FROM entries
             WHERE removed_at IS NULL AND (:table IS NULL OR table_path = :table)
             ORDER BY name
            """,
            {"table": table},
        )
        return [entry_of(row) for row in rows]

    def get(self, name: str) -> EntryRow | None:
        """Return an entry, also one that no table has any more."""
        row = self._db.row("SELECT * FROM entries WHERE name = :name", {"name": name})
        return None if row is None else entry_of(row)

    def pause(self, name: str, *, until: datetime | None, now: datetime) -> EntryRow | None:
        """Let an entry rest, until somebody resumes it if `until` is None; None if no table has it."""
        return self._update(
            """
            UPDATE entries
               SET paused_at = iif(paused_until > :now OR (paused_at IS NOT NULL AND paused_until IS NULL),
                                   paused_at, :now),
                   paused_until = :until
             WHERE name = :name AND removed_at IS NULL
            RETURNING *
            """,
            {"name": name, "until": None if until is None else to_ms(until), "now": to_ms(now)},
        )

    def resume(self, name: str, *, now: datetime) -> EntryRow | None:
        """End the rest of an entry; that it was one, its ticks until now are told by. None as in `pause`."""
        return self._update(
            """
            UPDATE entries
               SET paused_until = iif(paused_at IS NULL, NULL, min(coalesce(paused_until, :now), :now))
             WHERE name = :name AND removed_at IS NULL
            RETURNING *
            """,
            {"name": name, "now": to_ms(now)},
        )

    def advance(self, name: str, *, done_until: datetime) -> None:
        """Note that all ticks until an instant are decided."""
        with self._db.write():
            self._db.change(
                "UPDATE entries SET done_until = :done_until WHERE name = :name",
                {"name": name, "done_until": to_ms(done_until)},
            )

    def rewind(self, table: str, *, now: datetime) -> None:
        """Have ticks be decided from now on where they were decided further: the clock was set back.

        Those that ran stay what they are, and do not run again.
        """
        with self._db.write():
            self._db.change(
                """
                UPDATE entries
                   SET done_until = min(done_until, :now),
                       since = min(since, :now)
                 WHERE table_path = :table AND (done_until > :now OR since > :now)
                """,
                {"table": table, "now": to_ms(now)},
            )

    def saw_boot(self, name: str, boot_id: str) -> None:
        """Note that an entry has had its run of this boot."""
        with self._db.write():
            self._db.change(
                "UPDATE entries SET boot_id = :boot_id WHERE name = :name", {"name": name, "boot_id": boot_id}
            )

    def settled(self, name: str, *, is_success: bool, now: datetime) -> Turn | None:
        """Count the final end of a job of an entry; return the turn of its luck, if it is one.

        To be called in the transaction that ends the job.
        """
        with self._db.write():
            row = self.get(name)
            if row is None:
                return None
            before = Latch(
                failing_since=row.failing_since,
                failed_runs=row.failed_runs,
                last_success_at=row.last_success_at,
            )
            latch, turn = turned(before, is_success=is_success, now=now)
            self._db.change(
                """
                UPDATE entries
                   SET failing_since = :failing_since,
                       failed_runs = :failed_runs,
                       last_success_at = :last_success_at
                 WHERE name = :name
                """,
                {
                    "name": name,
                    "failing_since": latch.failing_since and to_ms(latch.failing_since),
                    "failed_runs": latch.failed_runs,
                    "last_success_at": latch.last_success_at and to_ms(latch.last_success_at),
                },
            )
            return turn

    def notice(self, name: str, turn: Turn) -> NewJob | None:
        """Return the job that tells somebody of a turn, or None where nobody is to be told."""
        column = "on_failure" if turn is Turn.FAILED else "on_recovery"
        row = self._db.row(f"SELECT {column} AS job FROM entries WHERE name = :name", {"name": name})  # noqa: S608 -- fixed text
        return None if row is None else template_of(row["job"])

    def _update(self, sql: str, arguments: dict[str, Any]) -> EntryRow | None:
        with self._db.write():
            row = self._db.row(sql, arguments)
        return None if row is None else entry_of(row)

    def _plan(self, table: str, specs: Sequence[EntrySpec]) -> _Plan:
        rows = self._db.rows("SELECT name, table_path, digest FROM entries WHERE removed_at IS NULL")
        known = {row["name"]: row for row in rows}
        added, changed, moved = [], [], []
        for spec in specs:
            row = known.get(spec.entry.name)
            if row is None:
                added.append(spec)
                continue
            if row["table_path"] != table:
                _refuse_second_table(spec.entry.name, table, row["table_path"])
                moved.append(spec.entry.name)
            if row["digest"] != spec.digest:
                changed.append(spec)
        here = {spec.entry.name for spec in specs}
        ours = {name for name, row in known.items() if row["table_path"] == table}
        return _Plan(added=added, changed=changed, moved=moved, removed=sorted(ours - here))

    def _remove(self, names: Sequence[str], *, now: datetime) -> None:
        arguments = {"names": compact(names), "now": to_ms(now)}
        self._db.change(
            "UPDATE entries SET removed_at = :now WHERE name IN (SELECT value FROM json_each(:names))",
            arguments,
        )
        self._db.change(
            """
            UPDATE ticks
               SET state = 'skipped', reason = 'its entry was removed while it waited', decided_at = :now
             WHERE state = 'pending' AND entry IN (SELECT value FROM json_each(:names))
            """,
            arguments,
        )


def _refuse_second_table(name: str, table: str, other: str) -> None:
    """Refuse a name that another table has, unless that table's file is gone: then this one takes over."""
    if os.path.lexists(other):
        raise UsageError(
            f"entry `{name}` is in `{other}` already",
            hint=f"both are one file: say `{other}`"
            if _is_same_file(table, other)
            else f"rename one of them, or remove `{other}` if this table is its heir",
        )


def _is_same_file(table: str, other: str) -> bool:
    try:
        return Path(table).samefile(other)
    except OSError:  # a link to nowhere
        return False


def _columns(spec: EntrySpec) -> dict[str, Any]:
    entry = spec.entry
    return {
        "name": entry.name,
        "schedule": entry.schedule_text,
        "zone": entry.zone_name,
        "digest": spec.digest,
        "schedule_digest": spec.schedule_digest,
        "is_enabled": entry.is_enabled,
        "on_failure": template_text(notice_of(entry, Turn.FAILED)),
        "on_recovery": template_text(notice_of(entry, Turn.RECOVERED)),
    }


_ADD = """
    INSERT INTO entries (name, done_until, since, anchor, boot_id, is_enabled, table_path, schedule,
                         zone, digest, schedule_digest, on_failure, on_recovery)
    VALUES (:name, :now, :now, :now, :boot_id, :is_enabled, :table, :schedule,
            :zone, :digest, :schedule_digest, :on_failure, :on_recovery)
    ON CONFLICT (name) DO UPDATE
       SET done_until = :now,
           since = :now,
           anchor = :now,
           boot_id = :boot_id,
           is_enabled = :is_enabled,
           removed_at = NULL,
           failing_since = NULL,
           failed_runs = 0,
           last_success_at = NULL,
           table_path = :table,
           schedule = :schedule,
           zone = :zone,
           digest = :digest,
           schedule_digest = :schedule_digest,
           on_failure = :on_failure,
           on_recovery = :on_recovery
"""
_CHANGE = """
    UPDATE entries
       SET done_until = iif(schedule_digest = :schedule_digest, done_until, :now),
           since = :now,
           anchor = iif(schedule_digest = :schedule_digest, anchor, :now),
           boot_id = iif(schedule_digest = :schedule_digest, boot_id, :boot_id),
           is_enabled = :is_enabled,
           schedule = :schedule,
           zone = :zone,
           digest = :digest,
           schedule_digest = :schedule_digest,
           on_failure = :on_failure,
           on_recovery = :on_recovery
     WHERE name = :name AND removed_at IS NULL
"""
_MOVE = "UPDATE entries SET table_path = :table WHERE name IN (SELECT value FROM json_each(:names))"
