"""The words of jobrun: what a job, an attempt, an ending and a worker are.

Two types for two things: a `NewJob` is asked for, a `Job` is stored.
Times are aware datetimes here and integer milliseconds UTC in the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Any

from jobrun.frozen import frozen

DEFAULT_QUEUE = "default"
MAX_CRASHES = 3  # a job whose worker dies alone this many times is stopped, unless a group is told otherwise


class Kind(StrEnum):
    CALL = "call"  # pkg.mod:func
    SHELL = "shell"  # a line for /bin/sh -c
    COMMAND = "command"  # an argv list, no shell


class State(StrEnum):
    SCHEDULED = "scheduled"  # due later
    READY = "ready"  # due, waits for a worker
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # retries used up, or permanent
    CRASHED = "crashed"  # died without an outcome, parked for a person
    CANCELLED = "cancelled"
    EXPIRED = "expired"  # not started in time
    SKIPPED = "skipped"  # an overlap or a missed tick, kept for the record

    @property
    def is_final(self) -> bool:
        return self not in LIVE


LIVE = frozenset({State.SCHEDULED, State.READY, State.RUNNING})
TROUBLED = frozenset({State.FAILED, State.CRASHED})  # kept until a person retries or purges them


class Outcome(StrEnum):
    """How an attempt ended."""

    OK = "ok"
    ERROR = "error"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    INTERRUPTED = "interrupted"  # by our own shutdown
    CANCELLED = "cancelled"


class OnCrash(StrEnum):
    """What becomes of a job whose attempt crashed."""

    RETRY = "retry"  # while retries are left, then park
    PARK = "park"
    FAIL = "fail"


@frozen
class Surroundings:
    """Where a job runs. A command has this environment and no other; a call adds it to its worker's."""

    cwd: str  # empty: the worker's
    umask: int | None  # None: the worker's
    environment: Mapping[str, str]


class Leftovers(StrEnum):
    """What becomes of processes that a command has left running when it ended by itself."""

    KILL = "kill"
    KEEP = "keep"


@frozen
class Terms:
    """The rarer terms of a job: what its command reads, how its exit is read, who is told of it."""

    stdin: str | None = None  # text on its standard input; None: nothing to read
    ok_exit: tuple[int, ...] = (0,)
    skip_exit: tuple[int, ...] = ()  # there was nothing to do: the job ends as skipped
    no_retry_exit: tuple[int, ...] = (126, 127)  # cannot be run, not found (POSIX sh, 2.8.2)
    discards_output: bool = False
    leftovers: Leftovers = Leftovers.KILL
    is_catchup: bool = False  # its tick was due while no scheduler ran
    ping: str | None = None  # URL told of start and end (the protocol of healthchecks)
    isolate: bool = False  # its call runs in a fork of its own


COMMON_TERMS = Terms()


@frozen
class NewJob:
    """A job asked for.

    `task` is `pkg.mod:func`, a shell line, or the words of `args` joined for reading. For a
    command `args` is its argv; for a shell line it is empty. `args` and `kwargs` hold JSON values.
    `run_at` None means now.
    """

    kind: Kind
    task: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    queue: str = DEFAULT_QUEUE
    priority: int = 0  # higher runs first
    run_at: datetime | None = None
    expires_at: datetime | None = None
    retries: int = 0
    backoff_s: float = 10.0  # before the first retry, doubled each time
    max_backoff_s: float = 600.0
    timeout_s: float | None = None
    key: str | None = None  # at most one live job has it
    tags: tuple[str, ...] = ()
    name: str | None = None
    on_crash: OnCrash = OnCrash.RETRY
    surroundings: Surroundings | None = None  # None: those of the worker
    deadline_s: float | None = None  # from being due to the end of the last attempt, waits included
    entry: str | None = None  # of the cron table
    scheduled_for: datetime | None = None  # the nominal instant of its tick
    terms: Terms = COMMON_TERMS


