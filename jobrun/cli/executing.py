"""`jobrun exec`: run a command now, say nothing when it goes well, and exit as it did.

What chronic(1), flock(1) and timeout(1) do together, with a record of it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from jobrun.cli.answers import remark
from jobrun.cli.caller import here
from jobrun.cli.caretaking import free_key, look_after
from jobrun.cli.execwords import IfBusy, Request, parse
from jobrun.cli.passing import Shower, write
from jobrun.cli.safe import safe_line
from jobrun.errors import UNCHANGED, Busy, JobrunError, WaitRanOut
from jobrun.model import Added, Outcome, Output, State
from jobrun.paths import default_path
from jobrun.run.output import kept
from jobrun.solo.runner import Ran, is_over
from jobrun.solo.runner import run as run_here
from jobrun.steps import utc_now
from jobrun.store import Store, check_for_workers, open_store
from jobrun.trouble import around_us

OWN_ERROR = 125  # as timeout(1) and env(1): it is not the command's
SIGNALLED = 128


def run(words: Sequence[str], db: Path | None) -> int:
    """Answer the words after `exec`, and return the exit code. Raises `JobrunError`."""
    before = words[: words.index("--")] if "--" in words else words
    if "--help" in before or "-h" in before:
        from jobrun.cli import execwords, helppage  # noqa: PLC0415 -- only here

        sys.stdout.write(
            helppage.page(execwords.USAGE, execwords.OPTIONS, execwords.GROUPS, execwords.EXAMPLES)
        )
        return 0
    try:
        return _run(words, db)
    except OSError as error:
        fault = around_us(error)
        if fault is None:
            raise
        raise _not_run(fault) from error
    except JobrunError as error:
        raise _not_run(error) from error.__cause__


def _run(words: Sequence[str], db: Path | None) -> int:
    request = parse(words, here())
    path = (db or default_path(os.environ, is_root=os.geteuid() == 0)).absolute()
    with open_store(path, create=True) as store:
        if store.created and sys.stderr.isatty():  # a line of a crontab is to be silent
            remark(safe_line(f"new job file at {store.path}"))
        store.check_is_writable()
        check_for_workers(path)
        ran = _ran(store, request)
        if not isinstance(ran, Ran):
            return ran
        code = _tell(ran, is_shown=request.show)
        try:
            look_after(store)
        except Exception as error:  # noqa: BLE001 -- the command has run, and its code is what counts
            told = f"{type(error).__name__}: {error}"
            remark(safe_line(f"job {ran.job.id} is over, but the job file was not looked after: {told}"))
    return code


def _ran(store: Store, request: Request) -> Ran | int:
    """Run the job, once nobody who is dead has its key; return the exit code if somebody who lives has it."""
    show = Shower() if request.show else None
    ran = run_here(store, request.job, show=show)
    if isinstance(ran, Added) and free_key(store, ran.id):
        ran = run_here(store, request.job, show=show)
    return _busy(store, request, ran.id) if isinstance(ran, Added) else ran


def _busy(store: Store, request: Request, holder: int) -> int:
    told = f"job {holder} has the key `{request.job.key}`"
    skipped = store.intake.skip(request.job, told, now=utc_now())
    if request.if_busy is IfBusy.SKIP:
        return 0
    remark(safe_line(f"{told}; job {skipped} was skipped"))
    return Busy.exit_code


def _tell(ran: Ran, *, is_shown: bool) -> int:
    """Show what failed, and return the exit code."""
    if not is_over(ran):
        with contextlib.suppress(OSError):  # the door tells of it
            if not is_shown:
                write(kept(ran.ending.output))
            _end_line(ran.ending.output)
        remark(safe_line(_in_one_line(ran)))
    if ran.fault is not None:
        remark(
            safe_line(f"job {ran.job.id} is over, and this could not be written down: {ran.fault.message}")
        )
    return _exit_code(ran)


def _in_one_line(ran: Ran) -> str:
    job, happened = ran.job, "was cancelled" if ran.becomes.state is State.CANCELLED else "failed"
    cause = ran.ending.cause if happened == "failed" else None
    told = f"job {job.id} {happened}{f': {cause}' if cause else ''}"
    return f"{told} (attempt {job.attempt} of {job.max_attempts})" if job.retries else told


def _exit_code(ran: Ran) -> int:
    ending = ran.ending
    if ran.signal is not None and not is_over(ran):
        return SIGNALLED + ran.signal
    if is_over(ran):
        return 0
    if ending.outcome is Outcome.TIMEOUT:
        return WaitRanOut.exit_code
    if ran.becomes.state is State.CANCELLED:
        return SIGNALLED + (ending.signal or signal.SIGTERM)
    return SIGNALLED + ending.signal if ending.signal else ending.exit_code or 1


def _end_line(output: Output) -> None:
    """Let our line begin on a line of its own, where both go to one place."""
    last = (output.head + output.tail)[-1:]
    if last not in {b"", b"\n"} and os.path.samestat(os.fstat(1), os.fstat(2)):
        write(b"\n")


def _not_run(error: JobrunError) -> JobrunError:
    error.message = f"{error.message.removesuffix(UNCHANGED)}: the command was NOT run"
    error.exit_code = OWN_ERROR
    return error
