"""One process' connection to a job file: short IMMEDIATE transactions behind the gate.

Every statement is drained at once: a cursor of `UPDATE ... RETURNING` that is not read to its end
keeps the write lock while `in_transaction` says False (sqlite.org/isolation.html).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

from jobrun.bell import Tone, ring
from jobrun.errors import Busy, JobFileUnusable, JobrunError, NoRoom, UsageError
from jobrun.locks.gate import Gate

# The process must not be stopped or ended by a terminal while all other writers wait for it.
_HELD_BACK = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGTSTP})
_set_mask = sys.modules["_signal"].pthread_sigmask  # that of `signal` makes enum members of what it returns
_CHECKPOINT_MS = 40  # a writer that waits for it is to wait less than 50
_NO_ROOM = frozenset({"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE"})

PathLike = str | os.PathLike[str]
Arguments = Mapping[str, object] | Sequence[object]


class Database:
    """A connection, its gate and its bell; used by the process that opened it and by no fork of it."""

    def __init__(self, connection: sqlite3.Connection, path: PathLike, side: str, gate: Gate | None) -> None:
        """Take over a connection that `opening` has checked; without a gate it only reads."""
        self._connection = connection
        self._path = path
        self._side = side
        self._gate = gate
        self._pid = os.getpid()
        self._depth = 0
        self._tones: set[Tone] = set()

    def rows(self, sql: str, arguments: Arguments = ()) -> list[sqlite3.Row]:
        """Run one statement and return all its rows."""
        assert os.getpid() == self._pid, "a connection must not cross a fork"
        try:
            return self._connection.execute(sql, arguments).fetchall()
        except sqlite3.Error as error:
            raise translated(error, self._path) from error

    def row(self, sql: str, arguments: Arguments = ()) -> sqlite3.Row | None:
        """Run one statement and return its first row, or None."""
        return next(iter(self.rows(sql, arguments)), None)

    def change(self, sql: str, arguments: Arguments = ()) -> int:
        """Run one statement and return how many rows it changed."""
        assert self._depth, "a change belongs into a write transaction"
        try:
            return self._connection.execute(sql, arguments).rowcount
        except sqlite3.Error as error:
            raise translated(error, self._path) from error

    def change_many(self, sql: str, arguments: Sequence[Arguments]) -> None:
        """Run one statement for each of the arguments."""
        assert self._depth, "a change belongs into a write transaction"
        try:
            self._connection.executemany(sql, arguments)
        except sqlite3.Error as error:
            raise translated(error, self._path) from error

    def insert(self, sql: str, arguments: Arguments) -> int:
        """Run one INSERT and return the id of its row."""
        assert self._depth, "a change belongs into a write transaction"
        try:
            row_id = self._connection.execute(sql, arguments).lastrowid
        except sqlite3.Error as error:
            raise translated(error, self._path) from error
        assert row_id is not None
        return row_id

    def insert_all(self, sql: str, rows: Iterable[Arguments]) -> int:
        """Run one INSERT for each row and return the id of the last one."""
        assert self._depth, "a change belongs into a write transaction"
        try:
            self._connection.executemany(sql, rows)
        except sqlite3.Error as error:
            raise translated(error, self._path) from error
        [(row_id,)] = self.rows("SELECT last_insert_rowid()")
        return int(row_id)

    @contextlib.contextmanager
    def write(self, *tones: Tone) -> Iterator[None]:
        """Make the block one transaction, and ring `tones` once it is committed.

        Blocks nest: the outermost one commits, so that a group of changes is one fsync.
        """
        self._tones.update(tones)
        if self._depth:
            yield
            return
        with self._transaction():
            yield
        rung, self._tones = self._tones, set()
        for tone in rung:
            ring(self._side, tone)

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """Make the block, within a transaction, all or nothing.

        Raises `UsageError` for what no row can keep; the rest of the transaction is not hurt by it.
        """
        self.rows("SAVEPOINT block")
        try:
            yield
        except BaseException as error:
            if self._connection.in_transaction:  # after SQLITE_FULL it is rolled back already
                self.rows("ROLLBACK TO block")
                self.rows("RELEASE block")
            if isinstance(error, sqlite3.Error | OverflowError | UnicodeError):
                raise UsageError(f"this cannot be kept: {error}") from error
            raise
        self.rows("RELEASE block")

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Make the block see one state of the file."""
        if self._depth:
            yield
            return
        self.rows("BEGIN")
        try:
            yield
        finally:
            self.rows("COMMIT")

    def checkpoint(self, *, keeps_room: bool = False) -> bool:
        """Copy the WAL into the file and empty it; False if somebody still reads what is in it.

        With `keeps_room` the file stays as long as it is, and is written over: an fsync then has no
        new blocks to write down. TRUNCATE and RESTART, under the gate, take the writer lock before
        they read the header, which keeps clear of the WAL-reset fault of SQLite before 3.51.3
        (sqlite.org/wal.html#walresetbug). All writers wait meanwhile, so it hardly waits for readers.
        """
        mode = "RESTART" if keeps_room else "TRUNCATE"
        with self._turn(), self._busy_for(_CHECKPOINT_MS):
            [(is_busy, _, _)] = self.rows(f"PRAGMA wal_checkpoint({mode})")
            return not is_busy

    def close(self) -> None:
        self._connection.close()
        if self._gate is not None:
            self._gate.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._turn():
            self.rows("BEGIN IMMEDIATE")
            self._depth = 1
            try:
                yield
                self.rows("COMMIT")
            except BaseException:
                self._tones.clear()
                if self._connection.in_transaction:  # after SQLITE_FULL it is rolled back already
                    self.rows("ROLLBACK")
                raise
            finally:
                self._depth = 0

    @contextlib.contextmanager
    def _busy_for(self, milliseconds: int) -> Iterator[None]:
        """Wait no longer than this for SQLite's own locks."""
        [(before,)] = self.rows("PRAGMA busy_timeout")
        self.rows(f"PRAGMA busy_timeout = {milliseconds}")
        try:
            yield
        finally:
            self.rows(f"PRAGMA busy_timeout = {before}")

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Hold the gate for the length of a block."""
        if self._gate is None:
            raise JobFileUnusable(f"cannot write to `{self._path}`: no permission, or a read-only disk")
        mask = _set_mask(signal.SIG_BLOCK, _HELD_BACK)
        try:
            self._gate.enter()
            try:
                yield
            finally:
                self._gate.leave()
        finally:
            _set_mask(signal.SIG_SETMASK, mask)


def translated(error: sqlite3.Error, path: PathLike) -> JobrunError | sqlite3.Error:
    """Return a fault of the file in our words; our own mistakes stay what they are."""
    name = getattr(error, "sqlite_errorname", "")
    if name in _NO_ROOM:
        return NoRoom(
            f"no room left for `{path}`; nothing was changed", hint="free some disk space, then try again"
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return Busy(
            f"`{path}` is busy; nothing was changed", hint="another program holds it locked; try again"
        )
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return JobFileUnusable(
            f"`{path}` is damaged or no job file; nothing was changed", hint="restore it from a backup"
        )
    if name.startswith("SQLITE_READONLY"):
        return _unwritable(path)
    if name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")):
        return JobFileUnusable(f"`{path}` cannot be read or written ({error}); nothing was changed")
    return error


def _unwritable(path: PathLike) -> JobFileUnusable:
    """Name what may not be written: SQLite makes the files beside a job file with its mode at that time."""
    files = [f"{path}{end}" for end in ("", "-wal", "-shm")]
    barred = [file for file in files if os.path.exists(file) and not os.access(file, os.W_OK)]
    hint = f"chmod u+w {' '.join(barred)}" if barred else None
    return JobFileUnusable(f"`{(barred or files)[0]}` cannot be written; nothing was changed", hint=hint)
