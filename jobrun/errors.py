"""What can go wrong, as a person should read it.

    Exception
     |-- JobrunError        one line, at most one hint, an exit code
     |    |-- NotDone         1   understood, but not done
     |    |-- UsageError      2   words, values or a table that make no sense
     |    |-- NoSuchJob       3
     |    |-- JobFileUnusable 4
 |    |    |-- NoRoom         the disk is full: wait, and try again
     |    |    `-- DiskFault      an I/O error: open the file anew, and try again
     |    |-- Refused         5   for safety
     |    |-- Busy           75   try again
     |    `-- WaitRanOut    124
     |-- Retry              raised by a task: try again, not before `in_s`
     `-- Permanent          raised by a task: do not try again
    BaseException
     `-- Stopped            raised in a task from outside, as asyncio.CancelledError is
          |-- TimeLimit
          |-- Cancelled
          `-- Interrupted

Exit codes follow sysexits(3) for 75 and timeout(1) for 124.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

UNCHANGED = "; nothing was changed"  # at the end of a message


class JobrunError(Exception):
    """An error that a person made or can mend; never shown with a traceback."""

    exit_code = 70

    def __init__(self, message: str, *, hint: str | None = None, details: Sequence[str] = ()) -> None:
        """Say what is wrong with which value, what to do next, and each fault where there are many."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = tuple(details)


class NotDone(JobrunError):
    exit_code = 1


class UsageError(JobrunError):
    exit_code = 2


class NoSuchJob(JobrunError):
    exit_code = 3

    def __init__(self, job_id: int) -> None:
        """Name the id that nobody has."""
        super().__init__(f"no job {job_id}", hint="`jobrun list` shows the jobs that are kept")


class JobFileUnusable(JobrunError):
    exit_code = 4


class NoRoom(JobFileUnusable):
    """The disk is full or the file-size limit is reached; nothing was changed."""


class DiskFault(JobFileUnusable):
    """The disk, or the kernel on its behalf, answered with an error; nothing was changed."""


class Refused(JobrunError):
    exit_code = 5


class Busy(JobrunError):
    exit_code = 75


class WaitRanOut(JobrunError):
    exit_code = 124


class Retry(Exception):
    """Raise it in a task to have the job tried again.

    Counts against the job's retries. `in_s` (seconds) replaces the back-off.
    """

    def __init__(self, message: str = "the task asked to be retried", *, in_s: float | None = None) -> None:
        """Say why, and after how many seconds; without `in_s` the job's back-off decides."""
        super().__init__(message)
        self.in_s = None if in_s is None else float(in_s)
        if self.in_s is not None and not 0 <= self.in_s <= 366 * 86400:
            raise ValueError(f"in_s must be between 0 and a year of seconds, not {in_s!r}")


class Permanent(Exception):
    """Raise it in a task when trying again is useless; the job fails at once."""


class Stopped(BaseException):
    """Raised inside a running task from outside.

    Not an `Exception`, so that `except Exception` in a task does not swallow it.
    """


class TimeLimit(Stopped):
    """The job's time limit is over; what is left is the grace before it is killed."""


class Cancelled(Stopped):
    """Somebody cancelled the job."""


class Interrupted(Stopped):
    """The worker shuts down; the job will be run again."""


def meant(word: str, known: Iterable[str], otherwise: str | None = None) -> str | None:
    """Return a hint that names the known word that is near, or else the other hint.

    >>> meant("qeue", ["queue", "tags"])
    'did you mean `queue`?'
    """
    from difflib import get_close_matches  # noqa: PLC0415 -- only mistakes pay for it

    near = get_close_matches(word[:64], list(known), n=1)
    return f"did you mean `{near[0]}`?" if near else otherwise
