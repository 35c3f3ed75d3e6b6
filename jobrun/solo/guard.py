"""What guards a command that runs in the foreground: its limits, our signals, orders of other people."""

from __future__ import annotations

import contextlib
import select
import signal
import time
from collections.abc import Callable
from datetime import datetime

from jobrun.bell import Listener
from jobrun.model import Job
from jobrun.run.output import thin_out
from jobrun.signals import Signals
from jobrun.solo.post import Post
from jobrun.store import Store
from jobrun.wire.messages import Why

LOOK_S = 1.0  # between looks for a cancel when no bell rings
APART_S = 0.2  # between looks, however often it rings: others may enqueue all the time
BEAT_S = 5.0
GROWTH_S = 0.1  # between looks at what is printed, for somebody who watches it

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def listened_to() -> Signals:
    """Catch the signals that end us, but those that our caller ignores, as nohup(1) does."""
    return Signals([signum for signum in ENDING if signal.getsignal(signum) is not signal.SIG_IGN])


class Guard:
    """One for all attempts of a job. `show` is called often while one runs, and may pass on what it prints."""

    def __init__(
        self, store: Store, post: Post, bell: Listener, show: Callable[[int], object] | None
    ) -> None:
        self._store = store
        self._post = post
        self._bell = bell
        self._show = show
        self._signals = listened_to()
        self._token: str | None = None
        self._limit: tuple[float, Why] | None = None
        self._next_look = self._next_beat = 0.0
        self.signal: int | None = None  # by which we were told to end

    def begin(self, job: Job, *, now: datetime, monotonic: float) -> None:
        """Guard an attempt that begins now."""
        self._token = job.token
        self._next_look = monotonic + APART_S
        self._next_beat = monotonic + BEAT_S
        limits = []
        if job.timeout_s is not None:
            limits.append((monotonic + job.timeout_s, Why.TIMEOUT))
        if job.deadline_at is not None:
            limits.append((monotonic + (job.deadline_at - now).total_seconds(), Why.DEADLINE))
        self._limit = min(limits, default=None)

    def listen(self, poll: select.poll, timeout_s: float | None) -> Why | None:
        """Wait for the command and for all else; return why the command is to be stopped, if it is."""
        monotonic = time.monotonic()
        waits = [self._next_look + LOOK_S - monotonic if self._hears(poll, monotonic) else APART_S]
        waits += [] if timeout_s is None else [timeout_s]
        waits += [] if self._show is None else [GROWTH_S]
        waits += [] if self._limit is None else [self._limit[0] - monotonic]
        poll.register(self._signals.fileno(), select.POLLIN)
        poll.poll(max(min(waits), 0.0) * 1000)
        self.show()
        return self._why(time.monotonic())

    def show(self) -> None:
        """Pass on what was printed since."""
        if self._show is not None:
            self._show(self._post.output)

    def rest(self, timeout_s: float) -> None:
        """Sleep between two attempts, until something comes."""
        poll = select.poll()
        for end in (self._signals, self._bell):
            poll.register(end.fileno(), select.POLLIN)
        poll.poll(max(min(timeout_s, LOOK_S), 0.0) * 1000)
        self._bell.drain()
        self._take_signals()

    def _hears(self, poll: select.poll, monotonic: float) -> bool:
        """Let the bell wake us, if our last look is long enough ago."""
        if monotonic >= self._next_look:
            poll.register(self._bell.fileno(), select.POLLIN)
            return True
        with contextlib.suppress(KeyError):
            poll.unregister(self._bell.fileno())
        return False

    def _why(self, monotonic: float) -> Why | None:
        self._take_signals()
        if monotonic >= self._next_beat:
            self._next_beat = monotonic + BEAT_S
            self._post.beat()
            thin_out(self._post.log_path)
        if self.signal is not None or self._is_cancelled(monotonic):
            return Why.CANCELLED
        if self._limit is not None and monotonic >= self._limit[0]:
            return self._limit[1]
        return None

    def _is_cancelled(self, monotonic: float) -> bool:
        if monotonic < self._next_look or not (self._bell.drain() or monotonic >= self._next_look + LOOK_S):
            return False
        self._next_look = monotonic + APART_S
        return self._token in self._store.endings.to_cancel()

    def _take_signals(self) -> None:
        for signum in self._signals.take():
            self.signal = self.signal or signum
