"""Looking: what ran, what did not and why. Reads are short, so that they never pin the WAL."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from jobrun.model import Attempt, Job, JobFilter, State
from jobrun.store.database import Database
from jobrun.store.rows import JOB_WITH_LAST_ATTEMPT, attempt_of, compact, instant, job_of, variables_of
from jobrun.units import to_ms

NEAR = 1000  # rows among which a page is looked for first
FREQUENT = 200_000  # rows of one state


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
        with self._db.reading():  # or a page might lack what changed meanwhile, and look like the last one
            ids = self.ids(which, limit=limit, newest_first=newest_first, after_id=after_id)
            return self._jobs(ids, which, newest_first=newest_first)

    def ids(
        self, which: JobFilter, *, limit: int, newest_first: bool = True, after_id: int | None = None
    ) -> list[int]:
        """Return the ids of what `select` would return.

        No plan is good for all: what is frequent is found among the next few rows, what is rare in the
        index of its state. Chosen blindly, the index of what succeeded would be sorted for every page.
        """
        page = _Page(limit, newest_first, after_id)
        where, arguments = _where(which)
        whole = f"{where}{_states_clause(which.states)}"
        if which.ids is None:
            near = self._page(f"{whole} AND {page.near(self._first_id(page))}", arguments, page)
            if len(near) >= limit:
                return near
        if not _is_in_index(which) or self._is_frequent(which):
            return self._page(whole, arguments, page)
        found = [
            self._page(f"{where}{_state_clause(each)}", arguments, page, is_indexed=True)
            for each in which.states
        ]
        return sorted(itertools.chain(*found), reverse=newest_first)[:limit]

    def _is_frequent(self, which: JobFilter) -> bool:
        """Say whether so many rows are in an index that to sort them takes longer than to read on in the file."""
        return which.since is None and self.count(JobFilter(states=which.states), limit=FREQUENT) == FREQUENT

    def count(self, which: JobFilter, *, limit: int | None = None) -> int:
        """Return how many jobs match; with a `limit` no more than so many are counted."""
        where, arguments = _where(which)
        clauses = [_state_clause(state) for state in which.states] or [""]
        most = -1 if limit is None else limit
        count = 0
        for clause in clauses:
            sql = f"SELECT count(*) AS n FROM (SELECT 1 FROM jobs WHERE {where}{clause} LIMIT :most)"  # noqa: S608 -- fixed parts
            count += int(self._db.rows(sql, {**arguments, "most": most})[0]["n"])
        return count if limit is None else min(count, limit)

    def longest_ready(self, *, limit: int) -> list[Job]:
        """Return the oldest of the ready jobs; the index has them by priority, of which there are few."""
        ids: list[int] = []
        priority = self._db.row("SELECT max(priority) AS p FROM jobs WHERE state = 'ready'")
        while priority is not None and priority["p"] is not None:
            arguments = {"p": priority["p"], "limit": limit}
            rows = self._db.rows(
                "SELECT id FROM jobs WHERE state = 'ready' AND priority = :p ORDER BY id LIMIT :limit",
                arguments,
            )
            ids += [row["id"] for row in rows]
            priority = self._db.row(
                "SELECT max(priority) AS p FROM jobs WHERE state = 'ready' AND priority < :p",
                {"p": arguments["p"]},
            )
        return self._jobs(sorted(ids)[:limit], JobFilter(states=frozenset({State.READY})), newest_first=False)

    def newest_at(self) -> datetime | None:
        """Return when the last job was added; None if there is none."""
        row = self._db.row("SELECT created_at FROM jobs ORDER BY id DESC LIMIT 1")
        return None if row is None else instant(row["created_at"])

    def last_ended(self, states: frozenset[State], *, limit: int) -> list[Job]:
        """Return the jobs in some states that ended last, the newest id first."""
        sql = """
            SELECT id, finished_at
              FROM jobs
             WHERE state = :state AND finished_at IS NOT NULL
             ORDER BY finished_at DESC
             LIMIT :limit
        """
        rows = [row for state in states for row in self._db.rows(sql, {"state": state, "limit": limit})]
        rows.sort(key=lambda row: row["finished_at"], reverse=True)
        return self._jobs([row["id"] for row in rows[:limit]], JobFilter(states=states), newest_first=True)

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
            SELECT state, count(*)
              FROM jobs
             WHERE state IN ('failed', 'crashed', 'cancelled', 'expired', 'skipped') AND finished_at IS NOT NULL
             GROUP BY state
            UNION ALL
            SELECT '', count(*) FROM jobs INDEXED BY jobs_finished WHERE finished_at IS NOT NULL
            """
        )
        counted = {row["state"]: row["n"] for row in rows}
        ended = counted.pop("")  # an index is counted as a whole in a third of the time that its rows take
        found.update({State(state): count for state, count in counted.items()})
        others = sum(count for state, count in found.items() if state.is_final)
        return {**found, State.SUCCEEDED: ended - others}

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

    def _jobs(self, ids: Sequence[int], which: JobFilter, *, newest_first: bool) -> list[Job]:
        """Return those of some jobs that match still; the ids were read a moment ago."""
        where, arguments = _where(which)
        sql = f"""
            {JOB_WITH_LAST_ATTEMPT}
             WHERE jobs.id IN (SELECT value FROM json_each(:these)) AND {where}{_states_clause(which.states)}
             ORDER BY jobs.id {"DESC" if newest_first else "ASC"}
        """  # noqa: S608 -- fixed parts
        return [job_of(row) for row in self._db.rows(sql, {**arguments, "these": compact(list(ids))})]

    def _page(
        self, where: str, arguments: dict[str, Any], page: _Page, *, is_indexed: bool = False
    ) -> list[int]:
        """Return ids row by row as they lie in the file, or sorted as an index has them."""
        hint, key = ("", "+jobs.id") if is_indexed else ("NOT INDEXED", "jobs.id")
        sql = f"SELECT id FROM jobs {hint} WHERE {where}{page.after} ORDER BY {key} {page.order} LIMIT :limit"  # noqa: S608 -- fixed parts
        rows = self._db.rows(sql, {**arguments, "after": page.after_id, "limit": page.limit})
        return [row["id"] for row in rows]

    def _first_id(self, page: _Page) -> int:
        """Return where a page begins."""
        if page.after_id is not None:
            return page.after_id
        row = self._db.row(f"SELECT {'max' if page.newest_first else 'min'}(id) AS id FROM jobs")  # noqa: S608 -- fixed parts
        return 0 if row is None or row["id"] is None else int(row["id"])

    def attempts(self, job_id: int) -> list[Attempt]:
        """Return the ended attempts of a job, the first one first."""
        rows = self._db.rows("SELECT * FROM attempts WHERE job_id = :id ORDER BY number", {"id": job_id})
        return [attempt_of(row) for row in rows]

    def environment(self, digest: str) -> dict[str, str]:
        """Return a captured environment; empty if it was forgotten or cannot be read."""
        row = self._db.row("SELECT variables FROM environments WHERE hash = :hash", {"hash": digest})
        return {} if row is None else variables_of(row)


