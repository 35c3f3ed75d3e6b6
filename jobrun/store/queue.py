"""The hot path: what is due becomes ready, what is ready becomes running."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from jobrun.bell import Tone
from jobrun.lifecycle import settle
from jobrun.model import Ending, Job, Kind, Outcome
from jobrun.store import queuenames
from jobrun.store.database import Database
from jobrun.store.endings import Endings
from jobrun.store.pauses import IN_FORCE, Pauses
from jobrun.store.rows import JOB_WITHOUT_LAST_ATTEMPT, Unreadable, compact, instant, instant_or_none, job_of
from jobrun.units import to_ms

PROMOTED_AT_ONCE = 1000  # a longer backlog must not hold the write lock
LOOKED_AT = 16  # jobs of a queue, before more of them are read: most rounds take few

Place = Callable[[tuple[Kind, str]], str | None]  # (kind, task) -> worker


class _Candidate(NamedTuple):
    """A ready job; the smaller one is the more urgent one."""

    urgency: int
    id: int
    kind: str
    task: str
    expires_at: int | None


class Outlook(NamedTuple):
    """What waits: when the next job falls due, when the next one expires, and whether one may begin.

    What is ready in a paused queue may not; of the pauses, `resumes_at` is when the first ends by itself.
    """

    due_at: datetime | None
    expires_at: datetime | None
    is_ready: bool
    resumes_at: datetime | None = None
    paused: frozenset[str] = frozenset()

    @property
    def next_at(self) -> datetime | None:
        """Return when a look may let a job begin: it falls due, what stands before it is too late, or a pause ends."""
        expires_at = self.expires_at if self.is_ready else None
        return min((at for at in (self.due_at, expires_at, self.resumes_at) if at is not None), default=None)

    def has_work(self, now: datetime) -> bool:
        """Say whether a job could be claimed now."""
        return self.is_ready or (self.due_at is not None and self.due_at <= now)


class Queue:
    """The jobs that wait, as a dispatcher sees them."""

    def __init__(self, database: Database, endings: Endings, pauses: Pauses) -> None:
        self._db = database
        self._endings = endings
        self._pauses = pauses

    def next_due(self) -> datetime | None:
        """Return when the earliest scheduled job falls due, or None if none is scheduled."""
        row = self._db.row("SELECT min(run_at) AS run_at FROM jobs WHERE state = 'scheduled'")
        return None if row is None or row["run_at"] is None else instant(row["run_at"])

    def outlook(self, queues: Sequence[str], *, now: datetime) -> Outlook:
        """Return what is there to do for workers of these queues (none given: of all but reserved ones)."""
        ready, arguments = (_READY_IN, [compact(queues)]) if queues else (_READY, [])
        [(due_at, expires_at, is_ready, is_any_paused)] = self._db.rows(
            f"SELECT {_DUE}, {_EXPIRES}, EXISTS ({ready}), EXISTS ({_ANY_PAUSE})", [*arguments, to_ms(now)]
        )
        found = Outlook(instant_or_none(due_at), instant_or_none(expires_at), bool(is_ready))
        return self._beside_pauses(found, queues, now=now) if is_any_paused else found

    def names(self, *, but: Collection[str] = (), limit: int = -1) -> list[str]:
        """Return the queues that have ready jobs, without reserved ones; as costly as they are many."""
        return queuenames.ready(self._db, but=but, limit=limit)

    def seen(self) -> list[str]:
        """Return the queues in which a job is ready or runs, or has ended since that is counted."""
        return queuenames.seen(self._db)

    def has_scheduled(self, queue: str) -> bool:
        """Say whether a job of a queue is due later; all that are may be read for that."""
        return queuenames.has_scheduled(self._db, queue)

    def count_ready(self, queues: Sequence[str], *, most: int) -> int:
        """Count what waits for workers of these queues; more than `most` are not counted."""
        ready, arguments = (_READY_IN, [compact(queues)]) if queues else (_READY, [])
        [(count,)] = self._db.rows(f"SELECT count(*) FROM ({ready} LIMIT ?)", [*arguments, most])  # noqa: S608 -- fixed text
        return int(count)

    def promote(self, *, now: datetime) -> int:
        """Make ready what is due, in batches; return how many. A full batch may have left some."""
        due_at = self.next_due()
        if due_at is None or due_at > now:
            return 0  # nobody needs to be woken
        with self._db.write(Tone.WORK):
            return self._db.change(
                """
                UPDATE jobs
                   SET state = 'ready'
                 WHERE id IN (SELECT id
                                FROM jobs
                               WHERE state = 'scheduled' AND run_at <= :now
                               ORDER BY run_at
                               LIMIT :limit)
                """,
                {"now": to_ms(now), "limit": PROMOTED_AT_ONCE},
            )

    def bring_forward(self, by_s: float, *, now: datetime) -> int:
        """Have retries that wait be due so much sooner, though not before now; return how many.

        The clock was set back by as much: they wait for a time that passes, and not, as what a person
        gave a time, for what the clock shows.
        """
        with self._db.write(Tone.WORK):
            return self._db.change(
                """
                UPDATE jobs
                   SET run_at = max(run_at - :by, :now)
                 WHERE state = 'scheduled' AND attempt > 0 AND run_at > :now
                """,
                {"by": round(by_s * 1000), "now": to_ms(now)},
            )

    def expire(self, *, now: datetime) -> list[int]:
        """End a batch of what was not started in time; return the ids."""
        due = {"now": to_ms(now), "limit": PROMOTED_AT_ONCE}
        where = "expires_at IS NOT NULL AND state IN ('scheduled', 'ready') AND expires_at <= :now"
        if self._db.row(f"SELECT 1 FROM jobs WHERE {where} LIMIT 1", {"now": due["now"]}) is None:  # noqa: S608 -- fixed text
            return []
        with self._db.write(Tone.DONE):
            rows = self._db.rows(
                f"""
                UPDATE jobs
                   SET state = 'expired', finished_at = :now, reason = 'not started in time'
                 WHERE id IN (SELECT id FROM jobs WHERE {where} LIMIT :limit)
                RETURNING id
                """,  # noqa: S608 -- fixed text
                due,
            )
        return sorted(row["id"] for row in rows)

    def claim(
        self, place: Place, *, limit: int, queues: Sequence[str], now: datetime, new_token: Callable[[], str]
    ) -> list[Job]:
        """Start the most urgent ready jobs, `limit` of them at most, on the workers that `place` names.

        Higher priority first, then the older job. `place` is asked for one after the other, until
        nobody takes one: what comes behind it waits, too. The attempt number goes up by one, and
        `token` names that attempt from here on; the job is not handed out before this is committed.
        A job that cannot be read fails, and hurts nobody else. No `queues` are all but reserved ones.
        Paused queues are passed over.
        """
        with self._db.write():
            placed: list[tuple[int, str]] = []
            paused = self._pauses.names(now=now)
            for each in self._candidates(queues, paused, limit=limit):
                if each.expires_at is not None and each.expires_at <= to_ms(now):
                    continue  # `expire` ends it
                worker = place((Kind(each.kind), each.task))
                if worker is None:
                    break
                placed.append((each.id, worker))
            return self._start(placed, token=new_token(), now=now) if placed else []

    def _beside_pauses(self, found: Outlook, queues: Sequence[str], *, now: datetime) -> Outlook:
        """Return an outlook without what waits in paused queues."""
        pauses = self._pauses.all(now=now)
        paused = frozenset(pause.queue for pause in pauses)
        if found.is_ready and queues:
            others = compact([queue for queue in queues if queue not in paused])
            found = found._replace(is_ready=bool(self._db.rows(f"{_READY_IN} LIMIT 1", [others])))
        elif found.is_ready:
            found = found._replace(is_ready=bool(self.names(but=paused, limit=1)))
        ends = [pause.until for pause in pauses if pause.until is not None]
        return found._replace(resumes_at=min(ends, default=None), paused=paused)

    def _candidates(
        self, queues: Sequence[str], paused: Collection[str], *, limit: int
    ) -> Iterable[_Candidate]:
        """Return what may be claimed, the most urgent first.

        A paused queue may have a million jobs before all others, so they are not read over: the heads of the
        other queues are merged.
        """
        if not (queues or paused):
            rows = self._db.rows(
                """
                SELECT -priority, id, kind, task, expires_at
                  FROM jobs INDEXED BY jobs_ready
                 WHERE state = 'ready' AND queue NOT LIKE '.%'
                 ORDER BY priority DESC, id
                 LIMIT ?
                """,
                (limit,),
            )
            return (_Candidate(*row) for row in rows)
        others = [queue for queue in queues if queue not in paused] if queues else self.names(but=paused)
        heads = [self._heads(queue, least=min(LOOKED_AT, limit)) for queue in others]
        return itertools.islice(heapq.merge(*heads), limit)

    def _heads(self, queue: str, *, least: int) -> Iterator[_Candidate]:
        """Yield the ready jobs of a queue, the most urgent first; more are read when those before are used up."""
        begin, count = 0, least
        while True:
            rows = self._db.rows(
                """
                SELECT -priority, id, kind, task, expires_at
                  FROM jobs INDEXED BY jobs_ready_by_queue
                 WHERE state = 'ready' AND queue = ?
                 ORDER BY priority DESC, id
                 LIMIT ? OFFSET ?
                """,
                (queue, count, begin),
            )
            yield from (_Candidate(*row) for row in rows)
            if len(rows) < count:
                return
            begin, count = begin + count, 2 * (begin + count)

    def _start(self, placed: Sequence[tuple[int, str]], *, token: str, now: datetime) -> list[Job]:
        """Start ready jobs, each on a worker; each attempt is named by `token` and the id of its job."""
        rows = self._db.rows(_START, (token, to_ms(now), compact(placed)))
        order = {job_id: place for place, (job_id, _) in enumerate(placed)}
        rows.sort(key=lambda row: order[row["id"]])
        return [job for row in rows if (job := self._readable(row, now)) is not None]

    def _readable(self, row: Sequence[Any], now: datetime) -> Job | None:
        try:
            return job_of(row, exactly=True)
        except Unreadable as error:
            job = job_of(row)
            ending = Ending(outcome=Outcome.ERROR, cause=str(error), is_permanent=True)
            self._endings.settle(job, ending, settle(job, ending, now, 0.0), now=now, pid=None)
            return None


_START = f"""
    UPDATE jobs
       SET state = 'running',
           queue = iif(queue LIKE '.%', substr(queue, instr(substr(queue, 2), '.') + 2), queue),
           attempt = attempt + 1,
           token = ? || '-' || jobs.id,
           worker = json_extract(value, '$[1]'),
           started_at = ?,
           reason = NULL
      FROM json_each(?)
     WHERE jobs.id = json_extract(value, '$[0]') AND jobs.state = 'ready'
    RETURNING {JOB_WITHOUT_LAST_ATTEMPT}
"""  # noqa: S608 -- fixed text
_DUE = "(SELECT min(run_at) FROM jobs WHERE state = 'scheduled')"
_EXPIRES = """
    (SELECT min(expires_at) FROM jobs WHERE expires_at IS NOT NULL AND state IN ('scheduled', 'ready'))
"""
_READY = "SELECT 1 FROM jobs INDEXED BY jobs_ready WHERE state = 'ready' AND queue NOT LIKE '.%'"
_READY_IN = """
    SELECT 1
      FROM jobs INDEXED BY jobs_ready_by_queue
     WHERE state = 'ready' AND queue IN (SELECT value FROM json_each(?))
"""
_ANY_PAUSE = f"SELECT 1 FROM pauses WHERE {IN_FORCE.format('?')}"  # noqa: S608 -- fixed text
