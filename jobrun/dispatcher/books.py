"""The one transaction of a round: all endings, questions and arrivals, together with new claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jobrun.dispatcher import verdict
from jobrun.dispatcher.ends import end_attempt, expire, tell_of_begin
from jobrun.dispatcher.seat import Seat
from jobrun.dispatcher.settings import Settings, World
from jobrun.errors import UsageError
from jobrun.model import TROUBLED, Ending, Job, WorkerRow
from jobrun.paths import side_dir
from jobrun.requests import check
from jobrun.run.output import collect_file
from jobrun.store import Store
from jobrun.units import from_ms
from jobrun.wire.messages import Answer, Ask, Ended, Gone, Hired


@dataclass(slots=True)
class News:
    """What was heard and is not committed yet."""

    hired: list[tuple[Seat, Hired]] = field(default_factory=list)
    ended: list[tuple[Seat, Ended]] = field(default_factory=list)
    asked: list[tuple[Seat, Ask]] = field(default_factory=list)
    gone: list[Gone] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.hired or self.ended or self.asked or self.gone)


@dataclass(slots=True)
class Told:
    """What is to be told once it is committed."""

    claimed: list[Job] = field(default_factory=list)
    answers: list[tuple[Seat, Answer]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)  # for the log


class Books:
    """What a dispatcher writes into the store."""

    def __init__(self, settings: Settings, store: Store, world: World) -> None:
        self._settings = settings
        self._store = store
        self._world = world
        self._logs: Path = side_dir(settings.path) / "logs"

    def is_something_due(self) -> bool:
        """Say whether a job could be claimed now."""
        due_at = self._store.queue.next_due()
        is_due = due_at is not None and due_at <= self._world.now()
        return is_due or self._store.queue.has_ready(self._settings.queues)

    def commit(self, news: News, seats: Mapping[str, Seat], *, claims: bool, is_stopping: bool) -> Told:
        """Write all news and, if `claims`, a job for every worker that is free then."""
        told = Told()
        with self._store.group():
            for _, hired in news.hired:
                self._store.workers.join(self._row(hired))
            # Once each: a worker says again to a new dispatcher what may lie in its socket still.
            for seat, ended in {ended.token: (seat, ended) for seat, ended in news.ended}.values():
                if seat.runs(ended.token):
                    told.lines += self._settle(seat, ended.ending, pid=ended.pid or seat.pid)
            for gone in news.gone:
                told.lines += self._bury(seats[gone.name], gone, news, is_stopping=is_stopping)
            for seat, ask in news.asked:
                told.answers.append((seat, self._answer(ask)))
            if claims:
                told.claimed = self._claim(news, seats)
        return told

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

    def _settle(self, seat: Seat, ending: Ending, *, pid: int) -> list[str]:
        job = seat.job
        assert job is not None
        becomes = end_attempt(self._store, job, ending, pid=pid, world=self._world)
        if becomes is None:
            return [
                f"job {job.id} attempt {job.attempt}: {ending.outcome} came too late, it was ended before"
            ]
        if not becomes.state.is_final or becomes.state in TROUBLED:
            return [
                f"job {job.id} attempt {job.attempt}: {ending.outcome}, {ending.cause}; now {becomes.state}"
            ]
        return []

    def _bury(self, seat: Seat, gone: Gone, news: News, *, is_stopping: bool) -> list[str]:
        """Settle what a dead worker ran, unless its ending came before its death."""
        lines: list[str] = []
        if seat.job is not None and not any(seat.runs(ended.token) for _, ended in news.ended):
            lines = self._settle(seat, self._death(seat, gone, is_stopping=is_stopping), pid=seat.pid)
        self._store.workers.leave(gone.name)
        return lines

    def _death(self, seat: Seat, gone: Gone, *, is_stopping: bool) -> Ending:
        if gone.last_token is None or not seat.runs(gone.last_token):
            return verdict.NEVER_BEGAN
        output = collect_file(self._logs / gone.last_token)
        return verdict.of_death(gone, seat.why, is_stopping=is_stopping, output=output)

    def _claim(self, news: News, seats: Mapping[str, Seat]) -> list[Job]:
        gone = {one.name for one in news.gone}
        done = {seat.name for seat, ended in news.ended if seat.runs(ended.token)}
        free = [
            name for name, seat in seats.items() if name not in gone and seat.can_take(is_done=name in done)
        ]
        if not free:
            return []
        now = self._world.now()
        expire(self._store, now=now)
        self._store.queue.promote(now=now)
        claimed = self._store.queue.claim(
            free, queues=self._settings.queues, now=now, new_token=self._world.new_token
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
