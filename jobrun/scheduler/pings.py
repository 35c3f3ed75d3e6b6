"""Telling monitors what the outbox holds: beside the jobs, whose outcome it never changes and never delays.

    outbox --due--> messenger --posted--> deleted
      ^                 `------failed---> put off, 5 s, then 30 s; after 3 tries or 1 h dropped, and said so
      `-----------------------------------'

A ping that was under way when either process died is sent again: monitors take the same one twice.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from jobrun.bell import Listener, Tone
from jobrun.cron.monitor import host_of, ping_url
from jobrun.cron.words import Ping
from jobrun.errors import Busy, NoRoom
from jobrun.locks.roles import Role
from jobrun.log import Log
from jobrun.paths import side_dir
from jobrun.scheduler.courier import Courier, Result
from jobrun.store import Store

MOST_UNDER_WAY = 16
WAITS_S = (5.0, 30.0)  # before the second and the third try
OLDEST = timedelta(hours=1)  # what is older tells a monitor nothing that it would not know
LARGEST_BODY = 10_000  # bytes, where a server does not say what it keeps
PATIENCE_S = 2.0  # at the end


class Pings:
    """The sender of pings; of several schedulers of one job file, one sends for all."""

    def __init__(
        self,
        store: Store,
        log: Log,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to listen for what is put into the outbox."""
        side = side_dir(store.path)
        self._outbox = store.pings
        self._group = store.group
        self._log = log
        self._now = now
        self._role = Role(side / "messenger")
        self._bell = Listener(side, Tone.PING)
        self._courier = Courier(monotonic)
        self._sent: dict[int, Ping] = {}  # handed over, and not settled yet
        self._results: list[Result] = []  # to be settled
        self._limits: dict[str, int] = {}  # bytes of a body that a host said it keeps
        self._next_at: datetime | None = None

    def fds(self) -> list[int]:
        """Return what becomes readable when there is something to do."""
        return [self._bell.fileno(), *self._courier.fds()]

    def next_at(self) -> datetime | None:
        """Return when there is something to do though nothing becomes readable."""
        return self._next_at

    def tell_unrun(self, entry: str, url: str, text: str) -> None:
        """Put into the outbox that a tick of an entry did not run, and why."""
        self._outbox.add(ping_url(url, "log"), entry=entry, body=text.encode(), now=self._now())

    def step(self) -> None:
        """Do what can be done without waiting for anybody."""
        self._bell.drain()
        if not self._role.try_to_take():
            return
        self._results += self._courier.results()
        self._settle()
        now = self._now()
        self._hand_over(now)
        wait_s = self._courier.wait_s()
        look_at = None if wait_s is None else now + timedelta(seconds=wait_s)
        moments = (self._outbox.next_due(after=now), look_at)
        self._next_at = min((at for at in moments if at is not None), default=None)

    def close(self) -> None:
        """Wait a moment for what is under way; what is not settled then stays in the outbox."""
        self._results += self._courier.finish(PATIENCE_S)
        with contextlib.suppress(Busy, NoRoom):
            self._settle()
        self._courier.close()
        self._bell.close()
        self._role.give_up()

    def _settle(self) -> None:
        """Write down what became of pings, and forget it only then: the file may have no room just now."""
        if self._results:
            with self._group():
                for result in self._results:
                    self._write_down(self._sent[result.id], result)
            for result in self._results:
                self._learn(self._sent[result.id], result)
            self._results.clear()
        self._sent = {each: self._sent[each] for each in self._courier.under_way}

    def _write_down(self, ping: Ping, result: Result) -> None:
        if result.error is None or _was_last_try(ping):
            self._outbox.delete(ping.id)
        else:
            self._outbox.postpone(ping.id, until=self._now() + timedelta(seconds=WAITS_S[ping.tries]))

    def _learn(self, ping: Ping, result: Result) -> None:
        host = host_of(ping.url)
        if result.limit is not None:
            self._limits[host] = result.limit
        if result.error is not None and _was_last_try(ping):
            whose = ping.entry or f"job {ping.job_id}"
            self._log.say(
                "ping-failed", f"{whose}: {host} was not told, {ping.tries + 1} tries: {result.error}"
            )

    def _hand_over(self, now: datetime) -> None:
        """Give the messenger what is due, as much as may be under way at once."""
        room = MOST_UNDER_WAY - len(self._sent)
        if room == 0:
            return
        due = self._due(now)
        if any(now - ping.created_at > OLDEST for ping in due):
            count = self._outbox.forget_before(now - OLDEST)
            self._log.say("ping-failed", f"pings dropped that could not be sent within an hour: {count}")
            due = self._due(now)
        for ping in due[:room]:
            self._post(ping)

    def _due(self, now: datetime) -> list[Ping]:
        # What is under way is due as well, so that nothing of it is lost with us.
        horizon = now + timedelta(seconds=max(WAITS_S))
        due = self._outbox.due(now=now, horizon=horizon, limit=MOST_UNDER_WAY)
        return [ping for ping in due if ping.id not in self._sent]

    def _post(self, ping: Ping) -> None:
        limit = min(self._limits.get(host_of(ping.url), LARGEST_BODY), LARGEST_BODY)
        self._sent[ping.id] = ping
        try:
            self._courier.post(ping.id, ping.url, tail_of(ping.body, limit))
        except OSError as error:
            self._results.append(Result(id=ping.id, error=f"no messenger: {error.strerror}"))


def tail_of(body: bytes, limit: int) -> str:
    r"""Return the end of a text, at most `limit` bytes of it in UTF-8.

    >>> tail_of("für".encode(), 2), tail_of(b"\xff", 2), tail_of(b"all", 0)
    ('r', '', '')
    """
    clean = body.decode("utf-8", "replace").encode()
    return clean[max(len(clean) - limit, 0) :].decode("utf-8", "ignore")


def _was_last_try(ping: Ping) -> bool:
    return ping.tries >= len(WAITS_S)