class _Page(NamedTuple):
    """Some of the jobs, in the order of their ids."""

    limit: int
    newest_first: bool
    after_id: int | None

    @property
    def order(self) -> str:
        return "DESC" if self.newest_first else "ASC"

    @property
    def after(self) -> str:
        if self.after_id is None:
            return ""
        return " AND jobs.id < :after" if self.newest_first else " AND jobs.id > :after"

    def near(self, first_id: int) -> str:
        """Return what holds for the next few ids."""
        few = max(NEAR, 4 * self.limit)
        return f"jobs.id >= {first_id - few}" if self.newest_first else f"jobs.id <= {first_id + few}"


def _where(which: JobFilter) -> tuple[str, dict[str, Any]]:
    """Return a WHERE clause for all but the states, and its values; each part is fixed text, values are bound."""
    age = "jobs.finished_at" if _all_final(which.states) else "coalesce(jobs.finished_at, jobs.created_at)"
    parts: dict[str, tuple[str, Any]] = {
        "ids": (
            "jobs.id IN (SELECT value FROM json_each(:ids))",
            None if which.ids is None else compact(list(which.ids)),
        ),
        "queue": ("jobs.queue = :queue", which.queue),
        "task": (f"jobs.task {'GLOB' if _WILD.intersection(which.task or '') else '='} :task", which.task),
        "name": ("jobs.name = :name", which.name),
        "tag": (_HAS_TAG, which.tag),
        "since": (f"{age} >= :since", None if which.since is None else to_ms(which.since)),
        "before": (f"{age} < :before", None if which.before is None else to_ms(which.before)),
    }
    given = {name: value for name, (_, value) in parts.items() if value is not None}
    where = " AND ".join(parts[name][0] for name in given) or "1"
    return where, given if which.tag is None else {**given, "tag_text": compact(which.tag)}


_WILD = frozenset("*?[")
# A text without the tag in it is not read as JSON: that takes five times as long as all else.
_HAS_TAG = """
    instr(jobs.tags, :tag_text) AND EXISTS (SELECT 1 FROM json_each(jobs.tags) WHERE value = :tag)
"""


def _is_in_index(which: JobFilter) -> bool:
    """Say whether the indexes of states answer alone, or leave few rows to look at."""
    if not which.states or which.ids is not None:
        return False
    has_no_age = which.since is None and which.before is None
    is_alone = not any((which.queue, which.task, which.name, which.tag)) and (
        has_no_age or _all_final(which.states)
    )
    return is_alone or State.SUCCEEDED not in which.states


def _all_final(states: frozenset[State]) -> bool:
    return bool(states) and all(state.is_final for state in states)


def _state_clause(state: State) -> str:
    """Name a state as text, so that the planner can use its partial index."""
    return f" AND jobs.state = '{state}'{' AND jobs.finished_at IS NOT NULL' if state.is_final else ''}"


def _states_clause(states: frozenset[State]) -> str:
    """Name states so that no index is used for them."""
    listed = ", ".join(f"'{state}'" for state in sorted(states))
    return f" AND +jobs.state IN ({listed})" if states else ""
