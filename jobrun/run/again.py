"""A process that runs a job again in the foreground, for whoever looks for its fault.

`python -P -m jobrun.run.again FD JOB_FILE DEBUGGER TIMEOUT [DIR...]`: the order is read from a descriptor. It
is a process of its own because it runs user code, so it never had the store open; it writes nothing down.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

from jobrun.errors import NotDone
from jobrun.model import Added, Ending, Kind, NewJob, Outcome
from jobrun.run import context
from jobrun.run.call import Caller, describe
from jobrun.run.command import run_here
from jobrun.run.surroundings import Surroundings
from jobrun.run.target import resolve
from jobrun.signals import ignore
from jobrun.wire.messages import Run, Why
from jobrun.wire.packing import unpack

GRACE_S = 10.0


class Debugger(StrEnum):
    """When a debugger comes in."""

    NEVER = "never"
    ON_ERROR = "on-error"
    AT_START = "at-start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is asked of this process besides the order."""

    job_file: Path
    debugger: Debugger
    timeout_s: float | None
    import_paths: tuple[str, ...]


def argv(order: int, trial: Trial) -> list[str]:
    """Return the words that start this program; `order` is a descriptor that it inherits."""
    words = (
        str(order),
        os.fspath(trial.job_file),
        trial.debugger,
        str(trial.timeout_s or ""),
        *trial.import_paths,
    )
    return [sys.executable, "-P", "-m", __name__, *words]


def main() -> int:
    """Run the order; 0 if that goes well, else 1."""
    fd, job_file, debugger, timeout, *paths = sys.argv[1:]
    with open(int(fd), "rb") as file:
        order = unpack(file.read())
    assert isinstance(order, Run)
    trial = Trial(
        job_file=Path(job_file),
        debugger=Debugger(debugger),
        timeout_s=float(timeout) if timeout else None,
        import_paths=tuple(paths),
    )
    if order.kind is not Kind.CALL:
        return _told(_command(order, trial), order, is_shown=False)
    return _told(_call(order, trial), order, is_shown=trial.debugger is Debugger.ON_ERROR)


def _call(order: Run, trial: Trial) -> Ending:
    sys.path.extend(path for path in trial.import_paths if path not in sys.path)
    context.enter(_context(order))
    if (refused := Surroundings(trial.job_file).enter(order)) is not None:
        return refused
    caller = Caller(partial(_begin, order, trial), partial(_look, trial))
    signal.signal(signal.SIGALRM, lambda *_: caller.stop(Why.TIMEOUT))
    signal.setitimer(signal.ITIMER_REAL, trial.timeout_s or 0.0)
    ending = caller.run(order)
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    return ending


def _begin(order: Run, trial: Trial) -> None:
    if trial.debugger is not Debugger.AT_START:
        return
    from jobrun.run.debugger import stop_at  # noqa: PLC0415 -- pdb takes long to load

    if not stop_at(resolve(order.task)):
        raise NotDone(f"`{order.task}` is not written in Python, so it cannot be stopped at its first line")


def _look(trial: Trial, error: BaseException) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0.0)  # who looks takes their time
    sys.settrace(None)
    if trial.debugger is not Debugger.ON_ERROR or isinstance(error, SystemExit):
        return
    from jobrun.run.debugger import look_at  # noqa: PLC0415 -- pdb takes long to load

    _say(describe(error).traceback or f"{error}\n")
    if not look_at(error):
        _say("[the error was raised in no code of yours, so there is nothing to look at]\n")


def _command(order: Run, trial: Trial) -> Ending:
    ignore(signal.SIGINT)  # it reaches the command as well
    return run_here(order, trial.job_file, timeout_s=trial.timeout_s, grace_s=GRACE_S)


def _context(order: Run) -> context.Context:
    return context.Context(
        id=order.job_id,
        attempt=order.attempt,
        max_attempts=order.max_attempts,
        queue=order.queue,
        name=order.name,
        token=order.token,
        pid=os.getpid(),
        ask=_refuse,
    )


def _refuse(_jobs: Sequence[NewJob]) -> list[Added]:
    raise NotDone("a call that is run again by `jobrun debug` adds no jobs")


def _told(ending: Ending, order: Run, *, is_shown: bool) -> int:
    """Say how it ended, and return the exit code."""
    if ending.outcome is Outcome.OK:
        result = "" if ending.result in {None, "null"} else f"; it returned {ending.result}"
        _say(f"[job {order.job_id} went well here{result}]\n")
        return 0
    if ending.error is not None and ending.error.type == "bdb.BdbQuit":
        _say(f"[job {order.job_id} was left in the debugger]\n")
        return 1
    if ending.error is not None and ending.error.traceback and not is_shown:
        _say(ending.error.traceback)
    _say(f"[job {order.job_id} failed here: {ending.cause}]\n")
    return 1


def _say(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.write(text)
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
