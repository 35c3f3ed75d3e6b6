from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from jobrun.dispatcher import Desk
from jobrun.dispatcher.settings import Settings, World
from jobrun.log import Log
from jobrun.model import Ending, Job, Kind, NewJob, Outcome, State
from jobrun.paths import side_dir
from jobrun.store import Store, open_store
from jobrun.supervisor.crew import Ends
from jobrun.units import from_ms
from jobrun.wire.channel import Channel, pair
from jobrun.wire.messages import Ended, Gone, Greeting, Hello, Hired, Message, Run, Shutdown
from jobrun.wire.packing import pack

START = from_ms(1_800_000_000_000)


def heard(channel: Channel) -> list[Message]:
    """Return all messages that lie in a channel."""
    messages = []
    with contextlib.suppress(EOFError):
        while (message := channel.receive()) is not None:
            messages.append(message)
    return messages


@dataclass(slots=True)
class FakeWorker:
    """The other end of a worker's channel; it runs nothing and says what the test wants."""

    name: str
    channel: Channel
    taken: Channel  # the end out of which it takes its orders
    ends: Ends  # the supervisor's copies of what the dispatcher has

    def heard(self) -> list[Message]:
        return heard(self.channel)

    def orders(self) -> list[Run]:
        return [message for message in heard(self.taken) if isinstance(message, Run)]

    def read(self) -> Run:
        """Take the next order, as a worker does when it is free."""
        order = self.taken.receive()
        assert isinstance(order, Run)
        return order

    def peek(self) -> list[Run]:
        """Return the orders that nobody has taken yet; they stay where they are."""
        orders = self.orders()
        for order in orders:
            self.ends.orders.send(pack(order))
        return orders

    def say(self, message: Message) -> None:
        self.channel.send(message)

    def finish(self, order: Run, outcome: Outcome = Outcome.OK, **facts: Any) -> None:
        self.say(Ended(token=order.token, ending=Ending(outcome=outcome, **facts)))


@dataclass(slots=True)
class Scene:
    """A real store, a dispatcher that is stepped by hand, and fakes for all that is around it."""

    path: Path
    store: Store
    log: Path
    clock_s: float = 1000.0
    set_by_s: float = 0.0  # what was done to the wall clock
    workers: list[FakeWorker] = field(default_factory=list)
    tokens: Iterator[int] = field(default_factory=lambda: count(1))
    desk: Desk = field(init=False)
    boss: Channel = field(init=False)  # the supervisor's end
    _closers: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _desk_closers: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def open(self, *, generation: int = 1, **settings: Any) -> None:
        """Let a dispatcher begin, the first or one that replaces another that was killed."""
        self._desk_closers.close()
        self.boss, control = pair(side_dir(self.path) / "spool")
        fd = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        defaults = {
            "workers": 1,
            "queues": (),
            "burst": False,
            "drain_s": 30.0,
            "grace_s": 10.0,
            "group_pid": 77,
        }
        desk = Desk(
            Settings(path=self.path, generation=generation, **{**defaults, **settings}),
            self.store,
            control,
            World(
                now=self.now,
                monotonic=lambda: self.clock_s,
                boottime=lambda: self.clock_s,
                spread=lambda: 0.5,
                new_token=lambda: f"token{next(self.tokens)}",
            ),
            Log("dispatcher", fd),
        )
        self.desk = desk
        for close in (self.boss.close, control.close, lambda: os.close(fd), lambda: kill(desk)):
            self._desk_closers.callback(close)
        for worker in self.workers:
            self._introduce(worker)

    def hire(self, name: str = "w1", *, is_greeted: bool = True) -> FakeWorker:
        """Fork a worker, as it were; it has answered the greeting unless told otherwise."""
        end, own = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        puts, takes = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        spool = side_dir(self.path) / "spool"
        worker = FakeWorker(name, Channel(own, spool), Channel(takes, spool), Ends(end, puts, takes))
        for each in (worker.channel, worker.ends):
            self._closers.callback(each.close)
        self.workers.append(worker)
        self._introduce(worker)
        if is_greeted:
            self.greet(worker)
        return worker

    def greet(self, worker: FakeWorker, *unsettled: str) -> None:
        """Let a worker answer the greeting that it finds."""
        self.desk.step()
        [greeting] = [message for message in worker.heard() if isinstance(message, Greeting)]
        worker.say(Hello(generation=greeting.generation, number=greeting.number, unsettled=list(unsettled)))

    def bury(self, worker: FakeWorker, *, begun: Sequence[str] | None, status: int = 9) -> None:
        """Tell that a worker was reaped."""
        self.boss.send(
            Gone(
                name=worker.name,
                status=status,
                begun=None if begun is None else list(begun),
                cpu_s=1.5,
                peak_rss=4096,
                out_of_memory=False,
            )
        )

    def shut_down(self, *, hurry: bool = False) -> None:
        self.boss.send(Shutdown(hurry=hurry))

    def step(self, *, after_s: float = 0.0) -> None:
        self.clock_s += after_s
        self.desk.step()

    def told(self) -> list[Message]:
        """Return what the dispatcher told its supervisor since the last look."""
        return heard(self.boss)

    def now(self) -> datetime:
        return START + timedelta(seconds=self.clock_s - 1000 + self.set_by_s)

    def add(self, **options: Any) -> int:
        new = NewJob(**{"kind": Kind.CALL, "task": "app:work", **options})
        return self.store.intake.add([new], now=self.now())[0].id

    def job(self, job_id: int) -> Job:
        job = self.store.ledger.get(job_id)
        assert job is not None
        return job

    def state(self, job_id: int) -> State:
        return self.job(job_id).state

    def close(self) -> None:
        self._desk_closers.close()
        self._closers.close()

    def _introduce(self, worker: FakeWorker) -> None:
        hired = Hired(name=worker.name, number=len(self.workers), pid=4711, started_at=0)
        self.boss.send(hired, descriptors=[end.fileno() for end in worker.ends])


def kill(desk: Desk) -> None:
    """Take away what the kernel would take from a killed dispatcher."""
    for seat in desk._seats:
        seat.close()
    desk._bell.close()
    desk._housekeeping._role.give_up()


@pytest.fixture(autouse=True)
def nobody_stays_listening() -> Iterator[None]:
    """Fail what leaves an ear open: a user has 128 of them, and whoever comes later would be deaf."""
    before = ears()
    yield
    assert ears() == before, "a Listener was not closed"


def ears() -> int:
    """Return how many inotify instances this process has."""
    count = 0
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # that of this very look is gone
            count += os.readlink(f"/proc/self/fd/{fd}") == "anon_inode:inotify"
    return count


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    path = tmp_path / "jobs.db"
    with open_store(path, create=True) as store:
        scene = Scene(path, store, tmp_path / "log")
        yield scene
        scene.close()


@pytest.fixture
def busy(scene: Scene) -> Callable[..., tuple[FakeWorker, Run, int]]:
    """Open a dispatcher with one worker that runs one job."""

    def begun(settings: dict[str, Any] | None = None, **options: Any) -> tuple[FakeWorker, Run, int]:
        scene.open(**(settings or {}))
        worker = scene.hire()
        job_id = scene.add(**options)
        scene.step()
        [order] = worker.orders()
        scene.told()
        return worker, order, job_id

    return begun
