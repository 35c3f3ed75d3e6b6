"""Run jobrun with all that each of its processes says to SQLite written down, and say it again.

python -m bench.recording FOLDER WORDS...
"""

from __future__ import annotations

import os
import pickle
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import jobrun.__main__
from jobrun.store.database import Database

PRAGMAS = ("foreign_keys = ON", "wal_autocheckpoint = 0", "temp_store = MEMORY")


class Statement(NamedTuple):
    """One call of a connection: `execute`, or `executemany`."""

    is_many: bool
    sql: str
    arguments: Any


def main() -> None:
    folder = Path(sys.argv.pop(1))
    said: list[Statement] = []
    for name, is_many in (("rows", False), ("change", False), ("insert", False)):
        _listen(name, said, folder, is_many=is_many)
    for name, is_many in (("change_many", True), ("insert_all", True)):
        _listen(name, said, folder, is_many=is_many)
    jobrun.__main__.main()


def replay(path: Path, statements: Sequence[Statement], synchronous: str = "FULL") -> float:
    """Say the same to a job file that is as it was then, over bare sqlite3; return the seconds it takes."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in (*PRAGMAS, f"synchronous = {synchronous}"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        begin = time.perf_counter()
        for is_many, sql, arguments in statements:
            if is_many:
                connection.executemany(sql, arguments)
            else:
                connection.execute(sql, arguments).fetchall()
        return time.perf_counter() - begin


def load(folder: Path) -> list[Statement]:
    """Return what the process has said that said most: the dispatcher."""
    return list(_read(max(folder.iterdir(), key=lambda path: path.stat().st_size)))


def _read(path: Path) -> Iterator[Statement]:
    with path.open("rb") as file:
        while file.peek(1):
            yield from (Statement(*each) for each in pickle.load(file))


def _listen(name: str, said: list[Statement], folder: Path, *, is_many: bool) -> None:
    """Put a listener before a method of `Database`; each commit writes what was said until then."""
    method: Callable[..., Any] = getattr(Database, name)

    def heard(database: Database, sql: str, arguments: Any = ()) -> Any:
        kept = [_plain(each) for each in arguments] if is_many else _plain(arguments)
        said.append(Statement(is_many, sql, kept))
        answer = method(database, sql, kept)
        if sql == "COMMIT":
            with (folder / str(os.getpid())).open("ab") as file:
                pickle.dump([tuple(each) for each in said], file)
            said.clear()
        return answer

    setattr(Database, name, heard)


def _plain(arguments: Any) -> Any:
    """Return arguments without our own types: an enum of texts is its text."""
    if isinstance(arguments, dict):
        return {name: _text(value) for name, value in arguments.items()}
    return [_text(value) for value in arguments]


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, str) else value


if __name__ == "__main__":
    main()
