"""What comes from the dispatcher while a job runs, and what a job asks of it."""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import threading
import time
from collections import deque
from collections.abc import Container, Sequence
from dataclasses import replace

from jobrun.errors import JobrunError, NotDone
from jobrun.log import Log
from jobrun.model import Added, NewJob
from jobrun.wire.channel import Channel, Unreadable
from jobrun.wire.messages import Answer, Ask, Greeting, Message, Stop, Why

RETRY_S = 0.1  # while the socket is full because no dispatcher reads
ANSWER_S = 5.0  # for a new dispatcher to answer what was asked of the old one


class Mailbox:
    """The channel to the dispatcher as a running job needs it; only who holds `reading` reads it then."""

    def __init__(self, channel: Channel, log: Log) -> None:
        self._channel = channel
        self._log = log
        self._numbers = itertools.count(1)
        self._asker: str | None = None  # the attempt that may ask: the one whose function runs
        self.reading = threading.Lock()
        self.inbox: deque[Message] = deque()  # read, and not handled yet
        self.greeting: Greeting | None = None  # the last one that was taken while a job ran

    def take_in(self) -> None:
        """Read all that is there."""
        try:
            while (message := self._channel.receive()) is not None:
                self.inbox.append(message)
        except Unreadable as error:
            self._log.say("message-lost", str(error))
        except (EOFError, OSError):
            os._exit(1)  # orphaned: what runs here is ended by the next recovery

    def take_stop(self, token: str | None) -> Why | None:
        """Return why an attempt is to be stopped, if it is; stops of others are dropped."""
        for message in list(self.inbox):
            if isinstance(message, Stop):
                self.inbox.remove(message)
                if message.token == token:
                    return message.why
        return None

    def take_greeting(self) -> Greeting | None:
        """Return the greeting of a new dispatcher, the last one if several came."""
        found = None
        for message in list(self.inbox):
            if isinstance(message, Greeting):
                self.inbox.remove(message)
                found = message
        self.greeting = found or self.greeting
        return found

    def forward(self, ask: Ask) -> int:
        """Ask for somebody else, and return the number that the answer will have."""
        number = next(self._numbers)
        self._channel.send(replace(ask, number=number))
        return number

    def take_answers(self, numbers: Container[int]) -> list[Answer]:
        """Return the answers to these questions that have come."""
        found = [each for each in self.inbox if isinstance(each, Answer) and each.number in numbers]
        for answer in found:
            self.inbox.remove(answer)
        return found

    def begin_asking(self, token: str) -> None:
        """Let an attempt ask from now on."""
        self._asker = token

    def end_asking(self) -> None:
        """From now on only the main thread reads, whatever threads the call has left."""
        self._asker = None
        with self.reading:
            pass  # who asks now sees that within RETRY_S

    def ask(self, token: str, jobs: Sequence[NewJob]) -> list[Added]:
        """Have jobs added by the dispatcher: one writer, and no connection in this process.

        Raises `NotDone` in a thread whose call has ended.
        """
        with self.reading:
            answer = self._answer(token, jobs)
        if answer.error is not None:
            raise JobrunError(answer.error)
        return answer.added

    def _answer(self, token: str, jobs: Sequence[NewJob]) -> Answer:
        if self._asker != token:
            raise NotDone("a job that has ended cannot enqueue")
        number = next(self._numbers)
        self._channel.send(Ask(number=number, jobs=list(jobs)))
        poll = select.poll()
        poll.register(self._channel.fileno(), select.POLLIN)
        end: float | None = None
        while end is None or time.monotonic() < end:
            message = self._channel.receive()
            if isinstance(message, Answer) and message.number == number:
                return message
            if message is not None:
                self.inbox.append(message)
            elif self._asker != token:
                raise NotDone("the job ended meanwhile; look whether the jobs were added")
            else:
                self._channel.flush()
                poll.poll(RETRY_S * 1000)
            if isinstance(message, Greeting):
                # A new dispatcher: it answers if our question still lay in the socket, else nobody will.
                end = time.monotonic() + ANSWER_S
        raise JobrunError("the dispatcher was replaced meanwhile; look whether the jobs were added")

    def watch(self, poll: select.poll) -> None:
        """Have a poll object look at the channel, too."""
        with contextlib.suppress(OSError):
            poll.register(self._channel.fileno(), select.POLLIN)
