"""Queues that are paused: by whom, why and until when."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from jobrun.bell import Tone
from jobrun.measures import Pause
from jobrun.store.database import Database
from jobrun.store.rows import instant, instant_or_none, legible, storable
from jobrun.units import to_ms

IN_FORCE = "(until IS NULL OR until > {})"


class Pauses:
    """The pauses of queues. One whose time is up ends by itself: its row says nothing any more."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def all(self, *, now: datetime) -> list[Pause]:
        """Return the pauses that go on, by queue."""
        sql = f"SELECT * FROM pauses WHERE {IN_FORCE.format('?')} ORDER BY queue"  # noqa: S608 -- fixed text
        return [pause_of(row) for row in self._db.rows(sql, (to_ms(now),))]

    def names(self, *, now: datetime) -> list[str]:
        """Return the queues that are paused."""
        return [row["queue"] for row in self._db.rows(_NAMES, (to_ms(now),))]

    def begin(self, pause: Pause) -> None:
        """Pause a queue, in place of a pause that it has."""
        with self._db.write(Tone.WORK):
            self._db.change(
                """
                INSERT OR REPLACE INTO pauses (queue, since, until, by, reason)
                VALUES (:queue, :since, :until, :by, :reason)
                """,
                {
                    "queue": pause.queue,
                    "since": to_ms(pause.since),
                    "until": None if pause.until is None else to_ms(pause.until),
                    "by": storable(pause.by),
                    "reason": storable(pause.reason),
                },
            )

    def end(self, queue: str, *, now: datetime) -> Pause | None:
        """End the pause of a queue and return it; None if it goes on with none."""
        with self._db.write(Tone.WORK):
            row = self._db.row("SELECT * FROM pauses WHERE queue = :queue", {"queue": queue})
            self._db.change("DELETE FROM pauses WHERE queue = :queue", {"queue": queue})
        pause = None if row is None else pause_of(row)
        return pause if pause is None or pause.until is None or pause.until > now else None


@legible
def pause_of(row: sqlite3.Row) -> Pause:
    """Return the pause that a row stands for."""
    return Pause(
        queue=row["queue"],
        since=instant(row["since"]),
        until=instant_or_none(row["until"]),
        by=row["by"],
        reason=row["reason"],
    )


_NAMES = f"SELECT queue FROM pauses WHERE {IN_FORCE.format('?')}"  # noqa: S608 -- fixed text
