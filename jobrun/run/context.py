"""What a running call may know of its job, and its way back to the dispatcher."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jobrun.frozen import frozen
from jobrun.model import Added, NewJob


@frozen
class Context:
    """The job that runs in this process. `pid` tells the worker from its forks."""

    id: int
    attempt: int
    max_attempts: int
    queue: str
    name: str | None
    token: str
    pid: int
    ask: Callable[[Sequence[NewJob]], list[Added]]


_current: Context | None = None


def current() -> Context | None:
    """Return the job that runs here, or None where none ever ran.

    A thread that a job has left finds that job until the next one begins: its `ask` refuses, where
    without it the thread would take itself for a program of its own, and open the job file.
    """
    return _current


def enter(context: Context | None) -> None:
    """Begin a job; with None, be no worker any more."""
    global _current  # noqa: PLW0603 -- one worker runs one job
    _current = context