@frozen
class Added:
    """What became of a `NewJob`: `is_new` is False when a live job already had its key."""

    id: int
    state: State
    run_at: datetime
    is_new: bool


@frozen
class ErrorInfo:
    type: str
    message: str
    traceback: str | None = None


@frozen
class Output:
    """What a job printed: the head and the tail that are kept, and how much there was (bytes)."""

    head: bytes = b""
    tail: bytes = b""
    size: int = 0

    @property
    def cut(self) -> int:
        """Bytes between head and tail that were not kept."""
        return self.size - len(self.head) - len(self.tail)


NO_OUTPUT = Output()


@frozen
class Ending:
    """How one attempt ended, as its worker or supervisor saw it."""

    outcome: Outcome
    began_at: datetime | None = None  # None: when its job was claimed, as far as anybody knows
    took_s: float | None = None
    cpu_s: float | None = None
    peak_rss: int | None = None  # bytes
    result: str | None = None  # JSON text
    exit_code: int | None = None
    output: Output = NO_OUTPUT
    cause: str | None = None  # one line for people: "exit 3", "killed by SIGSEGV", "out of memory"
    error: ErrorInfo | None = None
    signal: int | None = None
    note: str | None = None  # "result of type set is not JSON", "left 2 processes"
    retry_in_s: float | None = None  # the task asked for this wait
    is_permanent: bool = False  # trying again is useless
    is_skip: bool = False  # it said itself that there was nothing to do
    has_begun: bool = True  # else it was taken back before that, does not count, and leaves no trace


@frozen
class Job:
    """A stored job. `token` names its running attempt, and is None between attempts."""

    id: int
    kind: Kind
    task: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    queue: str
    priority: int
    state: State
    reason: str | None
    key: str | None
    tags: tuple[str, ...]
    name: str | None
    entry: str | None
    scheduled_for: datetime | None
    run_at: datetime
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None
    cancel_at: datetime | None  # somebody asked for its end while it ran
    attempt: int  # number of the running or last attempt; only grows
    failures: int  # counts against retries
    crashes: int  # deaths of its worker in a row
    retries: int
    backoff_s: float
    max_backoff_s: float
    timeout_s: float | None
    on_crash: OnCrash
    token: str | None
    worker: str | None
    exit_code: int | None
    signal: int | None
    result: str | None  # JSON text
    note: str | None
    error: ErrorInfo | None
    cwd: str | None
    umask: int | None
    environment: str | None  # hash; None: that of the worker
    deadline_at: datetime | None = None  # no attempt begins or goes on after this instant
    terms: Terms = COMMON_TERMS

    @property
    def max_attempts(self) -> int:
        """The attempts this job may have in all, were every further one to fail."""
        spent = self.state in LIVE - {State.RUNNING} or self.state in TROUBLED
        return max(self.attempt + self.retries - self.failures + (1 if spent else 0), self.attempt, 1)


@frozen
class Attempt:
    """One ended attempt. The live attempt of a running job is part of its `Job`."""

    job_id: int
    number: int
    token: str
    worker: str
    pid: int | None
    started_at: datetime
    finished_at: datetime
    ending: Ending


@frozen
class Edit:
    """What a person changed about a job that waited."""

    at: datetime
    by: str
    changes: str


@frozen
class WorkerRow:
    """One incarnation of a worker; `name` is also the name of its lock file."""

    name: str
    number: int  # its place in the group, from 1
    pid: int
    group_pid: int  # the supervisor
    queues: tuple[str, ...]  # empty: all
    started_at: datetime
    stopping_at: datetime | None


@frozen
class JobFilter:
    """Which jobs are meant; every part that is given must hold."""

    ids: tuple[int, ...] | None = None
    states: frozenset[State] = frozenset()  # empty: any
    queue: str | None = None
    task: str | None = None  # a glob over the task, as in SQLite's GLOB
    name: str | None = None
    tag: str | None = None
    since: datetime | None = None  # ended, or if it lives added, at or after this instant
    before: datetime | None = None  # the same, before this instant
