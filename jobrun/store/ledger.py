"""Looking: what ran, what did not and why. Reads are short, so that they never pin the WAL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from jobrun.model import Attempt, Job, JobFilter, State
from jobrun.store.database import Database
from jobrun.store.rows import JOB_WITH_LAST_ATTEMPT, attempt_of, compact, job_of, variables_of
from jobrun.units import to_ms


class Ledger:
    """The record of all jobs and attempts."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def get(self, job_id: int) -> Job | None:
        row = self._db.row(f"{JOB_WITH_LAST_ATTEMPT} WHERE jobs.id = :id", {"id": job_id})
        return None if row is None else job_of(row)

    def select(
        self, which: JobFilter, *, limit: int, newest_first: bool = True, after_id: int | None = None
    ) -> list[Job]:
        """Return at most `limit` jobs by id; `after_id` goes on where the last page ended."""
        where, arguments = _where(which)
        if after_id is not None:
            where += " AND jobs.id < :after" if newest_first else " AND jobs.id > :after"
            arguments["after"] = after_id
        order = "DESC" if newest_first else "ASC"
        sql = f"{JOB_WITH_LAST_ATTEMPT} WHERE {where} ORDER BY jobs.id {order} LIMIT :limit"
        return [job_of(row) for row in self._db.rows(sql, {**arguments, "limit": limit})]

    def count(self, which: JobFilter) -> int:
        where, arguments = _where(which)
        rows = self._db.rows(f"SELECT count(*) AS n FROM jobs WHERE {where}", arguments)  # noqa: S608 -- fixed parts
        return int(rows[0]["n"])

    def counts(self) -> dict[State, int]:
        """Return how many jobs there are in each state, nought included."""
        found = dict.fromkeys(State, 0)
        rows = self._db.rows(
            """
            SELECT 'scheduled' AS state, count(*) AS n FROM jobs WHERE state = 'scheduled'
            UNION ALL
            SELECT 'ready', count(*) FROM jobs WHERE state = 'ready'
            UNION ALL
            SELECT 'running', count(*) FROM jobs WHERE state = 'running'
            UNION ALL
            SELECT state, count(*) FROM jobs WHERE finished_at IS NOT NULL GROUP BY state
            """
        )
        found.update({State(row["state"]): row["n"] for row in rows})
        return found

    def ended_before(self, instant: datetime, states: Sequence[State], *, limit: int) -> list[int]:
        """Return the ids of at most `limit` jobs in some states that ended before an instant."""
        ids: list[int] = []
        for state in states:
            rows = self._db.rows(
                """
                SELECT id
                  FROM jobs
                 WHERE state = :state AND finished_at IS NOT NULL AND finished_at < :before
                 ORDER BY finished_at
                 LIMIT :limit
                """,
                {"state": state, "before": to_ms(instant), "limit": limit - len(ids)},
            )
            ids += [row["id"] for row in rows]
        return ids

    def attempts(self, job_id: int) -> list[Attempt]:
        """Return the ended attempts of a job, the first one first."""
        rows = self._db.rows("SELECT * FROM attempts WHERE job_id = :id ORDER BY number", {"id": job_id})
        return [attempt_of(row) for row in rows]

    def environment(self, digest: str) -> dict[str, str]:
        """Return a captured environment; empty if it was forgotten or cannot be read."""
        row = self._db.row("SELECT variables FROM environments WHERE hash = :hash", {"hash": digest})
        return {} if row is None else variables_of(row)


def _where(which: JobFilter) -> tuple[str, dict[str, Any]]:
    """Return a WHERE clause and its values; each part is fixed text, values are bound."""
    parts: dict[str, tuple[str, Any]] = {
        "ids": (
            "jobs.id IN (SELECT value FROM json_each(:ids))",
            None if which.ids is None else compact(list(which.ids)),
        ),
        "queue": ("jobs.queue = :queue", which.queue),
        "task": ("jobs.task GLOB :task", which.task),
        "name": ("jobs.name = :name", which.name),
        "tag": ("EXISTS (SELECT 1 FROM json_each(jobs.tags) WHERE value = :tag)", which.tag),
        "since": (
            "coalesce(jobs.finished_at, jobs.created_at) >= :since",
            None if which.since is None else to_ms(which.since),
        ),
        "before": (
            "coalesce(jobs.finished_at, jobs.created_at) < :before",
            None if which.before is None else to_ms(which.before),
        ),
    }
    given = {name: value for name, (_, value) in parts.items() if value is not None}
    clauses = [parts[name][0] for name in given]
    if which.states:
        clauses.append(_states_clause(which.states))
    return " AND ".join(clauses) or "1", given


def _states_clause(states: frozenset[State]) -> str:
    """Name the states as text, so that the planner can use the partial index of each."""
    clauses = [f"jobs.state = '{state}'" for state in sorted(states)]
    listed = " OR ".join(clauses)
    finished = " AND jobs.finished_at IS NOT NULL" if all(state.is_final for state in states) else ""
    return f"({listed}){finished}"
