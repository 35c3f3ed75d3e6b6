"""How `enqueue` answers: both its ways, the straight one and the one for all words."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from jobrun.errors import NotDone


def remark(text: str) -> None:
    """Say on standard error what is not the answer; the text must be safe for a terminal."""
    sys.stderr.write(f"jobrun: {text}\n")


def remark_held(job_id: int) -> None:
    """Say that a live job has the key."""
    remark(f"already queued as job {job_id}; nothing was added")


def echo_held(job_id: int, state: str, shown: str) -> str:
    """Return the answer that names the live job with the key."""
    return f"job {job_id} {state}: {shown}"


def echo_due_now(job_id: int, shown: str, queue: object) -> str:
    """Return the answer for a new job that is due."""
    return f"job {job_id} queued: {shown} on {queue}, due now"


def answer_with(text: str, and_yet: str) -> None:
    """Print the answer; if nobody takes it, the error says what holds nevertheless."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise NotDone(f"cannot write output: {error.strerror}; {and_yet}") from None


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let ^C wait, so that either an id is printed and the job is there, or neither."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
