"""Asking for jobs from Python.

    jobrun.enqueue("shop.mail:send", 42, subject="Hello")
    jobrun.options(queue="mail", in_s=300, retries=3).enqueue("shop.mail:send", 42)
    with jobrun.open("jobs.db") as jobs:
        jobs.enqueue_many([("shop.mail:send", [n], {}) for n in range(1000)])

The functions open the job file of `JOBRUN_DB`, or the default one, for each call; `open` keeps one
open. In a running job they go to its dispatcher instead: user code never shares a process with an
open store. What cannot be is refused with a `JobrunError`, and nothing is queued.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from jobrun.durability import FULL
from jobrun.errors import NotDone, UsageError
from jobrun.model import COMMON_TERMS, DEFAULT_QUEUE, Added, Kind, NewJob, OnCrash, Terms
from jobrun.paths import default_path
from jobrun.requests import check
from jobrun.run import context
from jobrun.store import Store, open_store

Call = tuple[str, Sequence[Any], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """The job that runs here. `attempt` counts its starts from 1."""

    id: int
    attempt: int
    max_attempts: int
    name: str | None
    queue: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How jobs are to be run; each field is the option of `jobrun enqueue` of that name.

    `eta` or `in_s` says when a job is due; `expires` as a timedelta counts from then. Suffix `_s` is
    seconds. `durability` is that of `enqueue`; in a running job that of its workers counts.
    """

    queue: str = DEFAULT_QUEUE
    priority: int = 0
    eta: datetime | None = None
    in_s: float | None = None
    expires: datetime | timedelta | None = None
    retries: int = 0
    backoff_s: float = 10.0
    max_backoff_s: float = 600.0
    timeout_s: float | None = None
    key: str | None = None
    tags: tuple[str, ...] = ()
    name: str | None = None
    on_crash: OnCrash | str = OnCrash.RETRY
    isolate: bool = False
    durability: str = FULL

    def job(self, target: str, /, *args: Any, **kwargs: Any) -> NewJob:
        """Return a checked request for a call, to be given to `enqueue_many`."""
        if isinstance(self.tags, str):
            raise UsageError(f"tags must be a tuple of texts, not the text `{self.tags}`")
        now = datetime.now(UTC)
        run_at = self._run_at(now)
        job = NewJob(
            kind=Kind.CALL,
            task=target,
            args=args,
            kwargs=kwargs,
            queue=self.queue,
            priority=self.priority,
            run_at=run_at,
            expires_at=self._expires_at(run_at or now),
            retries=self.retries,
            backoff_s=self.backoff_s,
            max_backoff_s=self.max_backoff_s,
            timeout_s=self.timeout_s,
            key=self.key,
            tags=self.tags,
            name=self.name,
            on_crash=_policy(self.on_crash),
            terms=Terms(isolate=self.isolate) if self.isolate else COMMON_TERMS,
        )
        return check(job, now=now)

    def enqueue(self, target: str, /, *args: Any, **kwargs: Any) -> int:
        """Queue a call with these options and return its id, once it is on disk."""
        return _add([self.job(target, *args, **kwargs)], self.durability)[0].id

    def _run_at(self, now: datetime) -> datetime | None:
        if self.in_s is None:
            return self.eta
        if self.eta is not None:
            raise UsageError("eta and in_s both say when; use one")
        return now + _seconds(self.in_s)

    def _expires_at(self, due: datetime) -> datetime | None:
        return due + self.expires if isinstance(self.expires, timedelta) else self.expires


_COMMON = Options()


class Jobs:
    """An open job file; close it, or use it as a context manager. Not for use after a fork."""

    def __init__(self, store: Store) -> None:
        """Take over an open store."""
        self._store = store
        self._pid = os.getpid()

    def enqueue(self, target: str, /, *args: Any, **kwargs: Any) -> int:
        """Queue a call and return its id, once it is on disk."""
        return self._add([_COMMON.job(target, *args, **kwargs)])[0]

    def enqueue_many(self, jobs: Iterable[NewJob | Call]) -> list[int]:
        """Queue jobs in one commit and return their ids, in order."""
        return self._add(_checked(jobs, datetime.now(UTC)))

    def close(self) -> None:
        self._store.close()

    def _add(self, jobs: Sequence[NewJob]) -> list[int]:
        if os.getpid() != self._pid:
            raise NotDone("this job file was opened before a fork", hint="open it in the new process")
        return [added.id for added in self._store.intake.add(jobs, now=datetime.now(UTC))]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def options(**given: Any) -> Options:
    """Return options for jobs: `options(queue="mail", retries=3).enqueue("shop.mail:send", 42)`."""
    for unknown in given.keys() - set(Options.__slots__):
        raise UsageError(f"there is no option `{unknown}`", hint=f"one of {', '.join(Options.__slots__)}")
    return Options(**given)


def enqueue(target: str, /, *args: Any, **kwargs: Any) -> int:
    """Queue a call and return its id, once it is on disk."""
    return _COMMON.enqueue(target, *args, **kwargs)


def enqueue_many(jobs: Iterable[NewJob | Call]) -> list[int]:
    """Queue jobs in one commit and return their ids, in order; a taken key gives the id that has it."""
    return [added.id for added in _add(_checked(jobs, datetime.now(UTC)))]


def open(path: str | os.PathLike[str], *, durability: str = FULL) -> Jobs:  # noqa: A001 -- read as jobrun.open
    """Open a job file, made if it is missing, and keep it open.

    With `durability="fast"` no enqueue waits for the disk: its job outlives any process, and a power cut may take
    the jobs of the last moments.
    """
    if _running() is not None:
        raise NotDone(
            "a running job must not open a job file", hint="use jobrun.enqueue, which asks its worker"
        )
    return Jobs(open_store(Path(path), create=True, durability=durability))


def current() -> Current | None:
    """Return the job that runs here, or None outside of one."""
    job = _running()
    if job is None:
        return None
    return Current(
        id=job.id, attempt=job.attempt, max_attempts=job.max_attempts, name=job.name, queue=job.queue
    )


def _add(jobs: Sequence[NewJob], durability: str = FULL) -> list[Added]:
    """Add jobs through the dispatcher of the job that runs here, or else into the job file."""
    if not jobs:
        return []
    if job := _running():
        return job.ask(jobs)
    path = default_path(os.environ, is_root=os.geteuid() == 0)
    with open_store(path, create=True, durability=durability) as store:
        return store.intake.add(jobs, now=datetime.now(UTC))


def _running() -> context.Context | None:
    """Return the job of this process; a fork of it has no way to its dispatcher."""
    job = context.current()
    return job if job is not None and job.pid == os.getpid() else None


def _checked(jobs: Iterable[NewJob | Call], now: datetime) -> list[NewJob]:
    return [check(job, now=now) if isinstance(job, NewJob) else _called(job) for job in jobs]


def _called(call: Call) -> NewJob:
    try:
        target, args, kwargs = call
    except (TypeError, ValueError):
        raise UsageError(
            f"`{call!r}` is no job", hint="give (target, args, kwargs), or what options().job() returns"
        ) from None
    return _COMMON.job(target, *args, **kwargs)


def _seconds(seconds: float) -> timedelta:
    try:
        return timedelta(seconds=seconds)
    except (OverflowError, TypeError, ValueError):
        raise UsageError(f"in_s must be a number of seconds, not `{seconds}`") from None


def _policy(text: OnCrash | str) -> OnCrash:
    try:
        return OnCrash(text)
    except ValueError:
        raise UsageError(f"on_crash `{text}` is not one of {', '.join(OnCrash)}") from None
