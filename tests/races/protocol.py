"""A real dispatcher and real workers' loops on real sockets, who move and die where a schedule says so.

The supervisor is played by the hand that moves them: it keeps copies of all ends, replaces who dies, and tells
of dead workers until that is noted. Jobs only say that they begin.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import socket
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from jobrun import locks
from jobrun.dispatcher import Desk
from jobrun.dispatcher.books import Books
from jobrun.dispatcher.seating import Seating
from jobrun.dispatcher.settings import Settings, World
from jobrun.locks.records import Recorder, read_record
from jobrun.log import Log
from jobrun.model import Ending, Kind, NewJob, Outcome
from jobrun.paths import side_dir
from jobrun.store import open_store
from jobrun.supervisor.crew import Ends
from jobrun.wire.channel import Channel, pair
from jobrun.wire.messages import Gone, Hired, Message, Noted, Run
from jobrun.worker import Post
from jobrun.worker.endings import Endings
from jobrun.worker.loop import Worker
from jobrun.worker.mailbox import Mailbox
from jobrun.worker.usage import Meter
from jobrun.worker.wear import TIRELESS, Wear
from tests.loops.conftest import kill
from tests.races.scene import GROUND, NOW, _template, broken
from tests.races.stage import REST, Actor, Choose, Move, _stopping, apart, point

TASK = Kind.CALL, "app:work"
JOBS = 2
LAST = 150  # moves without a choice, after which what is still live is lost
DISPATCHER = "dispatcher"


class Hand(Worker):
    """A worker whose calls do nothing, and which sleeps where the schedule sees it."""

    def __init__(self, post: Post, log: Log, began: Callable[[str], None]) -> None:
        """Be what `Worker` is, but for what belongs to a whole process."""
        self._post = post
        self._log = log
        self._locks = side_dir(post.job_file) / "locks"
        self._mail = Mailbox(post.channel, log)
        self._unsettled = Endings(side_dir(post.job_file) / "spool")
        self._token = None
        self._task, self._in_a_row = "", 0
        self._leaving, self._retiring = False, None
        self._wear = Wear(TIRELESS)
        self._meter = Meter()
        self._beat_at = 0.0
        self._record = Recorder(post.lock, pid=1, ticks=1, boot="boot")
        self._poll = select.poll()
        for channel in (post.channel, post.orders):
            self._poll.register(channel.fileno(), select.POLLIN)
        self._began = began

    def run(self) -> None:
        while True:
            self._handle(self._next())

    def _next(self) -> Message:
        point("look")
        while not (self._mail.inbox or self._poll.poll(0)):  # what was there may have been taken back
            point(REST)
        return super()._next()

    def _note_begin(self, token: str, began: float) -> None:
        point("note")
        super()._note_begin(token, began)
        self._began(token)

    def _call(self, order: Run) -> Ending:
        point("work")
        assert self._attend() is None, order
        return Ending(outcome=Outcome.OK)

    def _told(self, ending: Ending, facts: dict[str, Any], *, is_shared: bool) -> Ending:
        point("say")
        assert not is_shared
        return replace(ending, **facts)


@dataclass(slots=True)
class Employed:
    """A worker as its supervisor knows it."""

    actor: Actor
    ends: Ends
    lock: int
    post: Post
    gone: Gone | None = None


@dataclass(slots=True)
class Group:
    """Workers, a dispatcher, and the one who replaces them."""

    path: Path
    log: Log
    reader: sqlite3.Connection
    began: list[str] = field(default_factory=list)  # tokens, as each attempt begins
    workers: dict[str, Employed] = field(default_factory=dict)
    hired: int = 0
    generation: int = 0
    clock_s: float = 0.0
    boss: Channel | None = None
    dispatcher: Actor | None = None

    def fill(self) -> None:
        """Have a dispatcher, and tell it of all that the last one may not have noted."""
        self.generation += 1
        if self.boss is not None:
            self.boss.close()
        self.boss, control = pair(side_dir(self.path) / "spool")
        generation = self.generation
        self.dispatcher = Actor(DISPATCHER, lambda: self._dispatch(control, generation))
        for name in self.workers:
            self._introduce(name)
        self._tell_of_dead()

    def hire(self) -> None:
        self.hired += 1
        name = f"w{self.hired}"  # a name is used once
        lock = locks.take(side_dir(self.path) / "locks" / name)
        assert lock is not None
        end, own = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        puts, takes = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        spool = side_dir(self.path) / "spool"
        post = Post(
            name=name,
            job_file=self.path,
            channel=Channel(own, spool),
            orders=Channel(takes.dup(), spool),
            lock=lock,
            import_paths=(),
        )
        hand = Hand(post, self.log, self.began.append)
        self.workers[name] = Employed(Actor(name, hand.run), Ends(end, puts, takes), lock, post)
        self._introduce(name)

    def bury(self, name: str) -> None:
        """Tell that a worker was killed, and hire another."""
        worker = self.workers[name]
        record = read_record(side_dir(self.path) / "locks" / name)
        worker.post.channel.close()
        worker.post.orders.close()
        begun = [] if record is None else list(record.begun)
        worker.gone = Gone(name=name, status=9, begun=begun, cpu_s=0.0, peak_rss=0, out_of_memory=None)
        self._tell_of_dead()
        self.hire()

    def hear(self) -> None:
        """Let go of the dead that were noted."""
        assert self.boss is not None
        with contextlib.suppress(EOFError):
            while (message := self.boss.receive()) is not None:
                if isinstance(message, Noted) and (worker := self.workers.pop(message.name, None)):
                    worker.ends.close()
                    os.close(worker.lock)

    def close(self) -> None:
        actors = [self.dispatcher, *(worker.actor for worker in self.workers.values())]
        for actor in actors:
            if actor is not None and not actor.is_over:
                actor.move(kill=True)
        for worker in self.workers.values():
            worker.ends.close()
            os.close(worker.lock)
            if worker.gone is None:
                worker.post.channel.close()
                worker.post.orders.close()
        if self.boss is not None:
            self.boss.close()

    def _introduce(self, name: str) -> None:
        worker = self.workers[name]
        hired = Hired(name=name, number=int(name[1:]), pid=4711, started_at=0)
        assert self.boss is not None
        self.boss.send(hired, descriptors=[end.fileno() for end in worker.ends])

    def _tell_of_dead(self) -> None:
        assert self.boss is not None
        for worker in self.workers.values():
            if worker.gone is not None:
                self.boss.send(worker.gone)

    def _dispatch(self, control: Channel, generation: int) -> None:
        with apart():
            store = open_store(self.path, durability="fast")
            desk = Desk(self._settings(generation), store, control, self._world(generation), self.log)
            desk._books.pace.note(TASK, 0.0001)  # so that a worker gets both jobs
        try:
            while True:
                desk.step()
                point(REST)
                self.clock_s += 1.0
        finally:
            with apart():
                kill(desk)
                store.close()
                control.close()

    def _settings(self, generation: int) -> Settings:
        return Settings(
            path=self.path,
            workers=1,
            queues=(),
            burst=False,
            drain_s=30.0,
            grace_s=10.0,
            group_pid=77,
            generation=generation,
        )

    def _world(self, generation: int) -> World:
        draws = iter(range(1000))
        return World(
            now=lambda: NOW,
            monotonic=lambda: self.clock_s,
            spread=lambda: 0.0,
            new_token=lambda: f"t{generation}.{next(draws)}",
        )


@dataclass(slots=True)
class Story:
    """What happened, and what of the promise did not hold."""

    moves: list[str] = field(default_factory=list)
    kills: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return " | ".join(self.moves)


def tell(choose: Choose, *, dispatchers: int = 1, workers: int = 0, switches: int = 1) -> Story:
    """Let a group run its jobs; so many of each kind may be killed, and so many moves cut another's short."""
    story = Story()
    with tempfile.TemporaryDirectory(dir=GROUND) as folder, Path(os.devnull).open("wb") as nowhere:
        path = Path(folder) / "jobs.db"
        shutil.copytree(_template(), folder, dirs_exist_ok=True)
        with open_store(path, durability="fast") as store:
            store.intake.add([NewJob(kind=TASK[0], task=TASK[1], retries=3)] * JOBS, now=NOW)
        with closing(sqlite3.connect(path)) as reader:
            group = Group(path, Log("group", nowhere.fileno()), reader)
            try:
                group.fill()
                group.hire()
                _go(group, story, choose, [dispatchers, workers, switches])
            finally:
                group.close()
            story.faults += [*broken(reader), *_judge(reader, group.began, story)]
    return story


