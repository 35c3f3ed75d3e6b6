"""Taking jobs in: what is acknowledged is on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from jobrun.bell import Tone
from jobrun.model import COMMON_TERMS, Added, NewJob, State, Terms
from jobrun.store.database import Database
from jobrun.store.insertion import holder, insert
from jobrun.store.rows import compact, instant, storable
from jobrun.units import from_ms, to_ms


class Intake:
    """The way into the queue."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, jobs: Sequence[NewJob], *, now: datetime) -> list[Added]:
        """Add jobs in one commit, and return what became of each, in their order.

        A job whose key a live job has already makes no row; its `Added` names that job. Once this
        returns, the jobs survive a power cut.
        """
        with self._db.write(Tone.WORK):
            return [self._add(job, to_ms(now)) for job in jobs]

    def _add(self, job: NewJob, now_ms: int) -> Added:
        run_at = now_ms if job.run_at is None else to_ms(job.run_at)
        state = State.SCHEDULED if run_at > now_ms else State.READY
        if job.key is not None and (held := holder(self._db, job.key)) is not None:
            return Added(id=held[0], state=State(held[1]), run_at=instant(held[2]), is_new=False)
        job_id = insert(self._db, self._columns(job, state=state, run_at=run_at, now_ms=now_ms))
        return Added(id=job_id, state=state, run_at=from_ms(run_at), is_new=True)

    def _columns(self, job: NewJob, *, state: State, run_at: int, now_ms: int) -> dict[str, Any]:
        around = job.surroundings
        deadline_at = None if job.deadline_s is None else run_at + round(job.deadline_s * 1000)
        expires_at = None if job.expires_at is None else to_ms(job.expires_at)
        ends = [end for end in (expires_at, deadline_at) if end is not None]
        return {
            "state": state,
            "queue": job.queue,
            "priority": job.priority,
            "run_at": run_at,
            "expires_at": min(ends, default=None),
            "deadline_at": deadline_at,
            "kind": job.kind,
            "task": storable(job.task),
            "args": compact(job.args),
            "kwargs": compact(job.kwargs),
            "retries": job.retries,
            "backoff_ms": round(job.backoff_s * 1000),
            "max_backoff_ms": round(job.max_backoff_s * 1000),
            "timeout_ms": None if job.timeout_s is None else max(round(job.timeout_s * 1000), 1),
            "on_crash": job.on_crash,
            "created_at": now_ms,
            "key": job.key,
            "name": job.name,
            "tags": compact(job.tags),
            "entry": job.entry,
            "scheduled_for": None if job.scheduled_for is None else to_ms(job.scheduled_for),
            "terms": _text_of(job.terms),
            "cwd": around and compact(around.cwd),
            "umask": around and around.umask,
            "environment": around and self._keep_environment(around.environment),
        }

    def _keep_environment(self, environment: Mapping[str, str]) -> str:
        """Store each distinct environment once, and return its hash."""
        text = compact(dict(sorted(environment.items())))
        digest = hashlib.sha256(text.encode()).hexdigest()[:32]
        self._db.change(
            "INSERT OR IGNORE INTO environments (hash, variables) VALUES (:hash, :variables)",
            {"hash": digest, "variables": text},
        )
        return digest


def _text_of(terms: Terms) -> str | None:
    """Return JSON of those terms that are not the common ones; most jobs have none."""
    if terms == COMMON_TERMS:
        return None
    given = {field.name: getattr(terms, field.name) for field in fields(terms)}
    return compact({name: value for name, value in given.items() if value != getattr(COMMON_TERMS, name)})
