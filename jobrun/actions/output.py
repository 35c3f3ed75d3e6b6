"""What jobs print: the head and tail that are kept of ended attempts, the growing file of a running one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from jobrun.actions.looking import get
from jobrun.actions.waiting import LOOK_S
from jobrun.bell import Tone, listening
from jobrun.errors import NotDone
from jobrun.locks.records import read_record
from jobrun.model import Job, State
from jobrun.paths import side_dir
from jobrun.run.output import cut_line, kept
from jobrun.store import Store

GROWTH_S = 0.2  # between looks at the file of a running job; no bell rings for each line of it
CHUNK = 1 << 16
TAIL = 1 << 18  # bytes in which the last lines of a running job are looked for

Write = Callable[[bytes], object]
Tell = Callable[[Job], object]


def output_of(store: Store, job: Job, *, attempt: int | None = None) -> bytes:
    """Return what is kept of an attempt's output, by default the running or last one's.

    A line stands where bytes were cut. Raises `NotDone` if there was no such attempt.
    """
    number = attempt or job.attempt
    if number == job.attempt and (live := LiveOutput.of(store.path, job)):
        with live:
            return b"".join(live.read())
    ended = {each.number: each for each in store.ledger.attempts(job.id)}
    if number in ended:
        return kept(ended[number].ending.output)
    if number == (job.attempt if job.state is State.RUNNING else 0):  # nothing printed yet, or not run yet
        return b""
    had = ", ".join(map(str, ended)) or "none yet"
    raise NotDone(f"job {job.id} has no attempt {number}", hint=f"its attempts: {had}")


def last_lines(data: bytes, count: int) -> bytes:
    r"""Return the last lines of what was printed.

    >>> last_lines(b"one\ntwo\nthree", 2)
    b'two\nthree'
    """
    return b"".join(data.splitlines(keepends=True)[-count:])


def follow(store: Store, job_id: int, write: Write, *, tell: Tell, lines: int | None = None) -> Job:
    """Pass on what a job prints, attempt after attempt, until it has ended for good; return it then.

    Begins with the running or last attempt (its last `lines`, if given). `tell` hears of each change.
    """
    told = None
    for job in looks(store, job_id, write, lines=lines):
        if (job.state, job.attempt) != told:
            tell(job)
            told = (job.state, job.attempt)
    return job


def looks(store: Store, job_id: int, write: Write, *, lines: int | None = None) -> Iterator[Job]:
    """Do the same, and yield the job at each look, so that the caller can look at other things, too."""
    job = get(store, job_id)
    with listening(side_dir(store.path), Tone.DONE) as bell, Follower(store, job, write, lines) as follower:
        while True:
            bell.drain()
            job = get(store, job_id)
            follower.look(job)
            yield job
            if job.state.is_final:
                return
            bell.wait(GROWTH_S if job.state is State.RUNNING else LOOK_S)


class LiveOutput:
    """The file that a running attempt prints to, read while it grows; removing it does not end the reading."""

    def __init__(self, fd: int, job: Job, lock: Path) -> None:
        self.number = job.attempt
        self._fd = fd
        self._token = job.token
        self._lock = lock  # of the worker
        self._offset = 0

    @classmethod
    def of(cls, path: Path, job: Job) -> Self | None:
        """Open the file of a running job; None if it does not run or has not begun to print."""
        if job.worker is None:
            return None
        try:
            fd = os.open(side_dir(path) / "logs" / job.worker, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        live = cls(fd, job, side_dir(path) / "locks" / job.worker)
        # Looked at last: a worker that has gone on to its next job has taken a new file for it before.
        if live._last_begun() != job.token:
            os.close(fd)
            return None
        return live

    def read(self) -> Iterator[bytes]:
        """Yield what is new; a line stands for bytes whose place was given back to the disk."""
        chunk = b"\n"
        while True:
            if cut := self._hole():
                self._offset += cut
                yield cut_line(cut, chunk)
            chunk = os.pread(self._fd, min(CHUNK, self._filled()), self._offset)
            if not chunk or self._is_of_another():
                return
            self._offset += len(chunk)
            yield chunk

    def skip_to_last(self, lines: int) -> None:
        """Go on from where the last lines begin, or `TAIL` bytes before the end if they are longer."""
        start = max(os.fstat(self._fd).st_size - TAIL, 0)
        tail = os.pread(self._fd, TAIL, start)
        self._offset = start + len(tail) - len(last_lines(tail, lines))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def _is_of_another(self) -> bool:
        """Say whether a later attempt prints here: one that printed nothing leaves its file to the next."""
        return self._last_begun() not in {self._token, None} and bool(os.fstat(self._fd).st_nlink)

    def _last_begun(self) -> str | None:
        record = read_record(self._lock)
        return None if record is None else record.token

    def _hole(self) -> int:
        """Return how many bytes from here on are missing."""
        with contextlib.suppress(OSError):  # ENXIO: no data behind the offset
            return os.lseek(self._fd, self._offset, os.SEEK_DATA) - self._offset
        return 0

    def _filled(self) -> int:
        """Return how many bytes from here on are there."""
        with contextlib.suppress(OSError):  # ENXIO: at the end
            return os.lseek(self._fd, self._offset, os.SEEK_HOLE) - self._offset
        return 0


class Follower:
    """How far we have read: which attempts are done with, and the file of the one that runs."""

    def __init__(self, store: Store, job: Job, write: Write, lines: int | None) -> None:
        waits = job.state in {State.READY, State.SCHEDULED}
        self._shown = job.attempt if waits else job.attempt - 1
        self._store = store
        self._write = write
        self._lines = lines
        self._live: LiveOutput | None = None

    def look(self, job: Job) -> None:
        """Write what is new about a job."""
        if self._live and (job.state is not State.RUNNING or job.attempt != self._live.number):
            self._finish(self._live)
        ended = job.attempt - (job.state is State.RUNNING)
        if ended > self._shown:
            self._catch_up(job, ended)
        if self._live is None and job.state is State.RUNNING:
            self._begin(job)
        if self._live:
            self._pass_on(self._live)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.__exit__()

    def _begin(self, job: Job) -> None:
        self._live = LiveOutput.of(self._store.path, job)
        if self._live and self._lines is not None:
            self._live.skip_to_last(self._lines)
            self._lines = None  # for the first attempt only

    def _finish(self, live: LiveOutput) -> None:
        with live:
            self._pass_on(live)
        self._shown = live.number
        self._live = None

    def _catch_up(self, job: Job, ended: int) -> None:
        """Write attempts that ended while we did not look."""
        for attempt in self._store.ledger.attempts(job.id):
            if attempt.number > self._shown:
                data = kept(attempt.ending.output)
                self._write(data if self._lines is None else last_lines(data, self._lines))
                self._lines = None
        self._shown = ended

    def _pass_on(self, live: LiveOutput) -> None:
        for chunk in live.read():
            self._write(chunk)
