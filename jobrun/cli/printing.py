"""Passing on what a job prints, to a terminal or a pipe."""

from __future__ import annotations

import codecs
import sys

from jobrun.cli import render, tables
from jobrun.cli.safe import safe_line, safe_text
from jobrun.model import Job, State

_HAPPENED = {
    State.SUCCEEDED: "succeeded",
    State.FAILED: "failed",
    State.CRASHED: "crashed",
    State.CANCELLED: "was cancelled",
    State.EXPIRED: "expired",
    State.SKIPPED: "was skipped",
}


class Printer:
    """Writes chunks of output to stdout: escaped, or the bytes as they are."""

    def __init__(self, *, raw: bool) -> None:
        """Begin to print; a terminal that gets raw bytes is warned."""
        self._raw = raw
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._last = b"\n"
        if raw and sys.stdout.isatty():
            render.remark("warning: raw output can do to this terminal whatever the job wrote")

    def __call__(self, data: bytes) -> None:
        """Print a chunk at once; it may end in the middle of a character."""
        if not data:
            return
        if self._raw:
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
        else:
            sys.stdout.write(safe_text(self._decoder.decode(data)))
        sys.stdout.flush()
        self._last = data[-1:]

    def end_line(self) -> None:
        """On a terminal, let what follows begin on a line of its own."""
        if self._last != b"\n" and sys.stdout.isatty():
            sys.stdout.write("\n")


def tell_change(job: Job) -> None:
    """Remark on a job whose state changed while somebody followed it."""
    if job.state is State.RUNNING:
        return
    why, what = tables.why(job), _HAPPENED.get(job.state, f"is {job.state}")
    render.remark(f"[job {job.id} {what}{f': {safe_line(why)}' if why else ''}]")