def _go(group: Group, story: Story, choose: Choose, left: list[int]) -> None:
    last, quiet = DISPATCHER, 0
    while quiet < LAST and not _is_done(group):
        assert group.dispatcher is not None
        actors = {DISPATCHER: group.dispatcher}
        actors |= {name: worker.actor for name, worker in group.workers.items() if worker.gone is None}
        for actor in actors.values():
            if actor.is_over:
                story.faults.append(f"{actor.name} has ended: {actor.result!r}")
                return
        moves = _moves(actors, last, left)
        quiet = 0 if len(moves) > 1 else quiet + 1
        move = choose(moves) if len(moves) > 1 else moves[0]
        story.moves.append(str(move))
        actor = actors[move.name]
        if not move.is_kill and move.name != last and actors.get(last, actor).at != REST:
            left[2] -= 1
        actor.move(kill=move.is_kill)
        last = move.name
        if move.is_kill:
            story.kills += 1
            left[0 if move.name == DISPATCHER else 1] -= 1
            last = DISPATCHER
            group.fill() if move.name == DISPATCHER else group.bury(move.name)
        group.hear()


def _moves(actors: dict[str, Actor], last: str, left: Sequence[int]) -> list[Move]:
    """Return who may go on: who moved last, until it rests or somebody cuts it short; then who does not rest."""
    own = actors.get(last)
    names = list(actors)
    if own is None or own.at == REST:
        names = [names[(names.index(last) + 1 if own else 0) % len(names)]]
    else:
        names = [last, *(name for name in names if name != last)] if left[2] else [last]
    found = [Move(name, actors[name].at) for name in names]
    for name, actor in actors.items():
        if left[name != DISPATCHER] and actor.at != "begin":
            found.append(Move(name, actor.at, is_kill=True))
    return found


