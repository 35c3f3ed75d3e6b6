"""Ticks: each is decided once, in the commit that adds its job, whoever decides and however often."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from jobrun.cron.words import NewTick, Tick, TickState
from jobrun.model import NewJob
from jobrun.store.cronrows import tick_of
from jobrun.store.database import Database
from jobrun.store.intake import Intake
from jobrun.store.rows import instant, storable
from jobrun.units import to_ms

MOST_TOLD = 1000  # rows that are looked through, each for ticks before it: others wait for the write lock


class Ticks:
    """What became of each tick, unique per entry and nominal instant."""

    def __init__(self, database: Database, intake: Intake) -> None:
        self._db = database
        self._intake = intake

    def record(self, entry: str, tick: NewTick, *, now: datetime) -> Tick | None:
        """Keep a tick, and add its job if it has one; None, with nothing changed, if it was decided before.

        One that was missed may still run: the clock was set forward too far, and back again.
        """
        assert (tick.job is not None) == (tick.state is TickState.RAN), "a tick that ran has a job"
        with self._db.write():
            if not self._is_open(entry, tick):
                return None
            row = self._db.row(
                _RECORD,
                {
                    "entry": entry,
                    "at": to_ms(tick.at),
                    "state": tick.state,
                    "job_id": None if tick.job is None else self._add(tick.job, now),
                    "moved_from": tick.moved_from and tick.moved_from.isoformat(),
                    "reason": storable(tick.reason),
                    "in_way": tick.in_way,
                    "last": to_ms(tick.end),
                    "count": tick.count,
                    "now": to_ms(now),
                },
            )
        assert row is not None
        return tick_of(row)

    def live_jobs(self, entry: str, *, now: datetime) -> list[int]:
        """Return the ids of an entry's jobs that wait or run, the oldest first.

        One that waits with a tick that is still to come is none: the clock was set back, perhaps by a year.
        """
        rows = self._db.rows(
            """
            SELECT id
              FROM jobs
             WHERE entry = :entry AND state IN ('scheduled', 'ready', 'running')
               AND NOT (state = 'scheduled' AND coalesce(scheduled_for, 0) > :now)
             ORDER BY id
            """,
            {"entry": entry, "now": to_ms(now)},
        )
        return [row["id"] for row in rows]

    def told(self, entry: str, first: datetime, last: datetime) -> list[tuple[datetime, datetime]]:
        """Return from when to when rows tell of a span of time, in order; of very many the newest."""
        rows = self._db.rows(
            """
            SELECT at, last FROM ticks WHERE entry = :entry AND at BETWEEN :first AND :last
             ORDER BY at DESC LIMIT :limit
            """,
            {"entry": entry, "first": to_ms(first), "last": to_ms(last), "limit": MOST_TOLD + 1},
        )
        spans = [(instant(row["at"]), instant(row["last"])) for row in reversed(rows)]
        if len(spans) > MOST_TOLD:
            spans[0] = (first, spans[0][1])
        until = self._told_until(entry, first)
        return spans if until is None else [(first, until), *spans]

    def _told_until(self, entry: str, at: datetime) -> datetime | None:
        """Return the end of a row from before an instant that tells of it, too; None if there is none."""
        row = self._db.row(_REACHES, {"entry": entry, "at": to_ms(at), "limit": MOST_TOLD})
        return None if row is None or row["last"] is None else instant(row["last"])

    def pending(self, entry: str | None = None) -> list[Tick]:
        """Return the ticks of an entry (None: of all) that wait for the end of a job, the oldest first."""
        where = "state = 'pending'" if entry is None else "state = 'pending' AND entry = :entry"
        rows = self._db.rows(
            f"SELECT * FROM ticks INDEXED BY ticks_pending WHERE {where} ORDER BY entry, at",  # noqa: S608 -- fixed text
            {"entry": entry},
        )
        return [tick_of(row) for row in rows]

    def promote_pending(self, entry: str, at: datetime, job: NewJob, *, now: datetime) -> Tick | None:
        """Make a waiting tick a job; None, with nothing changed, if it waits no longer."""
        with self._db.write():
            if not any(tick.at == at for tick in self.pending(entry)):
                return None
            row = self._db.row(
                """
                UPDATE ticks
                   SET state = 'ran', job_id = :job_id, decided_at = :now
                 WHERE entry = :entry AND at = :at AND state = 'pending'
                RETURNING *
                """,
                {"entry": entry, "at": to_ms(at), "job_id": self._add(job, now), "now": to_ms(now)},
            )
        assert row is not None
        return tick_of(row)

    def drop_pending(self, entry: str, at: datetime, *, reason: str, now: datetime) -> None:
        """Skip a waiting tick; one that waits no longer is left as it is."""
        with self._db.write():
            self._db.change(
                """
                UPDATE ticks
                   SET state = 'skipped', reason = :reason, decided_at = :now
                 WHERE entry = :entry AND at = :at AND state = 'pending'
                """,
                {"entry": entry, "at": to_ms(at), "reason": storable(reason), "now": to_ms(now)},
            )

    def of(self, entry: str, *, at: datetime | None = None, limit: int = 20) -> list[Tick]:
        """Return ticks of an entry, the newest first.

        With `at`, the tick at that instant or among whose ticks it is; if there is none, those
        next to it, after and before.
        """
        arguments: dict[str, Any] = {"entry": entry, "limit": limit}
        if at is None:
            sql = "SELECT * FROM ticks WHERE entry = :entry ORDER BY at DESC LIMIT :limit"
            return [tick_of(row) for row in self._db.rows(sql, arguments)]
        arguments["instant"] = to_ms(at)
        for sql in (_HOLDS, _NEXT_TO):
            if rows := self._db.rows(sql, arguments):
                return [tick_of(row) for row in rows]
        return []

    def has_before(self, instant: datetime) -> bool:
        """Say whether a tick was decided before an instant."""
        oldest = self._db.row("SELECT min(decided_at) AS at FROM ticks WHERE state <> 'pending'")
        return oldest is not None and oldest["at"] is not None and oldest["at"] < to_ms(instant)

    def forget_before(self, instant: datetime, *, limit: int) -> int:
        """Remove at most `limit` ticks that were decided before an instant; return how many."""
        arguments = {"before": to_ms(instant), "limit": limit}
        if not self.has_before(instant):
            return 0
        with self._db.write():
            return self._db.change(
                """
                DELETE FROM ticks
                 WHERE (entry, at) IN (SELECT entry, at
                                         FROM ticks
                                        WHERE state <> 'pending' AND decided_at < :before
                                        ORDER BY decided_at
                                        LIMIT :limit)
                """,
                arguments,
            )

    def _is_open(self, entry: str, tick: NewTick) -> bool:
        row = self._db.row(
            "SELECT state FROM ticks WHERE entry = :entry AND at = :at",
            {"entry": entry, "at": to_ms(tick.at)},
        )
        if row is None:
            # What did not run is told of once; what runs gets a row though others say it was missed.
            is_run = tick.state in (TickState.RAN, TickState.PENDING, TickState.SKIPPED)
            return is_run or self._told_until(entry, tick.at) is None
        return row["state"] == TickState.MISSED and tick.state in (TickState.RAN, TickState.PENDING)

    def _add(self, job: NewJob, now: datetime) -> int:
        [added] = self._intake.add([job], now=now)
        return added.id


_RECORD = """
    INSERT INTO ticks (entry, at, state, job_id, moved_from, reason, in_way, last, count, decided_at)
    VALUES (:entry, :at, :state, :job_id, :moved_from, :reason, :in_way, :last, :count, :now)
    ON CONFLICT (entry, at) DO UPDATE
       SET (state, job_id, moved_from, reason, in_way, last, count, decided_at)
         = (excluded.state, excluded.job_id, excluded.moved_from, excluded.reason, excluded.in_way,
            excluded.last, excluded.count, excluded.decided_at)
     WHERE ticks.state = 'missed' AND excluded.state IN ('ran', 'pending')
    RETURNING *
"""
_REACHES = """
    SELECT max(last) AS last
      FROM (SELECT last FROM ticks WHERE entry = :entry AND at < :at ORDER BY at DESC LIMIT :limit)
     WHERE last >= :at
"""
_HOLDS = """
    SELECT * FROM ticks WHERE entry = :entry AND at <= :instant AND last >= :instant ORDER BY at DESC LIMIT 1
"""
_NEXT_TO = """
    SELECT * FROM (SELECT * FROM ticks WHERE entry = :entry AND at > :instant ORDER BY at LIMIT 1)
    UNION ALL
    SELECT * FROM (SELECT * FROM ticks WHERE entry = :entry AND at < :instant ORDER BY at DESC LIMIT 1)
"""
