"""What tables say of the host: their `[health]` and `[retention]`, for who has no table at hand."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jobrun.store.database import Database
from jobrun.store.rows import compact, legible
from jobrun.units import to_ms

Body = Mapping[str, Any]  # keys with a value: durations in seconds, sizes in bytes


class Sections:
    """The sections of all tables of this job file."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put(self, table: str, sections: Mapping[str, Body], *, now: datetime) -> None:
        """Make the sections of a table those given, and forget those of tables that are no more."""
        with self._db.write():
            self._db.change(_FORGET, {"names": compact(list(sections)), "table": table})
            for name, body in sections.items():
                said = {"table": table, "name": name, "body": compact(body), "now": to_ms(now)}
                self._db.change(_PUT, said)
            for other in self.all().keys() - {table}:
                if not os.path.lexists(other):
                    self._db.change("DELETE FROM sections WHERE table_path = :table", {"table": other})

    def all(self) -> dict[str, dict[str, Body]]:
        """Return what the tables say: by the path of a table, then by the name of a section."""
        found: dict[str, dict[str, Body]] = {}
        for row in self._db.rows("SELECT * FROM sections ORDER BY table_path, name"):
            found.setdefault(row["table_path"], {})[row["name"]] = _body_of(row)
        return found


@legible
def _body_of(row: sqlite3.Row) -> Body:
    """Return what a row says."""
    body: Body = json.loads(row["body"])
    return body


_FORGET = """
    DELETE FROM sections
     WHERE table_path = :table AND name NOT IN (SELECT value FROM json_each(:names))
"""
_PUT = """
    INSERT INTO sections (table_path, name, body, since)
    VALUES (:table, :name, :body, :now)
    ON CONFLICT DO UPDATE
       SET body = excluded.body, since = excluded.since
     WHERE body <> excluded.body
"""
