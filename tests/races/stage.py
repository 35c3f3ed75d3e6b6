"""Actors that take turns where a schedule says so: between transactions, before reads, locks and rests.

Each actor is a thread with a connection of its own, as if it were a process; one of them moves at a time, from one
point to the next. So a schedule is a list of choices, and whatever it finds can be seen again.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from jobrun import locks, procs
from jobrun.actions import acting
from jobrun.dispatcher import recovery, retention
from jobrun.locks.roles import Role
from jobrun.store import migrations
from jobrun.store.database import Database

Body = Callable[[], object]
REST = "rest"  # nothing to do until another one has moved
_PATIENCE_S = 60.0

_own = threading.local()


class Move(NamedTuple):
    """An actor goes on from the point where it stands, or dies there."""

    name: str
    label: str
    is_kill: bool = False

    def __str__(self) -> str:
        return f"{'kill ' if self.is_kill else ''}{self.name} {self.label}"


Choose = Callable[[Sequence[Move]], Move]


class Killed(BaseException):
    """An actor dies at the point where it stands; it writes nothing any more."""


class Actor:
    """One actor, and where it stands."""

    def __init__(self, name: str, body: Body) -> None:
        self.name = name
        self.at = "begin"
        self.result: object = None
        self.is_over = self.is_killed = False
        self._body = body
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def move(self, *, kill: bool = False) -> None:
        """Let it go on to its next point."""
        self.is_killed |= kill
        self._go.release()
        assert self._back.acquire(timeout=_PATIENCE_S), f"{self.name} hangs after {self.at}"
        if self.is_over:
            self._thread.join()

    def pause(self, label: str) -> None:
        if not self.is_killed:
            self.at = label
            self._back.release()
            self._go.acquire()

    def _run(self) -> None:
        self._go.acquire()
        _own.actor = self
        try:
            if not self.is_killed:
                self.result = self._body()
        except Killed:
            self.result = "killed"
        except Exception as error:  # noqa: BLE001 -- to be judged
            self.result = error
        self.is_over = True
        self._back.release()


def point(label: str) -> None:
    """Stand here until the schedule goes on; who is no actor passes by."""
    actor = getattr(_own, "actor", None)
    if actor is not None:
        actor.pause(label)
        if actor.is_killed:
            raise Killed


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """Make no stop within a block: it is none of what is looked at."""
    actor, _own.actor = getattr(_own, "actor", None), None
    try:
        yield
    finally:
        _own.actor = actor


@dataclass(slots=True)
class Played:
    """What came of one schedule."""

    moves: list[str] = field(default_factory=list)
    results: dict[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return " | ".join(self.moves)


def play(bodies: Mapping[str, Body], choose: Choose, *, kills: int = 0) -> Played:
    """Let actors move until all are at their ends."""
    actors = {name: Actor(name, body) for name, body in bodies.items()}
    played = Played()
    while alive := [actor for actor in actors.values() if not actor.is_over]:
        awake = [actor for actor in alive if actor.at != REST] or alive
        moves = [Move(actor.name, actor.at) for actor in awake]
        if kills:
            moves += [Move(actor.name, actor.at, is_kill=True) for actor in alive if actor.at != "begin"]
        move = choose(moves)
        kills -= move.is_kill
        for each in alive:
            if each.at == REST and each.name != move.name:
                each.at = "rested"
        played.moves.append(str(move))
        actors[move.name].move(kill=move.is_kill)
    played.results = {name: actor.result for name, actor in actors.items()}
    return played


@dataclass(slots=True)
class _Fork:
    """A place where a schedule could go on otherwise."""

    moves: Sequence[Move]
    asleep: set[Move]  # they lead to nothing new: the same was seen with two moves in another order
    tried: list[Move]

    def left(self) -> list[Move]:
        return [move for move in self.moves if move not in self.asleep and move not in self.tried]


class _Walk:
    """One schedule, as far as it repeats the last one and beyond."""

    def __init__(self, forks: list[_Fork]) -> None:
        self._forks = forks
        self._depth = 0
        self._asleep: set[Move] = set()
        self.is_new = True

    def __call__(self, moves: Sequence[Move]) -> Move:
        if self._depth == len(self._forks):
            fork = _Fork(moves, self._asleep, [])
            if not self.is_new or not (left := fork.left()):
                self.is_new = False
                return moves[0]
            fork.tried.append(left[0])
            self._forks.append(fork)
        fork = self._forks[self._depth]
        self._depth += 1
        move = fork.tried[-1]
        others = fork.asleep | set(fork.tried[:-1])
        self._asleep = {each for each in others if _are_apart(each, move)}
        return move


def every(run: Callable[[Choose], Any]) -> Iterator[Any]:
    """Run all schedules there are, and yield what came of each.

    Of those that differ only in the order of moves that do not touch each other, one is run (P. Godefroid,
    "Partial-Order Methods for the Verification of Concurrent Systems", 1996: sleep sets).
    """
    forks: list[_Fork] = []
    while True:
        walk = _Walk(forks)
        found = run(walk)
        if walk.is_new:
            yield found
        while forks and not (left := forks[-1].left()):
            forks.pop()
        if not forks:
            return
        forks[-1].tried.append(left[0])


def _are_apart(one: Move, other: Move) -> bool:
    """Say whether it is the same in whichever order these are made."""
    if one.name == other.name or one.is_kill or other.is_kill:
        return False
    return one.label == other.label == "read" or "begin" in {one.label, other.label}


def one_after_the_other(order: Sequence[str]) -> Choose:
    """Return the schedule in which each actor ends before the next one begins."""
    return lambda moves: min(moves, key=lambda move: order.index(move.name))


@contextlib.contextmanager
def points() -> Iterator[None]:
    """Have product code stop at its points."""
    write, rows = Database._transaction, Database.rows

    @contextlib.contextmanager
    def writing(self: Database) -> Iterator[None]:
        point("write")
        with write(self):
            yield

    def reading(self: Database, sql: str, arguments: Any = ()) -> Any:
        if not self._depth and sql.lstrip().startswith(("SELECT", "WITH")) and not _is_inside(self):
            point("read")
        return rows(self, sql, arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "_transaction", writing)
        patch.setattr(Database, "rows", reading)
        for span in ("LOOK_S", "ROUND_S"):  # or the time that others stand still would end a round
            patch.setattr(retention, span, math.inf)
        for module, name in (
            (locks, "is_held"),
            (recovery, "read_record"),
            (Role, "try_to_take"),
        ):
            patch.setattr(module, name, _stopping(getattr(module, name), name))
        patch.setattr(procs, "carriers", _stopping(lambda *_: [], "carriers"))  # nothing was started here
        clock = SimpleNamespace(sleep=lambda _: point(REST), monotonic=lambda: 0.0)
        patch.setattr(acting, "time", clock)
        patch.setattr(migrations, "time", clock)
        yield


def _is_inside(database: Database) -> bool:
    """Say whether this is a read of a transaction that has begun: it sees what that saw."""
    return database._connection.in_transaction


def _stopping(function: Callable[..., Any], label: str) -> Callable[..., Any]:
    def stopping(*args: Any, **named: Any) -> Any:
        point(label)
        return function(*args, **named)

    return stopping