def _is_done(group: Group) -> bool:
    """Say whether all has ended, and everybody knows."""
    [(live,)] = group.reader.execute("SELECT count(*) FROM jobs WHERE finished_at IS NULL").fetchall()
    idle = all(worker.actor.at == REST and worker.gone is None for worker in group.workers.values())
    return not live and idle and group.dispatcher is not None and group.dispatcher.at == REST


def _judge(reader: sqlite3.Connection, began: Sequence[str], story: Story) -> Iterator[str]:
    """Hold what began against the attempts that are written down."""
    times = Counter(began)
    if twice := [token for token, number in times.items() if number > 1]:
        yield f"begun twice: {twice}"
    rows = reader.execute("SELECT job_id, token, outcome, cause FROM attempts").fetchall()
    for job_id, state in reader.execute("SELECT id, state FROM jobs").fetchall():
        if state != "succeeded":
            yield f"job {job_id} is {state}"
    for _, token, outcome, cause in rows:
        is_begun = cause != "its worker ended before it began"
        if is_begun != bool(times[token]):
            yield f"{token} {outcome}, {cause}; it began {times[token]} times"
    if missing := times.keys() - {token for _, token, _, _ in rows}:
        yield f"begun, and no attempt: {missing}"
    crashes = sum(outcome == "crashed" for _, _, outcome, _ in rows)
    if len(began) > JOBS + crashes or crashes > _most_crashes(story):
        yield f"{len(began)} begins, {crashes} crashes"


def _most_crashes(story: Story) -> int:
    """Return how many attempts may crash: one a worker, unless the dispatcher died that had heard its other ends."""
    workers = sum(move.startswith("kill w") for move in story.moves)
    has_both = workers and any(move.startswith("kill dispatcher") for move in story.moves)
    return JOBS * workers if has_both else workers


@contextlib.contextmanager
def points() -> Iterator[None]:
    """Have the dispatcher stop around its commits, and before it hears or tells."""
    commit = Books.commit

    def committing(self: Books, *args: Any, **named: Any) -> Any:
        point("commit")
        told = commit(self, *args, **named)
        point("committed")
        return told

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Books, "commit", committing)
        for name in ("send", "hand_out", "take_back"):
            patch.setattr(Seating, name, _stopping(getattr(Seating, name), name))
        patch.setattr(Desk, "_hear_seat", _stopping(Desk._hear_seat, "hear"))
        yield
