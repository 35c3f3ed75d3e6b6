"""One kind of hostile input: how it is drawn, what it is given to, and the law that all of it is under."""

from __future__ import annotations

import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

from tests.chaos.fuzzing.spoil import shrunk

LONGEST_S = 1.0  # CPU time for one command or parser
_SHRUNK_S = 20.0  # for the search of the least input
_HANGS_S = 10.0  # CPU time after which we stop waiting
_MOST_SHOWN = 400


@dataclass(frozen=True, slots=True)
class Kind:
    """`meet` returns what did not hold; an exception that it lets through is a fault, too."""

    name: str
    draw: Callable[[Random], Any]
    meet: Callable[[Any], str | None]
    slice_s: float = 0.2  # in each round through all kinds
    counts_as: int = 1  # inputs
    runs: int = 1  # commands, or parsers, that one of them is given to


class HangError(BaseException):
    """No answer."""


@contextmanager
def watched() -> Iterator[None]:
    """Let what never ends raise `HangError`; it counts CPU time, so that a busy host is no fault."""

    def give_up(_number: int, _frame: FrameType | None) -> None:
        raise HangError

    before = signal.signal(signal.SIGPROF, give_up)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def fault_of(kind: Kind, value: Any) -> str | None:
    """Give one input to what it is for, and say which law was broken."""
    begun = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, _HANGS_S)
    try:
        said = kind.meet(value)
    except HangError:
        return f"hangs: no answer after {_HANGS_S:.0f} s of CPU time"
    except Exception as error:  # noqa: BLE001 -- each of them is what is looked for
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} in {Path(last.filename).name}:{last.lineno}: {error}"[:_MOST_SHOWN]
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    took = time.process_time() - begun
    if said is None and took > LONGEST_S * kind.runs:
        return f"took {took:.1f} s of CPU time"
    return said


def told(kind: Kind, value: Any, fault: str) -> str:
    """Return a fault with the least input that has it."""
    end = time.monotonic() + _SHRUNK_S

    def does_harm(shorter: Any) -> bool:
        return time.monotonic() < end and _is_alike(fault_of(kind, shorter), fault)

    least = shrunk(value, does_harm)
    return f"{fault}; least input: {least!r:.{_MOST_SHOWN}}"


def _is_alike(found: str | None, fault: str) -> bool:
    return found is not None and found[:12] == fault[:12]
