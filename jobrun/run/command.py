"""Run a shell line or an argv list as a session of its own, and end it as a whole tree."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from jobrun import locks, procs
from jobrun.locks.records import Recorder
from jobrun.model import Ending, ErrorInfo, Kind, Leftovers, Outcome
from jobrun.run.exits import judged
from jobrun.run.mark import variables
from jobrun.run.stops import stopped
from jobrun.run.surroundings import as_bytes, not_entered
from jobrun.run.tree import Listen, Tree, left_behind
from jobrun.wire.messages import Run, Why

CANNOT_RUN, NOT_FOUND = 126, 127  # as the shell has it (POSIX sh, 2.8.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a command finds what the worker provides."""

    job_file: Path
    attempt_lock: Path
    output: int  # descriptor
    boot: str  # the id of this boot
    oom_kills: int | None = None  # how many there had been, a moment before
    strangers: frozenset[int] = frozenset()  # children of this process that no job started


class Command:
    """One attempt of a command, watched by its worker."""

    def __init__(self, order: Run, place: Place) -> None:
        self._order = order
        self._place = place
        self._tree = Tree(place.attempt_lock.parent, place.strangers, grace_s=order.grace_s)

    def run(self, listen: Listen) -> tuple[Ending, int | None]:
        """Run to the end, and return how it ended and its pid.

        `listen(poll, timeout_s)` waits on the poll object, which also has the command in it, and
        says why the command is to be stopped if it was told so meanwhile.
        """
        lock = locks.take(self._place.attempt_lock)
        assert lock is not None, "a token names one attempt"
        try:
            process = self._spawn(lock)
        except (OSError, ValueError) as error:
            return _not_started(self._order, error), None
        else:
            # Without its start, which nobody asks for: to read that of a process just begun takes a third of a ms.
            Recorder(lock, pid=process.pid, ticks=0, boot=self._place.boot).note(self._order.token)
            return self._watch(process, listen), process.pid
        finally:
            os.close(lock)
            self._place.attempt_lock.unlink(missing_ok=True)

    def _spawn(self, lock: int) -> subprocess.Popen[bytes]:
        order = self._order
        output = subprocess.DEVNULL if order.terms.discards_output else self._place.output
        with _input(order.terms.stdin) as stdin:
            return subprocess.Popen(
                **_around(order, self._place.job_file),
                stdin=stdin,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=(lock,),
            )

    def _watch(self, process: subprocess.Popen[bytes], listen: Listen) -> Ending:
        self._tree.watch(process.pid, listen, partial(_ask_to_end, process.pid))
        _, status, usage = os.wait4(process.pid, 0)
        code = process.returncode = os.waitstatus_to_exitcode(status)
        note = self._end_leftovers()
        return replace(
            self._verdict(code),
            exit_code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            note=note,
            cpu_s=usage.ru_utime + usage.ru_stime,
            peak_rss=usage.ru_maxrss * 1024,
        )

    def _verdict(self, code: int) -> Ending:
        if self._tree.why is not None:
            return stopped(self._tree.why, how=_in_words(code))
        cause = _in_words(code) + killed_for_memory(-code, self._place.oom_kills)
        exited = Ending(outcome=Outcome.ERROR, exit_code=code if code >= 0 else None, cause=cause)
        return judged(exited, self._order.terms)

    def _end_leftovers(self) -> str | None:
        """End what is left of the tree, or keep it; return a note on what outlived its leader by itself."""
        if self._tree.why is None and self._order.terms.leftovers is Leftovers.KEEP:
            procs.reap()
            return left_behind(len(self._tree.below()), "kept")
        return left_behind(self._tree.end_rest())


def _ask_to_end(leader: int, _why: Why) -> None:
    with contextlib.suppress(OSError):  # it may have become another user
        os.killpg(leader, signal.SIGTERM)
        os.killpg(leader, signal.SIGCONT)  # a stopped process would not see TERM


def run_here(order: Run, job_file: Path, *, timeout_s: float | None, grace_s: float) -> Ending:
    """Run a command on the streams and in the process group of this process, with no lock and no record.

    ^C is for the command; this process must not heed it. What is left when the time is over is ended, too.
    """
    procs.adopt_orphans()
    with contextlib.ExitStack() as stack:
        stdin = None if order.terms.stdin is None else stack.enter_context(_input(order.terms.stdin))
        try:
            process = subprocess.Popen(**_around(order, job_file), stdin=stdin)
        except (OSError, ValueError) as error:
            return _not_started(order, error)
    code = _waited(process, timeout_s)
    if code is None:
        procs.send_below(procs.descendants(), signal.SIGTERM)
        if _waited(process, grace_s) is None:
            process.kill()
        code = process.wait()
        procs.end_descendants(grace_s)
        return stopped(Why.TIMEOUT, how=_in_words(code))
    cause = _in_words(code)
    ending = Ending(outcome=Outcome.ERROR, exit_code=code if code >= 0 else None, cause=cause)
    return judged(ending, order.terms)


def _waited(process: subprocess.Popen[bytes], timeout_s: float | None) -> int | None:
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return None


def _around(order: Run, job_file: Path) -> dict[str, Any]:
    """Return the words of a command, and where it runs."""
    argv = ["/bin/sh", "-c", order.task] if order.kind is Kind.SHELL else [str(word) for word in order.args]
    around = {**order.environment, **variables(order, job_file)}
    return {
        "args": [as_bytes(word) for word in argv],
        "cwd": None if order.cwd is None else as_bytes(order.cwd),
        "umask": -1 if order.umask is None else order.umask,
        "env": {as_bytes(name): as_bytes(value) for name, value in around.items()},
    }


def _not_started(order: Run, error: OSError | ValueError) -> Ending:
    """Say what the shell would: 127 for what is not there, 126 for what cannot be run."""
    what = order.args[0] if order.args else "/bin/sh"
    if order.cwd is not None and not Path(order.cwd).is_dir():
        return replace(not_entered(order.cwd, error), exit_code=CANNOT_RUN)
    if isinstance(error, FileNotFoundError):
        cause, code = f"command not found: `{what}`", NOT_FOUND
    else:
        cause, code = f"cannot run `{what}`: {getattr(error, 'strerror', error)}", CANNOT_RUN
    info = ErrorInfo(type=type(error).__name__, message=cause)
    return Ending(outcome=Outcome.ERROR, exit_code=code, cause=cause, error=info, is_permanent=True)


@contextlib.contextmanager
def _input(text: str | None) -> Iterator[int]:
    """Yield a descriptor to read a text from: a file without a name, for a pipe would have to be fed."""
    if text is None:
        yield subprocess.DEVNULL
        return
    with os.fdopen(os.memfd_create("stdin"), "w+b") as file:
        file.write(text.encode())
        file.seek(0)
        yield file.fileno()


def _in_words(code: int) -> str:
    if code >= 0:
        meaning = {CANNOT_RUN: " (cannot be run)", NOT_FOUND: " (command not found)"}.get(code, "")
        return f"exit {code}{meaning}"
    return f"killed by {procs.signal_name(-code)}"


def killed_for_memory(signum: int, oom_before: int | None) -> str:
    """Return what is known of a lack of memory behind a SIGKILL, as the end of a sentence."""
    if signum != signal.SIGKILL:
        return ""
    now = procs.oom_kills()
    if now is None or oom_before is None:
        return " (perhaps out of memory)"
    return " (out of memory)" if now > oom_before else ""
