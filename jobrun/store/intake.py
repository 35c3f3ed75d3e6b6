"""Taking jobs in: what is acknowledged is on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from jobrun.bell import Tone
from jobrun.model import COMMON_TERMS, Added, NewJob, State, Terms
from jobrun.store.database import Database
from jobrun.store.environments import keep_environment
from jobrun.store.insertion import COLUMNS, Row, holder, insert, whole
from jobrun.store.many import in_values
from jobrun.store.rows import compact, instant, storable
from jobrun.units import to_ms


class Intake:
    """The way into the queue."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._kept: dict[int, tuple[object, str]] = {}  # environments of this commit

    def add(self, jobs: Sequence[NewJob | Row], *, now: datetime) -> list[Added]:
        """Add jobs, or plain rows, in one commit, and return what became of each, in their order.

        A job whose key a live job has already makes no row; its `Added` names that job. Once this
        returns, the jobs survive a power cut.
        """
        with self._db.write(Tone.WORK):
            self._kept.clear()
            return self._add_all(jobs, to_ms(now))

    def skip(self, job: NewJob, reason: str, *, now: datetime) -> int:
        """Write down a job that was asked for and will not run, and return its id; it holds no key."""
        with self._db.write(Tone.DONE):
            self._kept.clear()
            job_id = self._insert({**self.row_of(job, to_ms(now)), "key": None}, to_ms(now))
            self._db.change(
                """
                UPDATE jobs
                   SET state = 'skipped', finished_at = :now, reason = :reason, key = :key
                 WHERE id = :id AND state IN ('scheduled', 'ready')
                """,
                {"id": job_id, "now": to_ms(now), "reason": reason, "key": job.key},
            )
        return job_id

    def _add_all(self, jobs: Sequence[NewJob | Row], now_ms: int) -> list[Added]:
        added: list[Added] = []
        for has_key, run in groupby(jobs, _has_key):
            if has_key:  # each may hold the key of the next
                added += [self._add_keyed(job, now_ms) for job in run]
                continue
            rows = [self.row_of(job, now_ms) for job in run]
            ids = self._insert_all(rows, now_ms) if len(rows) > 1 else [self._insert(rows[0], now_ms)]
            added += [_added(job_id, row, now_ms) for job_id, row in zip(ids, rows, strict=True)]
        return added

    def _add_keyed(self, job: NewJob | Row, now_ms: int) -> Added:
        if (held := holder(self._db, _key(job))) is not None:
            return Added(id=held[0], state=State(held[1]), run_at=instant(held[2]), is_new=False)
        row = self.row_of(job, now_ms)
        return _added(self._insert(row, now_ms), row, now_ms)

    def _insert(self, row: Row, now_ms: int) -> int:
        return insert(self._db, whole(row, now_ms))

    def _insert_all(self, rows: Sequence[Row], now_ms: int) -> range:
        """Insert rows and return their ids: within the transaction nobody else writes, and none is skipped."""
        unsaid = whole({}, now_ms)
        said = {"task", "args"}.union(*rows)  # two at least, or `own` would return no tuple
        shared = {name: unsaid[name] for name in COLUMNS if name not in said}
        own = itemgetter(*(name for name in COLUMNS if name in said))
        last = 0
        for values, arguments in in_values(COLUMNS, shared, [own({**unsaid, **row}) for row in rows]):
            last = self._db.insert(f"INSERT INTO jobs ({', '.join(COLUMNS)}) {values}", arguments)
        return range(last - len(rows) + 1, last + 1)

    def row_of(self, job: NewJob | Row, now_ms: int) -> Row:
        """Return the columns of a new job; its environment is stored."""
        if isinstance(job, dict):
            return job
        run_at = now_ms if job.run_at is None else to_ms(job.run_at)
        around = job.surroundings
        deadline_at = None if job.deadline_s is None else run_at + round(job.deadline_s * 1000)
        expires_at = None if job.expires_at is None else to_ms(job.expires_at)
        ends = [end for end in (expires_at, deadline_at) if end is not None]
        return {
            "state": State.SCHEDULED if run_at > now_ms else State.READY,
            "queue": job.queue,
            "priority": job.priority,
            "run_at": run_at,
            "expires_at": min(ends, default=None),
            "deadline_at": deadline_at,
            "kind": job.kind,
            "task": storable(job.task),
            "args": compact(job.args) if job.args else "[]",
            "kwargs": compact(job.kwargs) if job.kwargs else "{}",
            "retries": job.retries,
            "backoff_ms": round(job.backoff_s * 1000),
            "max_backoff_ms": round(job.max_backoff_s * 1000),
            "timeout_ms": None if job.timeout_s is None else max(round(job.timeout_s * 1000), 1),
            "on_crash": job.on_crash,
            "created_at": now_ms,
            "key": job.key,
            "name": job.name,
            "tags": compact(job.tags) if job.tags else "[]",
            "entry": job.entry,
            "scheduled_for": None if job.scheduled_for is None else to_ms(job.scheduled_for),
            "terms": _text_of(job.terms),
            "cwd": around and compact(around.cwd),
            "umask": around and around.umask,
            "environment": around and self._keep_environment(around.environment),
        }

    def _keep_environment(self, environment: Mapping[str, str]) -> str:
        """Store each distinct environment once, and return its hash."""
        if (known := self._kept.get(id(environment))) is not None:
            return known[1]
        digest = keep_environment(self._db, environment)
        self._kept[id(environment)] = environment, digest
        return digest


def _key(job: NewJob | Row) -> object:
    return job.get("key") if isinstance(job, dict) else job.key


def _has_key(job: NewJob | Row) -> bool:
    return _key(job) is not None


def _added(job_id: int, row: Mapping[str, Any], now_ms: int) -> Added:
    state = row.get("state", State.READY)
    return Added(id=job_id, state=state, run_at=instant(row.get("run_at", now_ms)), is_new=True)


def _text_of(terms: Terms) -> str | None:
    """Return JSON of those terms that are not the common ones; most jobs have none."""
    if terms is COMMON_TERMS or terms == COMMON_TERMS:
        return None
    given = {field.name: getattr(terms, field.name) for field in fields(terms)}
    return compact({name: value for name, value in given.items() if value != getattr(COMMON_TERMS, name)})
