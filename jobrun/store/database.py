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
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from jobrun.bell import Tone, ring
from jobrun.errors import JobFileUnusable, JobrunError, UsageError
from jobrun.locks.gate import Gate
from jobrun.places import SIDE

# The process must not be stopped or ended by a terminal while all other writers wait for it.
_HELD_BACK = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGTSTP})
_set_mask = sys.modules["_signal"].pthread_sigmask  # that of `signal` makes enum members of what it returns
_STEPS = 10_000  # of SQLite's machine between two looks at the clock
_CHECKPOINT_MS = 40  # a writer that waits for it is to wait less than 50
_ENDS = ("", "-wal", "-shm")  # of the names of the files that SQLite writes

# SQLite cites what it finds, and Python takes that for UTF-8; texts of rows are read by a reader of ours.
FAULTS = (sqlite3.Error, UnicodeDecodeError)
Fault = sqlite3.Error | UnicodeDecodeError

PathLike = str | os.PathLike[str]
Arguments = Mapping[str, object] | Sequence[object]


class Database:
    """A connection, its gate and its bell; used by the process that opened it and by no fork of it."""

    def __init__(
        self, connection: sqlite3.Connection, path: PathLike, side: str, gate: Gate | JobFileUnusable
    ) -> None:
        """Take over a connection that `opening` has checked; instead of a gate, why it only reads."""
        self._connection = connection
        self._path = path
        self._side = side
        self._gate = gate
        self._pid = os.getpid()
        self._files = _files(side) if isinstance(gate, Gate) else []
        self._depth = 0
        self._tones: set[Tone] = set()

    def rows(self, sql: str, arguments: Arguments = ()) -> list[sqlite3.Row]:
        """Run one statement and return all its rows."""
        assert os.getpid() == self._pid, "a connection must not cross a fork"
        try:
            return self._connection.execute(sql, arguments).fetchall()
        except FAULTS as error:
            raise translated(error, self._path) from error

    def row(self, sql: str, arguments: Arguments = ()) -> sqlite3.Row | None:
        """Run one statement and return its first row, or None."""
        return next(iter(self.rows(sql, arguments)), None)

    def rows_within(self, sql: str, seconds: float | None) -> list[sqlite3.Row] | None:
        """Run one statement and return all its rows; None if that took longer than it may."""
        if seconds is None:
            return self.rows(sql)
        end = time.monotonic() + seconds
        self._connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
        try:
            return self.rows(sql)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_INTERRUPT":
                raise
            return None
        finally:
            self._connection.set_progress_handler(None, 0)

    def change(self, sql: str, arguments: Arguments = ()) -> int:
        """Run one statement and return how many rows it changed."""
        assert self._depth, "a change belongs into a write transaction"
        try:
            return self._connection.execute(sql, arguments).rowcount
        except FAULTS as error:
            raise translated(error, self._path) from error

    def change_many(self, sql: str, arguments: Sequence[Arguments]) -> None:
        """Run one statement for each of the arguments."""
        assert self._depth, "a change belongs into a write transaction"
        try:
            self._connection.executemany(sql, arguments)
        except FAULTS as error:
            raise translated(error, self._path) from error

    def insert(self, sql: str, arguments: Arguments) -> int:
        """Run one INSERT and return the id of its row."""
        assert self._depth, "a change belongs into a write transaction"
        try:
            row_id = self._connection.execute(sql, arguments).lastrowid
        except FAULTS as error:
            raise translated(error, self._path) from error
        assert row_id is not None
        return row_id

    def insert_all(self, sql: str, rows: Iterable[Arguments]) -> int:
        """Run one INSERT for each row and return the id of the last one."""
        assert self._depth, "a change belongs into a write transaction"
        try:
            self._connection.executemany(sql, rows)
        except FAULTS as error:
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
        """Make the block see one state of the file. Blocks nest."""
        if self._connection.in_transaction:
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

    def vacuum(self) -> None:
        """Write the file anew without its free pages; nobody else can write meanwhile, and readers go on.

        The new pages go through the WAL, after a copy of all in the system's folder for temporary files:
        kept in memory, as other temporary things of ours, it might be more than there is.
        """
        with self._turn():
            self.rows("PRAGMA temp_store = FILE")
            try:
                self.rows("VACUUM")
                self.rows("PRAGMA optimize")
            finally:
                self.rows("PRAGMA temp_store = MEMORY")

    def close(self) -> None:
        self._connection.close()
        if isinstance(self._gate, Gate):
            self._gate.close()

    def check_is_writable(self) -> None:
        """Raise why nothing can be written, if so."""
        if not isinstance(self._gate, Gate):
            raise self._gate

    def check_is_in_place(self) -> None:
        """Raise `JobFileUnusable` if the files that we opened are not those of that name any more.

        SQLite goes on in a file without a name, and in a -wal that nobody else reads: what is committed there
        is lost, with no error from anybody. One cause is in a program that enqueues: by closing the job
        file, opened besides, it gives up its locks, and another deletes the -wal that is still in use
        (sqlite.org/howtocorrupt.html, 2.2).
        """
        for name, opened in self._files:
            if _identity(name) != opened:
                raise _moved(name)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._turn():
            self.rows("BEGIN IMMEDIATE")
            self._depth = 1
            try:
                yield
                self.check_is_in_place()
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
        if not isinstance(self._gate, Gate):
            raise self._gate
        mask = _set_mask(signal.SIG_BLOCK, _HELD_BACK)
        try:
            self._gate.enter()
            try:
                yield
            finally:
                self._gate.leave()
        finally:
            _set_mask(signal.SIG_SETMASK, mask)


def _files(side: str) -> list[tuple[str, tuple[int, int] | None]]:
    """Return the files of an open job file by name, and which they are."""
    names = [side.removesuffix(SIDE) + end for end in _ENDS]
    return [(name, _identity(name)) for name in names]


def _identity(name: str) -> tuple[int, int] | None:
    try:
        found = os.stat(name)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _moved(name: str) -> JobFileUnusable:
    how = "replaced" if os.path.exists(name) else "removed"
    return JobFileUnusable(
        f"`{name}` was {how} while it was in use; nothing was changed",
        hint="put the file back, with the -wal that was beside it",
    )


def translated(error: Fault, path: PathLike) -> JobrunError | Fault:
    """Return a fault of the file in our words; our own mistakes stay what they are."""
    from jobrun.store.faults import fault  # noqa: PLC0415 -- most go well

    return fault(error, path) or error
