"""What a call in a fork asks of the dispatcher, and what it is answered, goes through its worker."""

from __future__ import annotations

import contextlib
import select
from dataclasses import replace

from jobrun.wire.channel import Channel, Unreadable
from jobrun.wire.messages import Ask, Message
from jobrun.worker.mailbox import Mailbox


class Relay:
    """Passes messages on between one fork and the mailbox of its worker, which reads nothing meanwhile for itself."""

    def __init__(self, mail: Mailbox, fork: Channel) -> None:
        self._mail = mail
        self._fork = fork
        self._asked: dict[int, int] = {}  # our number of a question -> that of the fork
        self._greeting = mail.greeting
        self._is_open = True

    def watch(self, poll: select.poll) -> None:
        """Have a poll object look at the fork's end, too, as long as something may come of it."""
        if self._is_open:
            poll.register(self._fork.fileno(), select.POLLIN)
        else:
            with contextlib.suppress(KeyError):
                poll.unregister(self._fork.fileno())

    def pass_on(self) -> None:
        """Pass on all that is there."""
        with contextlib.suppress(
            Unreadable, EOFError, OSError
        ):  # a task may write what it likes; it waits for its answer in vain
            while self._is_open and (message := self._heard()) is not None:
                if isinstance(message, Ask):
                    self._asked[self._mail.forward(message)] = message.number
        for answer in self._mail.take_answers(self._asked):
            self.tell(replace(answer, number=self._asked.pop(answer.number)))
        if self._mail.greeting is not self._greeting:
            self._greeting = self._mail.greeting
            if self._greeting is not None:
                self.tell(self._greeting)  # what it has asked may be lost with the old dispatcher
        with contextlib.suppress(EOFError, OSError):
            self._fork.flush()

    def tell(self, message: Message) -> None:
        """Tell the fork something; one that has closed its end hears nothing."""
        with contextlib.suppress(EOFError, OSError):
            self._fork.send(message)

    def _heard(self) -> Message | None:
        try:
            return self._fork.receive()
        except (EOFError, OSError):
            self._is_open = False
            return None
