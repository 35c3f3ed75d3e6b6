"""Rows as lines of JSON, and back: what `db export` writes and `db import` reads.

A line is an object with one name, the kind of the row, and in it the columns that have a value. Columns
that hold JSON are JSON here, too; what is no UTF-8 is `{"base64": ...}`.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jobrun.errors import UsageError
from jobrun.store.rows import compact, storable

FORMAT = 1
# In the order in which they are written: an attempt stands behind its job, and a job behind its environment.
TABLES = {
    "environment": "environments",
    "job": "jobs",
    "attempt": "attempts",
    "edit": "edits",
    "entry": "entries",
    "tick": "ticks",
    "pause": "pauses",
    "section": "sections",
    "last_run": "last_runs",
    "job_tally": "job_tally",
    "attempt_tally": "attempt_tally",
    "tick_tally": "tick_tally",
}
_JSON: dict[str, dict[str, type]] = {
    "environments": {"variables": dict},
    "jobs": {"args": list, "kwargs": dict, "tags": list, "terms": dict, "cwd": str, "result": object},
    "entries": {"on_failure": dict, "on_recovery": dict},
    "sections": {"body": dict},
}
_WORDS: dict[type, str] = {list: "a list", dict: "an object", str: "text"}
_LARGEST = 2**63


class Shape(NamedTuple):
    """The columns of a table, and those of them that name its rows."""

    table: str
    types: Mapping[str, str]  # as SQLite has them
    key: tuple[str, ...]
    json: Mapping[str, type]

    @property
    def blobs(self) -> list[str]:
        return [name for name, type_ in self.types.items() if type_ == "BLOB"]

    @property
    def insert(self) -> str:
        """Return the statement that inserts what `values_of` returns."""
        places = ", ".join("?" * len(self.types))
        return f"INSERT INTO {self.table} ({', '.join(self.types)}) VALUES ({places})"  # noqa: S608 -- our own names


def shape_of(table: str, columns: Sequence[Sequence[Any]]) -> Shape:
    """Return the shape of a table from the rows of `PRAGMA table_info`."""
    key = sorted((place, name) for _, name, _, _, _, place in columns if place)
    types = {name: type_ for _, name, type_, _, _, _ in columns}
    return Shape(table, types, tuple(name for _, name in key), _JSON.get(table, {}))


def object_of(shape: Shape, row: Sequence[Any]) -> dict[str, Any]:
    """Return what a row, with all columns in their order, holds for JSON."""
    said = {name: value for name, value in zip(shape.types, row, strict=True) if value is not None}
    for name in shape.json.keys() & said.keys():
        said[name] = _parsed(said[name])
    for name in shape.blobs:
        if name in said:
            said[name] = _text_or_base64(said[name])
    return said


def values_of(shape: Shape, said: Any) -> list[Any]:
    """Return the values of a row, in the order of its columns. Raises `UsageError` with what is wrong."""
    if not isinstance(said, dict):
        raise UsageError("is no object")
    if strange := said.keys() - shape.types.keys():
        raise UsageError(f"has an unknown name `{min(strange)[:64]}`")
    return [_kept(shape, name, said[name]) if name in said else None for name in shape.types]


def _text_or_base64(value: bytes) -> Any:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode("ascii")}


def _parsed(text: str) -> Any:
    if text in {"[]", "{}"}:  # most have little to parse
        return [] if text == "[]" else {}
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text  # which is none of what the column holds, so that nobody takes it for that


def _kept(shape: Shape, name: str, value: Any) -> Any:
    if value is None and shape.json.get(name) is not object:
        return None
    if name in shape.json:
        return _json_text(name, value, shape.json[name])
    wanted = shape.types[name]
    if wanted == "INTEGER":
        if not isinstance(value, int) or isinstance(value, bool) or not -_LARGEST <= value < _LARGEST:
            raise UsageError(f"`{name}` is no whole number of 64 bits")
        return value
    if wanted == "BLOB" and isinstance(value, dict) and value.keys() == {"base64"}:
        try:
            return base64.b64decode(value["base64"], validate=True)
        except (TypeError, ValueError, binascii.Error):
            raise UsageError(f"`{name}` is no base64") from None
    if not isinstance(value, str):
        raise UsageError(f"`{name}` is no text")
    return value.encode("utf-8", "backslashreplace") if wanted == "BLOB" else storable(value)


def _json_text(name: str, value: Any, wanted: type) -> str:
    if not isinstance(value, wanted):
        raise UsageError(f"`{name}` is not {_WORDS.get(wanted, 'JSON')}")
    return compact(value)
