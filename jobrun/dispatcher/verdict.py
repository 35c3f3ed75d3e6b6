"""What the death of a worker says about the job it ran."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

from jobrun import procs
from jobrun.model import Ending, Outcome, Output
from jobrun.run.stops import stopped
from jobrun.wire.messages import Gone, Why

TAKEN_BACK = Ending(outcome=Outcome.INTERRUPTED, has_begun=False)
NEVER_BEGAN = Ending(outcome=Outcome.INTERRUPTED, cause="its worker ended before it began")


def of_death(gone: Gone, why: Why | None, *, is_stopping: bool, output: Output) -> Ending:
    """Return the ending of the attempt that a dead worker ran; `why` if we had it killed."""
    code = os.waitstatus_to_exitcode(gone.status)
    cause = _in_words(code, out_of_memory=gone.out_of_memory)
    ending = Ending(outcome=Outcome.CRASHED, cause=cause)
    if why is not None:
        ending = stopped(why, how="killed after the grace")
    elif is_stopping:
        ending = replace(
            ending, outcome=Outcome.INTERRUPTED, cause=f"worker ended during the shutdown: {cause}"
        )
    return replace(
        ending,
        exit_code=code if code >= 0 else None,
        signal=-code if code < 0 else None,
        cpu_s=gone.cpu_s,
        peak_rss=gone.peak_rss,
        output=output,
    )


def of_lost(*, was_stopping: bool, output: Output) -> Ending:
    """Return the ending of an attempt whose whole group died; only its lock tells that it is over."""
    outcome = Outcome.INTERRUPTED if was_stopping else Outcome.CRASHED
    return Ending(outcome=outcome, cause="its worker died together with its supervisor", output=output)


def _in_words(code: int, *, out_of_memory: bool | None) -> str:
    if code >= 0:
        return f"worker ended without a result (exit {code})"
    name = procs.signal_name(-code)
    if -code != signal.SIGKILL:
        return f"worker killed by {name}"
    if out_of_memory is None:
        return f"worker killed by {name} (perhaps out of memory)"
    return f"worker killed by {name}{' (out of memory)' if out_of_memory else ''}"
