"""The messages between supervisor, dispatcher and workers.

    dispatcher -> worker       Greeting  Run  Settled  Stop  Answer  Leave
    worker     -> dispatcher   Hello  Ended  Ask
    supervisor -> dispatcher   Hired  Gone  Shutdown
    dispatcher -> supervisor   Opened  Noted  Nudge  Kill  Drained
    supervisor -> scheduler    Reload  Shutdown
    scheduler  -> supervisor   Opened

Received is not committed: a worker keeps each `Ended` until it gets `Settled`, which is sent after
COMMIT; the supervisor repeats `Gone` until it gets `Noted`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from jobrun.model import (
    COMMON_TERMS,
    Added,
    Ending,
    ErrorInfo,
    Kind,
    Leftovers,
    NewJob,
    OnCrash,
    Outcome,
    Output,
    State,
    Surroundings,
    Terms,
)
from jobrun.units import from_ms, to_ms


class Why(StrEnum):
    """Why a running job is to end."""

    TIMEOUT = "timeout"  # of the attempt
    DEADLINE = "deadline"  # of the job: no attempt may follow
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """A new dispatcher is here; its generation tells its greeting from an older one's."""

    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    token: str
    job_id: int
    attempt: int
    max_attempts: int
    kind: Kind
    task: str
    args: list[Any]
    kwargs: dict[str, Any]
    queue: str
    name: str | None
    grace_s: float  # between TERM and KILL
    cwd: str | None = None
    umask: int | None = None
    environment: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)  # of its cron entry
    terms: Terms = COMMON_TERMS


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """End this attempt; sent while it runs, followed by a nudge when it is a call."""

    token: str
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """To `Ask`: what became of the jobs, or why not."""

    number: int
    added: list[Added] = field(default_factory=list)
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """End, when free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """The answer to `Greeting`, once free: the ended attempts not yet seen settled."""

    generation: int
    unsettled: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    token: str
    ending: Ending
    pid: int | None = None  # of the command; None for calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """User code in the worker wants jobs to be added."""

    number: int
    jobs: list[NewJob]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hired:
    """A worker was forked; its end of the socket pair comes with this message."""

    name: str
    number: int
    pid: int
    started_at: int  # ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """A worker was reaped, and what it left behind is gone too."""

    name: str
    status: int  # as of wait(2)
    last_token: str | None  # of the attempt it began last
    cpu_s: float  # of its last attempt
    peak_rss: int  # bytes
    out_of_memory: bool | None  # None: the kernel does not tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Shutdown:
    """Claim nothing more, drain; in a hurry: do not wait for running jobs."""

    hurry: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """Read the table again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The store is open: the dispatcher takes workers, the scheduler has read its table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Nudge:
    """Make this worker read its socket now."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """Kill this worker with all that it started."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """All is settled, and nothing runs: the group may end."""


Message = (
    Greeting | Run | Settled | Stop | Answer | Leave | Hello | Ended | Ask
    | Hired | Gone | Shutdown | Reload | Opened | Noted | Nudge | Kill | Drained
)  # fmt: skip

_CLASSES: dict[str, type[Any]] = {kind.__name__: kind for kind in Message.__args__}


def pack(message: Message) -> bytes:
    """Return a message as JSON bytes."""
    return json.dumps(
        [type(message).__name__, _fields(message)], default=_plain, separators=(",", ":")
    ).encode()


def unpack(packet: bytes) -> Message:
    """Return the message that `pack` made these bytes from."""
    name, fields = json.loads(packet)
    for key, revive in _REVIVED.items():
        if key in fields:
            fields[key] = revive(fields[key])
    message: Message = _CLASSES[name](**fields)
    return message


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, datetime):
        return to_ms(value)
    if isinstance(value, Mapping):
        return dict(value)
    if value is COMMON_TERMS:
        return None  # most jobs have them
    return _fields(value)


def _ending(fields: dict[str, Any]) -> Ending:
    output, error = fields.pop("output"), fields.pop("error")
    return Ending(
        **{**fields, "outcome": Outcome(fields["outcome"])},
        error=None if error is None else ErrorInfo(**error),
        output=Output(head=_bytes(output["head"]), tail=_bytes(output["tail"]), size=output["size"]),
    )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _new_job(fields: dict[str, Any]) -> NewJob:
    around = fields["surroundings"]
    instants = {name: fields[name] for name in ("run_at", "expires_at", "scheduled_for")}
    changed = {
        "kind": Kind(fields["kind"]),
        "args": tuple(fields["args"]),
        "tags": tuple(fields["tags"]),
        "on_crash": OnCrash(fields["on_crash"]),
        "surroundings": None if around is None else Surroundings(**around),
        "terms": _terms(fields["terms"]),
        **{name: None if ms is None else from_ms(ms) for name, ms in instants.items()},
    }
    return NewJob(**{**fields, **changed})


def _terms(fields: dict[str, Any] | None) -> Terms:
    if fields is None:
        return COMMON_TERMS
    codes = {name: tuple(fields[name]) for name in ("ok_exit", "skip_exit", "no_retry_exit")}
    return Terms(**{**fields, **codes, "leftovers": Leftovers(fields["leftovers"])})


def _added(fields: dict[str, Any]) -> Added:
    return Added(**{**fields, "state": State(fields["state"]), "run_at": from_ms(fields["run_at"])})


_REVIVED: dict[str, Callable[[Any], Any]] = {
    "ending": _ending,
    "jobs": lambda jobs: [_new_job(job) for job in jobs],
    "added": lambda added: [_added(one) for one in added],
    "kind": Kind,
    "terms": _terms,
    "why": Why,
}
