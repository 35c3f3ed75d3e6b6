"""Calls in this process: what each may know and ask, and how it is stopped in the middle of user code."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence
from functools import partial
from types import FrameType

from jobrun.model import Added, Ending, NewJob
from jobrun.run import context
from jobrun.run.call import Caller
from jobrun.run.surroundings import Surroundings
from jobrun.signals import NUDGE
from jobrun.wire.messages import Run, Why
from jobrun.worker.mailbox import Mailbox


class Calling:
    """Runs calls, and looks at the mail when a signal says that something lies there."""

    def __init__(self, mail: Mailbox, attend: Callable[[], Why | None]) -> None:
        """`attend` looks at the mail, and says why the running call is to be stopped, if it is."""
        self._mail = mail
        self._attend = attend
        self._nudged = False
        self._caller = Caller(on_enter=self._look_for_stop)

    def heed_nudges(self) -> None:
        """Look at the mail from now on when this process gets a nudge."""
        signal.signal(NUDGE, self._on_nudge)

    def run(self, order: Run, surroundings: Surroundings) -> Ending:
        """Run a call where it wants to run; what it changed is left as it is."""
        context.enter(self._context(order))
        self._mail.begin_asking(order.token)
        ending = surroundings.enter(order) or self._caller.run(order)
        self._mail.end_asking()
        return ending

    def _on_nudge(self, _signum: int, _frame: FrameType | None) -> None:
        self._nudged = True
        if self._caller.is_user_code:
            self._look_for_stop()  # else it is looked for on entering

    def _look_for_stop(self) -> None:
        """Stop the running call if that was ordered; raises in it. Who reads an answer has us look later."""
        while self._nudged and self._mail.reading.acquire(blocking=False):
            try:
                self._nudged = False
                why = self._attend()
            finally:
                self._mail.reading.release()
            if why is not None:
                self._caller.stop(why)

    def _context(self, order: Run) -> context.Context:
        return context.Context(
            id=order.job_id,
            attempt=order.attempt,
            max_attempts=order.max_attempts,
            queue=order.queue,
            name=order.name,
            token=order.token,
            pid=os.getpid(),
            ask=partial(self._ask, order.token),
        )

    def _ask(self, token: str, jobs: Sequence[NewJob]) -> list[Added]:
        try:
            return self._mail.ask(token, jobs)
        finally:
            if self._nudged:
                signal.pthread_kill(threading.main_thread().ident or 0, NUDGE)
