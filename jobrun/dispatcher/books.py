"""The one transaction of a round: all endings, questions and arrivals, together with new claims."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jobrun.dispatcher import verdict
from jobrun.dispatcher.ballast import cut_wal
from jobrun.dispatcher.ends import Ended as End
from jobrun.dispatcher.ends import end_attempts, expire, tell_of_begin
from jobrun.dispatcher.hands import Hands
from jobrun.dispatcher.lines import Line, of_end
from jobrun.dispatcher.pace import Pace
from jobrun.dispatcher.seat import Seat
from jobrun.dispatcher.settings import Settings, World
from jobrun.errors import NoRoom, UsageError
from jobrun.locks.records import read_record
from jobrun.model import Ending, Job, Output, WorkerRow
from jobrun.paths import side_dir
from jobrun.requests import check
from jobrun.run.output import collect_file
from jobrun.store import Store
from jobrun.store.queue import Outlook
from jobrun.units import from_ms
from jobrun.wire import shelf
from jobrun.wire.messages import Answer, Ask, Ended, Gone, Hired


@dataclass(slots=True)
class News:
    """What was heard and is not committed yet."""

    hired: list[tuple[Seat, Hired]] = field(default_factory=list)
    ended: dict[str, tuple[Seat, Ended]] = field(default_factory=dict)  # by token: it may be said again
    asked: list[tuple[Seat, Ask]] = field(default_factory=list)
    returned: dict[str, Seat] = field(default_factory=dict)  # tokens of what was taken back
    gone: list[Gone] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.hired or self.ended or self.asked or self.returned or self.gone)

    @property
    def is_nothing_but_ends(self) -> bool:
        return bool(self.ended) and not (self.hired or self.asked or self.returned or self.gone)

    def tokens(self) -> set[str]:
        """Return the attempts that are over."""
        return self.ended.keys() | self.returned.keys()

    def settled(self) -> dict[Seat, list[str]]:
        """Return whose ends are to be answered, and the tokens of each."""
        found: dict[Seat, list[str]] = {}
        for token, (seat, _) in self.ended.items():
            found.setdefault(seat, []).append(token)
        return found

    def over(self) -> dict[Seat, list[str]]:
        """Return who is rid of which attempts."""
        found = self.settled()
        for token, seat in self.returned.items():
            found.setdefault(seat, []).append(token)
        return found


@dataclass(slots=True)
class Told:
    """What is to be told once it is committed."""

    claimed: list[Job] = field(default_factory=list)
    answers: list[tuple[Seat, Answer]] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)  # for the log


class Books:
    """What a dispatcher writes into the store."""

    def __init__(self, settings: Settings, store: Store, world: World) -> None:
        self._settings = settings
        self._store = store
        self._world = world
        self.pace = Pace()
        self.outlook = Outlook(due_at=None, expires_at=None, is_ready=False)
        self._logs: Path = side_dir(settings.path) / "logs"
        self._locks: Path = side_dir(settings.path) / "locks"
        self._spool: Path = side_dir(settings.path) / "spool"

    def find_running(self, seat: Seat) -> None:
        """Take over what a worker does for a dispatcher that died, before it is heard."""
        jobs, record = self._store.endings.running([seat.name]), read_record(self._locks / seat.name)
        seat.resume(jobs, record, now=self._world.now(), monotonic=self._world.monotonic())

    def look(self) -> Outlook:
        """Look at what there is to do, for `commit` and for all who ask until the next look."""
        self.outlook = self._store.queue.outlook(self._settings.queues, now=self._world.now())
        return self.outlook

    def left_in_paused(self) -> list[str]:
        """Return the paused queues in which jobs are ready for our workers."""
        paused, ours = self.outlook.paused, self._settings.queues
        waiting = self._store.queue.names() if paused else []
        return [queue for queue in waiting if queue in paused and (not ours or queue in ours)]

    def commit(self, news: News, seats: Mapping[str, Seat], *, claims: bool, is_stopping: bool) -> Told:
        """Write all news and, if `claims`, as many jobs as the workers can take then."""
        told = Told()
        try:
            with self._store.group():
                for _, hired in news.hired:
                    self._store.workers.join(self._row(hired))
                if news.ended or news.returned or news.gone:
                    told.lines += self._settle(news, seats, is_stopping=is_stopping)
                for seat, ask in news.asked:
                    told.answers.append((seat, self._answer(ask)))
                if claims:
                    told.claimed = self._claim(news, seats)
        except NoRoom:
            cut_wal(self._store, self._logs.parent)  # for the next try
            raise
        for gone in news.gone:
            for token in gone.begun or seats[gone.name].jobs:
                shelf.remove(self._spool, token)
        return told

    def _settle(self, news: News, seats: Mapping[str, Seat], *, is_stopping: bool) -> list[Line]:
        """Write how attempts ended; return lines for the log."""
        ends: list[End] = [
            (job, ended.ending, ended.pid or seat.pid)
            for seat, ended in news.ended.values()
            if (job := seat.jobs.get(ended.token)) is not None
        ]
        ends += [
            (job, verdict.TAKEN_BACK, seat.pid)
            for token, seat in news.returned.items()
            if (job := seat.jobs.get(token)) is not None
        ]
        for gone in news.gone:
            ends += self._deaths(seats[gone.name], gone, news.tokens(), is_stopping=is_stopping)
        becomes = end_attempts(self._store, ends, self._world, max_crashes=self._settings.max_crashes)
        for gone in news.gone:
            self._store.workers.leave(gone.name)
        told = [of_end(job, ending, state) for (job, ending, _), state in zip(ends, becomes, strict=True)]
        return list(filter(None, told))

    def _deaths(self, seat: Seat, gone: Gone, told: Collection[str], *, is_stopping: bool) -> list[End]:
        """Return the ends of what a dead worker held, unless we heard of them before."""
        return [
            (job, self._death(seat, gone, token, is_stopping=is_stopping), seat.pid)
            for token, job in seat.jobs.items()
            if token not in told
        ]

    def _answer(self, ask: Ask) -> Answer:
        """Add what user code asked for; what no row could hold is refused, and hurts nobody else."""
        now = self._world.now()
        try:
            jobs = [check(job, now=now) for job in ask.jobs]
            with self._store.savepoint():
                added = self._store.intake.add(jobs, now=now)
        except UsageError as error:
            return Answer(number=ask.number, error=error.message)
        return Answer(number=ask.number, added=added)

    def _death(self, seat: Seat, gone: Gone, token: str, *, is_stopping: bool) -> Ending:
        if (ended := shelf.find(self._spool, token)) is not None:
            return ended.ending
        begun = [token] if gone.begun is None else gone.begun  # what nobody can tell of may have begun
        if token not in begun:
            return verdict.NEVER_BEGAN
        is_last = token == begun[-1]
        output = collect_file(self._logs / gone.name) if is_last else Output()
        was_told = is_last and seat.first is seat.jobs[token]  # else who was told has ended just before
        why = seat.why if was_told else None
        return verdict.of_death(gone, why, is_stopping=is_stopping, output=output)

    def _claim(self, news: News, seats: Mapping[str, Seat]) -> list[Job]:
        gone = {one.name for one in news.gone}
        hands = Hands([seat for name, seat in seats.items() if name not in gone], news.tokens(), self.pace)
        if not hands.room:
            return []
        now, outlook = self._world.now(), self.outlook
        if outlook.expires_at is not None and outlook.expires_at <= now:
            expire(self._store, now=now)
        if outlook.due_at is not None and outlook.due_at <= now:
            self._store.queue.promote(now=now)
        claimed = self._store.queue.claim(
            hands.place,
            limit=hands.room,
            queues=self._settings.queues,
            now=now,
            new_token=self._world.new_token,
        )
        for job in claimed:
            tell_of_begin(self._store, job, now=now)
        return claimed

    def _row(self, hired: Hired) -> WorkerRow:
        return WorkerRow(
            name=hired.name,
            number=hired.number,
            pid=hired.pid,
            group_pid=self._settings.group_pid,
            queues=self._settings.queues,
            started_at=from_ms(hired.started_at),
            stopping_at=None,
        )
