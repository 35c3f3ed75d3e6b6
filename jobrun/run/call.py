"""Run a Python function, and say exactly how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any

from jobrun.errors import Cancelled, Interrupted, Permanent, Retry, Stopped, TimeLimit
from jobrun.model import Ending, ErrorInfo, Outcome, Terms
from jobrun.run.exits import judged
from jobrun.run.frames import is_ours
from jobrun.run.stops import CAUSES, OUTCOMES, stopped
from jobrun.run.target import BadTarget, resolve
from jobrun.wire.messages import Run, Why

LARGEST_RESULT = 1024 * 1024  # bytes of JSON
_FRAMES = 100  # the innermost ones are kept
LARGEST_TEXT = 64 * 1024  # characters of a message or traceback that are kept

_STOPS: dict[Why, type[Stopped]] = {
    Why.TIMEOUT: TimeLimit,
    Why.DEADLINE: TimeLimit,
    Why.CANCELLED: Cancelled,
    Why.INTERRUPTED: Interrupted,
}


class Caller:
    """Runs calls one after the other in this process, coroutines in one event loop that stays."""

    def __init__(
        self,
        on_enter: Callable[[], None] = lambda: None,
        on_error: Callable[[BaseException], None] = lambda _error: None,
    ) -> None:
        """Prepare. `on_enter` runs once user code may be stopped: what came before that is seen then.

        `on_error` may look at what a call raised, before that becomes an ending.
        """
        self._on_enter = on_enter
        self._on_error = on_error
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._is_user_code = False
        self._why: Why | None = None

    def run(self, order: Run) -> Ending:
        """Import and call; every way in which user code can end becomes an `Ending`."""
        self._why = None
        pid, threads = os.getpid(), threading.active_count()
        try:
            # In a context of its own: what it sets in context variables, as that of decimal, ends with it.
            value, note = contextvars.Context().run(self._call, order)
        except BaseException as error:  # noqa: BLE001 -- SystemExit and KeyboardInterrupt of a task end the task alone
            self._is_user_code = False
            _end_fork(pid, error)
            self._on_error(as_raised(error))
            return self._told(error, order.terms)
        _end_fork(pid)
        left = threading.active_count() - threads
        if left > 0:
            note = "; ".join(filter(None, [note, f"left {left} threads running"]))
        return Ending(outcome=Outcome.OK, result=value, note=note)

    def stop(self, why: Why) -> None:
        """Raise in the running call; called from a signal handler of the main thread."""
        if self._why is not None or not self._is_user_code:
            return
        self._why = why
        if self._task is not None and self._loop is not None:
            # An exception thrown into the event loop itself would break it for the next job.
            self._loop.call_soon_threadsafe(self._task.cancel)
            return
        raise _STOPS[why](CAUSES[why])

    @property
    def is_user_code(self) -> bool:
        """Whether the main thread is in user code, so that an exception hits that alone."""
        return self._is_user_code

    def _call(self, order: Run) -> tuple[str | None, str | None]:
        """Call, and return the result as JSON and a note on it."""
        self._is_user_code = True
        try:
            self._on_enter()
            function = _found(order.task)
            value = function(*order.args, **order.kwargs)
            # asyncio.iscoroutine of Python 3.11 takes generators for coroutines, too
            if isinstance(value, Coroutine):
                value = self._await(value)
            return _as_json(value)  # a result's __repr__ is user code too
        finally:
            self._is_user_code = False

    def _await(self, coroutine: Any) -> Any:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(coroutine)
        try:
            return self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            if self._why is None:
                raise
            raise _STOPS[self._why](CAUSES[self._why]) from None
        finally:
            self._task = None
            self._end_tasks_left()

    def _end_tasks_left(self) -> None:
        assert self._loop is not None
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        if left:
            self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))

    def _told(self, error: BaseException, terms: Terms) -> Ending:
        """Say how a call failed, even if the error is made so that it cannot be described."""
        try:
            return self._failed(error, terms)
        except BaseException:  # noqa: BLE001 -- user code
            outcome = Outcome.ERROR if self._why is None else OUTCOMES[self._why]
            return Ending(outcome=outcome, cause="failed with an error that cannot be described")

    def _failed(self, error: BaseException, terms: Terms) -> Ending:
        if isinstance(error, SystemExit):
            exited = judged(_exited(error), terms)
            if self._why is None or exited.outcome is Outcome.OK:
                return exited  # else it left because it was told to stop
        info = describe(error)
        if self._why is not None:
            return stopped(self._why, error=info)
        return Ending(
            outcome=Outcome.ERROR,
            cause=f"{info.type}: {_first_line(info.message)}" if info.message else info.type,
            error=info,
            retry_in_s=_retry_in_s(error),
            is_permanent=_is_permanent(error),
        )


class _ImportFailed(Exception):
    """Importing the module of a task raised; trying again changes nothing."""


def describe(error: BaseException) -> ErrorInfo:
    """Return type, message and traceback as text, capped, whatever their `__str__` does."""
    error = as_raised(error)
    if isinstance(error, BadTarget):
        return ErrorInfo(type=error.type_name, message=str(error))
    return ErrorInfo(
        type=_type_name(error), message=_capped(_text(error)), traceback=_capped(_traceback(error))
    )


def as_raised(error: BaseException) -> BaseException:
    """Return what user code raised, without what we put around it."""
    return error.__cause__ if isinstance(error, _ImportFailed) and error.__cause__ is not None else error


def _found(task: str) -> Callable[..., Any]:
    try:
        return resolve(task)
    except (BadTarget, Stopped):
        raise
    except BaseException as error:
        raise _ImportFailed from error


def _retry_in_s(error: BaseException) -> float | None:
    if not isinstance(error, Retry):
        return None
    try:
        return Retry(in_s=getattr(error, "in_s", None)).in_s  # a subclass may not have called ours
    except Exception:  # noqa: BLE001 -- whatever it has put there
        return None


def _is_permanent(error: BaseException) -> bool:
    """Say whether trying again is useless: it said so, it cannot be found, or the arguments do not fit."""
    if isinstance(error, (Permanent, BadTarget, _ImportFailed)):
        return True
    return isinstance(error, TypeError) and _depth(error.__traceback__) <= 1


def _depth(frames: TracebackType | None) -> int:
    """Count the frames below `_call`; one that was not entered refused its arguments."""
    depth = 0
    while frames is not None:
        if frames.tb_frame.f_code.co_name == "_call" and frames.tb_frame.f_globals["__name__"] == __name__:
            depth = 0
        depth += 1
        frames = frames.tb_next
    return depth


def _exited(error: SystemExit) -> Ending:
    """Read sys.exit() as the interpreter does: None is 0, text is 1, numbers are cut to a byte."""
    if error.code is None:
        return Ending(outcome=Outcome.OK, exit_code=0)
    if isinstance(error.code, int):
        code = error.code & 0xFF
        if code == 0:
            return Ending(outcome=Outcome.OK, exit_code=0)
        return Ending(outcome=Outcome.ERROR, exit_code=code, cause=f"exit {code}")
    text = _capped(_text(error))
    info = ErrorInfo(type="SystemExit", message=text)
    return Ending(outcome=Outcome.ERROR, exit_code=1, cause=f"exit 1: {_first_line(text)}", error=info)


def _end_fork(pid: int, error: BaseException | None = None) -> None:
    """End a fork of the task that has come back out of it, as the interpreter would; only `pid` reports."""
    if os.getpid() == pid:
        return
    code = 1
    try:
        code = 0 if error is None else _printed(error)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    finally:
        os._exit(code)


def _printed(error: BaseException) -> int:
    """Print what the interpreter would print of an error that ends it, and return its exit code."""
    if not isinstance(error, SystemExit):
        sys.stderr.write(_traceback(error))
        return 1
    exited = _exited(error)
    if exited.error is not None:
        sys.stderr.write(f"{exited.error.message}\n")
    return exited.exit_code or 0


def _as_json(value: Any) -> tuple[str | None, str | None]:
    """Return a result as JSON text and None, or None and a note that says why it is not kept."""
    if value is None:
        return "null", None
    if hasattr(value, "__next__") or hasattr(value, "__anext__"):
        raise BadTarget("TypeError", f"the task returned a {type(value).__name__}, which would never run")
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    except Exception:  # noqa: BLE001 -- cycles, depth, NaN, or anything a subclass does
        return None, f"result of type `{type(value).__name__}` is not JSON: {_capped(_repr(value), 1024)}"
    if len(text) > LARGEST_RESULT:
        return None, f"result of {len(text):,} bytes is over the limit of {LARGEST_RESULT:,}, not kept"
    return text, None


def _type_name(error: BaseException) -> str:
    kind = type(error)
    # Where ours are defined tells nobody anything; people raise jobrun.Permanent.
    if kind.__module__.partition(".")[0] in {"builtins", "jobrun"}:
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def _traceback(error: BaseException) -> str:
    """Return the traceback without our own frames, which tell the reader nothing."""
    for chain in (True, False):
        with contextlib.suppress(Exception):  # a chain may be too deep, a __str__ may raise
            told = traceback.TracebackException.from_exception(error, limit=-_FRAMES)
            told.stack = traceback.StackSummary.from_list([f for f in told.stack if not is_ours(f.filename)])
            return "".join(told.format(chain=chain))
    return ""


def _text(value: object) -> str:
    try:
        return str(value)
    except BaseException as error:  # noqa: BLE001 -- user code, and none is to be stopped here any more
        return f"<__str__ raised {type(error).__name__}>"


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 -- user code
        return f"<__repr__ raised {type(error).__name__}>"


def _first_line(text: str) -> str:
    return text.strip().split("\n", 1)[0][:200]


def _capped(text: str, limit: int = LARGEST_TEXT) -> str:
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n... {len(text) - 2 * half:,} characters cut ...\n{text[-half:]}"
