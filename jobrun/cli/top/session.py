"""The loop of the screen: it waits for a key, a signal, a bell and the time, and paints what is new."""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from jobrun.actions.watching import rest_s
from jobrun.bell import Listener, Tone, listening
from jobrun.cli.place import utc_now
from jobrun.cli.top import deeds, reading
from jobrun.cli.top.pager import Pager
from jobrun.cli.top.painting import Painter
from jobrun.cli.top.screen import Scene, screen
from jobrun.cli.top.sheets import sheets
from jobrun.cli.top.sight import Sight
from jobrun.cli.top.steering import Aim, Deed, Order, keys, pressed
from jobrun.cli.top.terminal import Terminal
from jobrun.errors import JobrunError
from jobrun.paths import side_dir
from jobrun.signals import Signals

SOON_S = 1.0  # after a picture the next one, at the earliest, when a bell has rung
LOG_S = 0.5  # between looks at what a job prints
SHARE = 0.01  # of a core that looking and painting may take together
SLOWEST_S = 10.0  # between pictures, whatever they cost
SIGNALLED = 128

_LEAVE = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_OTHERS = (signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT)


def watch(path: Path, interval_s: float) -> int:
    """Show the screen until somebody leaves it, and return the exit code; raises `JobrunError`."""
    terminal = Terminal()
    sight = Sight(path, utc_now())
    signals = Signals((*_LEAVE, *_OTHERS))
    with ExitStack() as stack:
        stack.callback(sight.close)
        bells = [stack.enter_context(listening(side_dir(path), tone)) for tone in (Tone.DONE, Tone.WORK)]
        stack.enter_context(terminal)
        return Session(sight, terminal, signals, bells).run(interval_s)


class Session:
    """One screen from its first picture to its last."""

    def __init__(self, sight: Sight, terminal: Terminal, signals: Signals, bells: list[Listener]) -> None:
        self._sight = sight
        self._terminal = terminal
        self._signals = signals
        self._bells = bells
        self._painter = Painter()
        self._aim = Aim()
        self._page: Pager | None = None
        self._log: reading.Following | None = None
        self._has_rung = False

    def run(self, interval_s: float) -> int:
        """Paint and wait until it ends."""
        self._take_picture()
        seen_s = time.monotonic()
        due_s = seen_s + interval_s
        while True:
            self._paint()
            soon_s = seen_s + min(SOON_S, interval_s)
            self._wait(min(due_s, soon_s) if self._has_rung else due_s)
            code = self._hear()
            if code is not None:
                return code
            if self._log is not None:
                self._log.look()
            now_s = time.monotonic()
            if self._page is None and now_s >= (min(due_s, soon_s) if self._has_rung else due_s):
                seen_s = now_s
                due_s = now_s + max(interval_s, self._refresh())

    def _refresh(self) -> float:
        """Look at the file and paint; return for how long to rest after that."""
        before_s = time.thread_time()
        for bell in self._bells:
            bell.drain()
        self._has_rung = False
        self._sight.refresh(utc_now())
        self._take_picture()
        self._paint()
        return min(rest_s(time.thread_time() - before_s, SHARE), SLOWEST_S)

    def _wait(self, until_s: float) -> None:
        """Sleep until something is to be done; who has rung once is not listened to before the next picture."""
        bells = [] if self._has_rung or self._page is not None else self._bells
        left_s = max(until_s - time.monotonic(), 0)
        if self._page is not None:
            left_s = LOG_S if self._log is not None else 3600.0
        fds = [bell.fileno() for bell in bells]
        ready, _, _ = select.select([0, self._signals.fileno(), *fds], [], [], left_s)
        self._has_rung |= not set(ready).isdisjoint(fds)
        self._has_keys = 0 in ready

    def _hear(self) -> int | None:
        """Obey signals and keys; return the exit code of who leaves."""
        for signum in self._signals.take():
            if signum in _LEAVE:
                return 0 if signum == signal.SIGINT else SIGNALLED + signum
            if signum == signal.SIGTSTP:
                self._terminal.leave()
                os.kill(os.getpid(), signal.SIGSTOP)
            if signum in {signal.SIGTSTP, signal.SIGCONT}:  # whoever stopped us
                self._terminal.enter()
                self._painter.forget()
        if not self._has_keys:
            return None
        data = self._terminal.read()
        if not data:
            return SIGNALLED + signal.SIGHUP
        for key in keys(data):
            if not self._press(key):
                return 0
        return None

    def _press(self, key: str) -> bool:
        """Do what a key asks for; False to leave."""
        if self._page is not None:
            if key in {"q", "escape", "left"}:
                self._close_page()
            else:
                self._page.pressed(key, self._terminal.size().lines - 2)
            return True
        self._aim, order = pressed(self._aim, key, self._sheets)
        if order is None:
            return True
        if order.deed is Deed.LEAVE:
            return False
        try:
            self._obey(order)
        except (JobrunError, OSError) as error:
            self._aim = replace(self._aim, remark=str(error))
        return True

    def _obey(self, order: Order) -> None:
        now = utc_now()
        if order.deed is Deed.HELP:
            self._page = reading.keys_page()
        elif order.deed is Deed.INSPECT:
            self._page = reading.about(self._sight.store(), order.job_id, now)
        elif order.deed is Deed.LOG:
            self._log = reading.Following(self._sight.store(), order.job_id)
            self._page = self._log.page
        else:
            self._aim = replace(self._aim, remark=deeds.do(self._sight.store(), order, now=now))
            self._look_again(now)

    def _close_page(self) -> None:
        if self._log is not None:
            self._log.close()
        self._page = self._log = None
        self._look_again(utc_now())

    def _look_again(self, now: datetime) -> None:
        self._sight.refresh(now, at_once=True)
        self._take_picture()

    def _take_picture(self) -> None:
        self._sheets = sheets(self._sight.picture, self._sight.coming)

    def _paint(self) -> None:
        """Show what has changed, if the terminal takes it."""
        if not self._terminal.takes_output():
            return
        size = self._terminal.size()
        if self._page is not None:
            lines = self._page.screen(size)
        else:
            sight = self._sight
            scene = Scene(
                path=str(sight.path),
                picture=sight.picture,
                sheets=self._sheets,
                aim=self._aim,
                trouble=sight.trouble,
            )
            lines = screen(scene, sight.picture.at, size)
        if told := self._painter.changes(lines, size.columns):
            self._terminal.write(told)
