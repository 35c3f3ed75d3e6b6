"""Where a call runs: the directory, umask and variables of its job, in a process that is not its own."""

from __future__ import annotations

import os
from pathlib import Path

from jobrun.model import Ending, ErrorInfo, Outcome
from jobrun.run.mark import variables
from jobrun.wire.messages import Run


def enter(order: Run, job_file: Path) -> Ending | None:
    """Make the surroundings of a call those of this process; return how it ended if that cannot be.

    `tidy.put_back` undoes it.
    """
    around = {**order.environment, **variables(order, job_file)}
    os.environb.update({as_bytes(name): as_bytes(value) for name, value in around.items()})
    if order.umask is not None:
        os.umask(order.umask)
    if order.cwd is not None:
        try:
            os.chdir(as_bytes(order.cwd))
        except OSError as error:
            return not_entered(order.cwd, error)
    return None


def not_entered(cwd: str, error: Exception) -> Ending:
    """Return the ending of a job whose directory is not there, or is closed to us."""
    cause = f"cannot enter directory `{cwd}`"
    info = ErrorInfo(type=type(error).__name__, message=cause)
    return Ending(outcome=Outcome.ERROR, cause=cause, error=info, is_permanent=True)


def as_bytes(text: str) -> bytes:
    """Return what the system is given for a text: the locale of the worker is not that of the caller."""
    return text.encode("utf-8", "surrogateescape")
