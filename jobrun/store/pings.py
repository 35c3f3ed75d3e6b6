"""Messages to monitors that are still to be sent: written in the commit that they tell of."""

from __future__ import annotations

from datetime import datetime

from jobrun.bell import Tone
from jobrun.cron.words import Ping
from jobrun.store.cronrows import ping_of
from jobrun.store.database import Database
from jobrun.store.rows import instant
from jobrun.units import to_ms


class Pings:
    """The outbox."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(
        self, url: str, *, entry: str | None, job_id: int | None = None, body: bytes = b"", now: datetime
    ) -> None:
        """Put a message into the outbox, due at once."""
        with self._db.write(Tone.PING):
            self._db.change(
                """
                INSERT INTO pings (due_at, url, entry, job_id, body, created_at)
                VALUES (:now, :url, :entry, :job_id, :body, :now)
                """,
                {"url": url, "entry": entry, "job_id": job_id, "body": body, "now": to_ms(now)},
            )

    def next_due(self, *, after: datetime) -> datetime | None:
        """Return when the next message falls due after an instant, or None if there is none."""
        row = self._db.row(
            "SELECT min(due_at) AS due_at FROM pings WHERE due_at > :after", {"after": to_ms(after)}
        )
        return None if row is None or row["due_at"] is None else instant(row["due_at"])

    def due(self, *, now: datetime, horizon: datetime, limit: int) -> list[Ping]:
        """Return at most `limit` messages that are due, the earliest first; of each job only its first.

        Nothing is put off beyond the horizon: what lies there was so before the clock was set back,
        and is due as well.
        """
        rows = self._db.rows(
            """
            SELECT *
              FROM pings
             WHERE (due_at <= :now OR due_at > :horizon)
               AND NOT EXISTS (SELECT 1 FROM pings AS earlier
                                WHERE earlier.job_id = pings.job_id AND earlier.id < pings.id)
             ORDER BY due_at, id
             LIMIT :limit
            """,
            {"now": to_ms(now), "horizon": to_ms(horizon), "limit": limit},
        )
        return [ping_of(row) for row in rows]

    def delete(self, ping_id: int) -> None:
        """Forget a message that was sent, or given up."""
        with self._db.write():
            self._db.change("DELETE FROM pings WHERE id = :id", {"id": ping_id})

    def postpone(self, ping_id: int, *, until: datetime) -> None:
        """Note that sending failed, and when to try again."""
        with self._db.write():
            self._db.change(
                "UPDATE pings SET due_at = :until, tries = tries + 1 WHERE id = :id",
                {"id": ping_id, "until": to_ms(until)},
            )

    def forget_before(self, instant: datetime) -> int:
        """Forget messages that were written before an instant; return how many."""
        with self._db.write():
            return self._db.change(
                "DELETE FROM pings WHERE created_at < :instant", {"instant": to_ms(instant)}
            )
