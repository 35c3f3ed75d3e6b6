"""The messages between supervisor, dispatcher and workers.

    dispatcher -> worker       Greeting  Settled  Stop  Answer  Leave, and on a channel of its own  Run
    worker     -> dispatcher   Hello  Ended  Ask  Retiring
    supervisor -> dispatcher   Hired  Gone  Expect  Probe  Shutdown
    dispatcher -> supervisor   Opened  Noted  Nudge  Kill  Retired  Probe  Report  Drained
    supervisor -> scheduler    Reload  Probe  Shutdown
    scheduler  -> supervisor   Opened  Reloaded  Probe  Coming

Received is not committed: a worker keeps each `Ended` until it gets `Settled`, which is sent after
COMMIT; the supervisor repeats `Gone` until it gets `Noted`. A `Run` that no worker has read yet can be
taken back: the dispatcher has a copy of the end it lies in, and the kernel gives each packet to one reader.
"""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from typing import Any

from jobrun.frozen import frozen
from jobrun.model import COMMON_TERMS, Added, Ending, Kind, NewJob, Terms

UNASKED = 0  # no dispatcher's generation


class Why(StrEnum):
    """Why a running job is to end."""

    TIMEOUT = "timeout"  # of the attempt
    DEADLINE = "deadline"  # of the job: no attempt may follow
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


@frozen
class Greeting:
    """A dispatcher asks what a worker does: which dispatcher, and for which time."""

    generation: int
    number: int = 1


@frozen
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


@frozen
class Settled:
    tokens: list[str]
    is_shelved: bool = False  # kept beside the job file, which is lost; not written into it


@frozen
class Stop:
    """End this attempt; sent while it runs, followed by a nudge when it is a call."""

    token: str
    why: Why


@frozen
class Answer:
    """To `Ask`: what became of the jobs, or why not."""

    number: int
    added: list[Added] = field(default_factory=list)
    error: str | None = None


@frozen
class Leave:
    """End, when free."""


@frozen
class Hello:
    """The answer to `Greeting`: the ended attempts not yet seen settled, and the one that runs.

    Of generation `UNASKED` it only asks to be greeted.
    """

    generation: int
    unsettled: list[str]
    running: str | None = None
    number: int = 1  # of the greeting: what was said in answer to an earlier one may have changed since


@frozen
class Ended:
    token: str
    ending: Ending
    pid: int | None = None  # of the command; None for calls


@frozen
class Retiring:
    """This worker begins no job any more, and leaves once all its ends are settled."""

    reason: str


@frozen
class Ask:
    """User code in the worker wants jobs to be added."""

    number: int
    jobs: list[NewJob]


@frozen
class Hired:
    """A worker was forked.

    With this message come our end of its channel, and both ends of the channel for its orders: that
    into which they are put, and a copy of that out of which it takes them.
    """

    name: str
    number: int
    pid: int
    started_at: int  # ms


@frozen
class Gone:
    """A worker was reaped, and what it left behind is gone too."""

    name: str
    status: int  # as of wait(2)
    begun: list[str] | None  # tokens of the attempts it began, the last one last; None: nobody can tell
    cpu_s: float  # of its last attempt
    peak_rss: int  # bytes
    out_of_memory: bool | None  # None: the kernel does not tell


@frozen
class Expect:
    """So many workers are to be waited for before a burst may be over."""

    workers: int


@frozen
class Shutdown:
    """Claim nothing more, drain; in a hurry: do not wait for running jobs."""

    hurry: bool


@frozen
class Reload:
    """Read the table again."""


@frozen
class Reloaded:
    """It was read, and taken or not."""


@frozen
class Probe:
    """To be sent back by a loop that goes round."""

    number: int


@frozen
class Report:
    """How a group stands, for its status line."""

    workers: int  # that have answered
    running: int
    ready: int
    is_more: bool  # so many at least


@frozen
class Coming:
    """When the next tick is due, in ms; None: never."""

    at: int | None


@frozen
class Opened:
    """The store is open: the dispatcher takes workers, the scheduler has read its table."""


@frozen
class Noted:
    name: str


@frozen
class Nudge:
    """Make this worker read its socket now."""

    name: str


@frozen
class Kill:
    """Kill this worker with all that it started."""

    name: str


@frozen
class Retired:
    """This worker gets no job any more: its successor may come."""

    name: str
    reason: str


@frozen
class Drained:
    """All is settled, and nothing runs: the group may end."""


Message = (
    Greeting | Run | Settled | Stop | Answer | Leave | Hello | Ended | Ask | Retiring
    | Hired | Gone | Expect | Shutdown | Reload | Opened | Noted | Nudge | Kill | Retired | Drained
    | Reloaded | Probe | Report | Coming
)  # fmt: skip
