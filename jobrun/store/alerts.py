"""The alerts of tables: each told once, by a job that is added in the commit that notes it."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from jobrun.alerts.telling import event_of, key_prefix, telling, template_of
from jobrun.alerts.words import Alert, AlertRow, Condition, Event, Latch, Quantity, Reading, Severity
from jobrun.bell import Tone
from jobrun.errors import UsageError
from jobrun.model import NewJob
from jobrun.store.database import Database
from jobrun.store.intake import Intake
from jobrun.store.rows import compact, instant, instant_or_none, legible, storable
from jobrun.store.templates import template_of as template_in
from jobrun.store.templates import template_text
from jobrun.units import to_ms

_GONE = Reading(value=None, text="its table changed it or has it no more")


class Alerts:
    """The alerts of all tables of this job file; a name is one alert's alone."""

    def __init__(self, database: Database, intake: Intake) -> None:
        self._db = database
        self._intake = intake

    def load(self, table: str, alerts: Sequence[Alert], *, now: datetime) -> None:
        """Make the alerts of a table those given, in one commit.

        One that was changed begins anew. Of what was told and is changed or gone, it is told that it is over.
        Raises `UsageError`, changing nothing, when another table has an alert of the same name.
        """
        texts = {alert.name: (_body(alert), template_text(template_of(alert))) for alert in alerts}
        digests = {name: _digest(*each) for name, each in texts.items()}
        with self._db.write():
            known = {row.alert.name: row for row in self.rows()}
            for name in texts.keys() & known.keys():
                _refuse_second_table(known[name], table)
            kept = {
                name for name, digest in digests.items() if name in known and known[name].digest == digest
            }
            for row in known.values():
                is_orphan = row.table != table and not os.path.lexists(row.table)
                if row.alert.name not in kept and (row.table == table or is_orphan):
                    self._end(row, now=now)
            for name in kept:
                self._db.change(
                    "UPDATE alerts SET table_path = :table WHERE name = :name", {"table": table, "name": name}
                )
            for name in texts.keys() - kept:
                body, template = texts[name]
                said = {"name": name, "table": table, "digest": digests[name], "body": body, "job": template}
                self._db.change(_ADD, said)

    def rows(self, table: str | None = None) -> list[AlertRow]:
        """Return the alerts of a table (None: of all tables) by name."""
        rows = self._db.rows(
            "SELECT * FROM alerts WHERE :table IS NULL OR table_path = :table ORDER BY name", {"table": table}
        )
        return [_row_of(row) for row in rows]

    def get(self, name: str) -> AlertRow | None:
        row = self._db.row("SELECT * FROM alerts WHERE name = :name", {"name": name})
        return None if row is None else _row_of(row)

    def move(self, row: AlertRow, latch: Latch, *, told: tuple[Event, Reading] | None, now: datetime) -> bool:
        """Note how far an alert has got since `row` was read, and add the job that tells of it.

        Return False, with nothing done, when somebody else has noted something meanwhile.
        """
        with self._db.write():
            if not self._db.change(_MOVE, {**_columns(latch), **_guard(row)}):
                return False
            if told is not None:
                event, reading = told
                since = row.latch.holds_since or latch.holds_since or now
                self._tell(row, event, reading, since=since, now=now)
            return True

    def untold(self, table: str, *, now: datetime) -> list[tuple[int, str, datetime]]:
        """Return the jobs that are due to tell of a table's alerts and need no more than a shell.

        Each with its queue and since when it has been due.
        """
        prefix = key_prefix(table)
        rows = self._db.rows(
            """
            SELECT id, queue, run_at
              FROM jobs INDEXED BY jobs_key
             WHERE key IS NOT NULL AND state IN ('scheduled', 'ready', 'running')
               AND key >= :prefix AND key < :beyond
               AND state <> 'running' AND kind <> 'call' AND run_at <= :now
             ORDER BY id
            """,
            {"prefix": prefix, "beyond": prefix[:-1] + "!", "now": to_ms(now)},
        )
        return [(row["id"], row["queue"], instant(row["run_at"])) for row in rows]

    def tellers(self, table: str) -> list[str]:
        """Return the workers that tell of a table's alerts just now, or died of it."""
        prefix = key_prefix(table)
        rows = self._db.rows(
            """
            SELECT worker
              FROM jobs INDEXED BY jobs_key
             WHERE key IS NOT NULL AND state IN ('scheduled', 'ready', 'running')
               AND key >= :prefix AND key < :beyond AND state = 'running' AND kind <> 'call'
            """,
            {"prefix": prefix, "beyond": prefix[:-1] + "!"},
        )
        return [row["worker"] for row in rows]

    def reserve(self, ids: Sequence[int], queue: str) -> int:
        """Put jobs that nobody has taken into another queue; return how many."""
        with self._db.write(Tone.WORK):
            return self._db.change(
                """
                UPDATE jobs
                   SET queue = :queue
                 WHERE id IN (SELECT value FROM json_each(:ids)) AND state IN ('scheduled', 'ready')
                """,
                {"ids": compact(list(ids)), "queue": queue},
            )

    def _end(self, row: AlertRow, *, now: datetime) -> None:
        """Forget an alert, and tell that it is over if it was told."""
        if row.latch.told_at is not None and row.alert.on_end:
            since = row.latch.holds_since or row.latch.told_at
            self._tell(row, Event.OVER, _GONE, since=since, now=now)
        self._db.change("DELETE FROM alerts WHERE name = :name", {"name": row.alert.name})

    def _tell(
        self, row: AlertRow, event: Event, reading: Reading, *, since: datetime, now: datetime
    ) -> int | None:
        found = event_of(row, event, reading, since=since, host=os.uname().nodename)
        job = telling(row, found, now=now)
        job_id = None if job is None else self._intake.add([job], now=now)[0].id
        said = {"event": event, "now": to_ms(now), "text": storable(reading.text), "job_id": job_id}
        self._db.change(_TOLD, {"name": row.alert.name, **said})
        return job_id


