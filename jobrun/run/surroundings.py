"""Where a call runs: the directory, umask and variables of its job, in a process that is not its own."""

from __future__ import annotations

import os
from pathlib import Path

from jobrun.model import Ending, ErrorInfo, Outcome
from jobrun.run.environ import Environ
from jobrun.run.mark import variables
from jobrun.wire.messages import Run


class Surroundings:
    """The variables of this process: those it was started with, and those of the job that runs."""

    def __init__(self, job_file: Path) -> None:
        self._job_file = job_file
        self._environ = os.environ
        self._variables = Environ()
        self._own = dict(self._variables.now)
        self._said: dict[str, str] = {}  # to the last job: they stay until the next one, which has most, too
        self._given: dict[bytes, bytes] = {}  # the same as the system has them

    def enter(self, order: Run) -> Ending | None:
        """Make the surroundings of a call those of this process; return how it ended if that cannot be."""
        self._say({**order.environment, **variables(order, self._job_file)})
        if order.umask is not None:
            os.umask(order.umask)
        if order.cwd is not None:
            try:
                os.chdir(as_bytes(order.cwd))
            except OSError as error:
                return not_entered(order.cwd, error)
        return None

    def leave(self) -> None:
        """Undo what the call did to its variables."""
        os.environ = self._environ  # noqa: B003 -- a call may have put something else there
        wanted = {**self._own, **self._given}
        if self._variables.now != wanted:
            self._variables.change_to(wanted)

    def _say(self, said: dict[str, str]) -> None:
        if said.keys() != self._said.keys():
            self._given = {as_bytes(name): as_bytes(value) for name, value in said.items()}
            self._variables.change_to({**self._own, **self._given})
        else:
            for name, value in said.items():
                if value != self._said[name]:
                    key = as_bytes(name)
                    self._given[key] = as_bytes(value)
                    self._variables.set(key, self._given[key])
        self._said = said


def not_entered(cwd: str, error: Exception) -> Ending:
    """Return the ending of a job whose directory is not there, or is closed to us."""
    cause = f"cannot enter directory `{cwd}`"
    info = ErrorInfo(type=type(error).__name__, message=cause)
    return Ending(outcome=Outcome.ERROR, cause=cause, error=info, is_permanent=True)


def as_bytes(text: str) -> bytes:
    """Return what the system is given for a text: the locale of the worker is not that of the caller."""
    return text.encode("utf-8", "surrogateescape")
