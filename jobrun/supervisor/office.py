"""A child that a group has one of, the dispatcher or the scheduler: forked, talked to, replaced when it dies."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from jobrun import procs
from jobrun.supervisor.pauses import Pauses
from jobrun.wire.channel import Channel, pair
from jobrun.wire.messages import Message

LONGEST_PAUSE_S = 1.0  # no time limit holds without a dispatcher, and no tick is served without a scheduler

Fork = Callable[[Callable[[], int], Callable[[], None]], int]
Main = Callable[[Channel, int], int]  # control, generation -> exit code


class Office:
    """One such post, whoever holds it now."""

    def __init__(self, name: str, spool: Path, fork: Fork) -> None:
        """`fork(main, let_go)` starts a child that runs `main` after `let_go`."""
        self.name = name
        self.pid = 0  # of who holds it; 0: nobody
        self.generation = 0  # counts those who held it
        self.control: Channel | None = None
        self._spool = spool
        self._fork = fork
        self._pauses = Pauses(1, LONGEST_PAUSE_S)

    def fill(self, main: Main) -> None:
        """Fork somebody who runs `main`. Raises OSError when there is no room, to be tried again."""
        self._pauses.began(0)
        self.generation += 1
        ours, theirs = pair(self._spool)
        try:
            self.pid = self._fork(lambda: main(theirs, self.generation), ours.close)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self.control = ours

    def vacate(self) -> None:
        """Note that who held it was reaped."""
        if self.control is not None:
            self.control.close()
        self.control, self.pid = None, 0

    def pause(self) -> float:
        """Note an untimely end; return the seconds until somebody is to be forked again."""
        return self._pauses.ended(0)

    def quick_deaths(self) -> int:
        return self._pauses.deaths(0)

    def left_s(self) -> float:
        """Return for how long nobody is to be forked."""
        return self._pauses.left_s(0)

    def send(self, message: Message) -> None:
        if self.control is not None:
            with contextlib.suppress(OSError, EOFError):  # what matters is said again to the next one
                self.control.send(message)

    def flush(self) -> bool:
        """Send what had no room; True if nothing is left."""
        with contextlib.suppress(OSError, EOFError):
            return self.control is None or self.control.flush()
        return True

    def heard(self) -> Iterator[Message]:
        """Yield what was said; that nothing will come any more is noticed by reaping."""
        if self.control is None:
            return
        with contextlib.suppress(EOFError, OSError):
            while (message := self.control.receive()) is not None:
                yield message

    def hang_up(self) -> None:
        """Say that nothing more will come: who holds it ends."""
        if self.control is not None:
            self.control.hang_up()


def in_words(code: int) -> str:
    """Return how a process ended, by its exit code or minus its signal."""
    return f"exit {code}" if code >= 0 else procs.signal_name(-code)