def _refuse_second_table(row: AlertRow, table: str) -> None:
    """Refuse an alert that another table has; one whose file is gone has none any more."""
    if row.table != table and os.path.lexists(row.table):
        raise UsageError(
            f"alert `{row.alert.name}` is in `{row.table}` already", hint="give one of them another name"
        )


def _body(alert: Alert) -> str:
    said = asdict(alert)
    return compact({name: value for name, value in said.items() if name not in ("name", "errand", "line")})


def _digest(body: str, template: str | None) -> str:
    return hashlib.sha256(f"{body}\n{template}".encode()).hexdigest()[:32]


@legible
def _row_of(row: sqlite3.Row) -> AlertRow:
    """Return what a row knows of an alert."""
    said = json.loads(row["body"])
    asked = said.pop("condition")
    condition = Condition(**{**asked, "quantity": Quantity(asked["quantity"])})
    alert = Alert(
        **{**said, "name": row["name"], "condition": condition, "severity": Severity(said["severity"])}
    )
    template: NewJob | None = template_in(row["template"])
    return AlertRow(
        alert=alert,
        table=row["table_path"],
        digest=row["digest"],
        template=template,
        latch=Latch(
            holds_since=instant_or_none(row["holds_since"]),
            calm_since=instant_or_none(row["calm_since"]),
            told_at=instant_or_none(row["told_at"]),
            reminded_at=instant_or_none(row["reminded_at"]),
            tells=row["tells"],
        ),
        last_event=None if row["last_event"] is None else Event(row["last_event"]),
        last_at=instant_or_none(row["last_at"]),
        last_text=row["last_text"],
        job_id=row["job_id"],
    )


def _columns(latch: Latch) -> dict[str, Any]:
    def ms(at: datetime | None) -> int | None:
        return None if at is None else to_ms(at)

    return {
        "holds_since": ms(latch.holds_since),
        "calm_since": ms(latch.calm_since),
        "told_at": ms(latch.told_at),
        "reminded_at": ms(latch.reminded_at),
        "tells": latch.tells,
    }


def _guard(row: AlertRow) -> dict[str, Any]:
    """Return what must still hold of a row."""
    before = {f"old_{name}": value for name, value in _columns(row.latch).items()}
    return {"name": row.alert.name, "table": row.table, "digest": row.digest, **before}


_ADD = """
    INSERT INTO alerts (name, table_path, digest, body, template)
    VALUES (:name, :table, :digest, :body, :job)
"""
_MOVE = """
    UPDATE alerts
       SET holds_since = :holds_since,
           calm_since = :calm_since,
           told_at = :told_at,
           reminded_at = :reminded_at,
           tells = :tells
     WHERE name = :name AND table_path = :table AND digest = :digest
       AND holds_since IS :old_holds_since AND calm_since IS :old_calm_since AND told_at IS :old_told_at
       AND reminded_at IS :old_reminded_at AND tells = :old_tells
"""
_TOLD = """
    UPDATE alerts
       SET last_event = :event, last_at = :now, last_text = :text, job_id = :job_id
     WHERE name = :name
"""
