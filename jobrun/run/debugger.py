"""pdb for a call of a user: at what it raised, or at its first line, with none of our frames in sight."""

from __future__ import annotations

import inspect
import pdb  # noqa: T100 -- it is what is asked for
import sys
from collections.abc import Callable
from types import CodeType, FrameType, TracebackType
from typing import Any

from jobrun.run.frames import is_ours

_NOT_OF_USERS = (
    "jobrun.*",
    "asyncio.*",
    "contextlib",
    "json.*",
    "selectors",
)  # that run before and after a call
_SUSPENDS = inspect.CO_COROUTINE | inspect.CO_GENERATOR


def look_at(error: BaseException) -> bool:
    """Let a person look at where an error was raised; False if that was not in code of theirs."""
    frames = _of_users(error.__traceback__)
    if frames is None:
        return False
    debugger = pdb.Pdb()
    debugger.reset()
    debugger.interaction(None, frames)
    return True


def stop_at(function: Callable[..., Any]) -> bool:
    """Let the next call of a function stop at its first line; False for one that is not written in Python."""
    inner: Any = inspect.unwrap(function)
    code = getattr(inner, "__code__", None) or getattr(
        getattr(type(inner), "__call__", None),  # noqa: B004 -- not whether it has one, but which
        "__code__",
        None,
    )
    if not isinstance(code, CodeType):
        return False
    sys.settrace(_Until(code).reached)
    return True


class _Until:
    """Waits for one function to be called, and has a debugger take over there."""

    def __init__(self, code: CodeType) -> None:
        self._code = code

    def reached(self, frame: FrameType, event: str, _argument: object) -> Any:
        if event != "call" or frame.f_code is not self._code:
            return None
        return _Stepper(frame).trace_dispatch


class _Stepper(pdb.Pdb):
    """A debugger that begins in one frame, and is gone once that is left."""

    def __init__(self, first: FrameType) -> None:
        super().__init__(skip=_NOT_OF_USERS)
        self._first = first
        self.reset()
        self.botframe = first  # what is above is ours
        self.set_step()
        first.f_trace = self.trace_dispatch
        sys.settrace(self.trace_dispatch)

    def dispatch_return(self, frame: FrameType, arg: Any) -> Any:
        followed = super().dispatch_return(frame, arg)
        if frame is self._first and not frame.f_code.co_flags & _SUSPENDS:
            sys.settrace(None)
            return None
        return followed


def _of_users(found: TracebackType | None) -> TracebackType | None:
    """Return a traceback without our frames, and without those that import a module."""
    kept = None
    entries = []
    while found is not None:
        entries.append(found)
        found = found.tb_next
    for each in reversed(entries):
        name = each.tb_frame.f_code.co_filename
        if not (is_ours(name) or name.startswith("<frozen importlib")):
            kept = TracebackType(kept, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return kept
