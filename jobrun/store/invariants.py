"""What holds between the rows of any job file of ours, as SQL that finds where it does not.

Each statement sees one state of the file, so that all of this may be asked beside workers. Jobs are looked at
some thousand ids at a time: a long read would keep the WAL from being emptied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from jobrun.requests import MAX_PRIORITY, MAX_RETRIES

AT_ONCE = 5_000  # ids
SHOWN = 5  # rows that are named of what is wrong

_CONTROL = "'*[' || char(1) || '-' || char(31) || char(127) || ']*'"

Ask = Callable[[str, dict[str, Any]], list[Any]]  # a statement with its arguments; returns rows


class Broken(NamedTuple):
    """A rule that does not hold for some rows; how many there are is counted up to `AT_ONCE`."""

    what: str
    number: int
    rows: tuple[str, ...]  # the first of them


# Each takes :first and :last, ids of jobs, and returns what names a row.
OF_JOBS = {
    "numbers of attempts have gaps, or are not what the job says": """
        SELECT 'job ' || id FROM jobs
         WHERE id BETWEEN :first AND :last
           AND attempt - (state = 'running') <> (SELECT CASE WHEN count(*) = coalesce(max(number), 0)
                                                             THEN count(*) ELSE -1 END
                                                   FROM attempts WHERE job_id = jobs.id)
    """,
    "jobs succeeded without an attempt that did": """
        SELECT 'job ' || id FROM jobs
         WHERE id BETWEEN :first AND :last AND state = 'succeeded'
           AND NOT EXISTS (SELECT 1 FROM attempts
                            WHERE job_id = jobs.id AND number = jobs.attempt AND outcome = 'ok')
    """,
    # As `requests` checks what is asked for; only an import, or another program, could have written them.
    "jobs have a mask, directory, priority, number of retries or name that nobody can ask for": f"""
        SELECT 'job ' || id FROM jobs
         WHERE id BETWEEN :first AND :last
           AND (umask NOT BETWEEN 0 AND {0o777} OR retries > {MAX_RETRIES}
                OR priority NOT BETWEEN -{MAX_PRIORITY} AND {MAX_PRIORITY}
                OR (cwd <> '""' AND cwd NOT LIKE '"/%')
                OR queue GLOB {_CONTROL} OR name GLOB {_CONTROL} OR key GLOB {_CONTROL})
    """,  # noqa: S608 -- fixed numbers
    "attempts belong to no job": """
        SELECT 'job ' || job_id FROM attempts
         WHERE job_id BETWEEN :first AND :last AND NOT EXISTS (SELECT 1 FROM jobs WHERE id = job_id)
    """,
    "jobs need an environment that is not there": """
        SELECT 'job ' || id FROM jobs
         WHERE id BETWEEN :first AND :last AND environment IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM environments WHERE hash = environment)
    """,
}
OF_THE_REST = {
    "attempts that run have one token": """
        SELECT 'job ' || max(id) FROM jobs WHERE state = 'running' GROUP BY token HAVING count(*) > 1
    """,
    "attempts that run have the token of one that has ended": """
        SELECT 'job ' || id FROM jobs
         WHERE state = 'running'
           AND EXISTS (SELECT 1 FROM attempts WHERE job_id = jobs.id AND attempts.token = jobs.token)
    """,
    "environments are kept that no job needs": """
        SELECT 'environment ' || hash FROM environments
         WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE environment = hash)
    """,
    "jobs are not those of the ticks that they came from": """
        SELECT 'job ' || id FROM ticks JOIN jobs ON id = job_id
         WHERE jobs.entry IS NOT ticks.entry OR jobs.scheduled_for IS NOT ticks.at
    """,
    "edits belong to no job": """
        SELECT 'job ' || job_id FROM edits WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE id = job_id)
    """,
    "several ticks became one job": """
        SELECT 'job ' || job_id FROM ticks WHERE job_id IS NOT NULL GROUP BY job_id HAVING count(*) > 1
    """,
}
# They read and sort a whole table.
OF_ALL_TOKENS = {
    "attempts that have ended have one token": """
        SELECT 'job ' || max(job_id) FROM attempts GROUP BY token HAVING count(*) > 1
    """,
}


def broken_for_jobs(ask: Ask, first: int, last: int) -> Iterator[Broken]:
    """Yield what does not hold for the jobs from one id to another, and their attempts."""
    return _broken(ask, OF_JOBS, {"first": first, "last": last})


def broken_otherwise(ask: Ask, *, is_full: bool) -> Iterator[Broken]:
    """Yield what does not hold for all that jobs are not; `is_full`: also what takes long to find."""
    yield from _broken(ask, OF_THE_REST, {})
    if is_full:
        yield from _broken(ask, OF_ALL_TOKENS, {})


def _broken(ask: Ask, rules: dict[str, str], arguments: dict[str, Any]) -> Iterator[Broken]:
    for what, sql in rules.items():
        rows = ask(f"{sql} LIMIT {AT_ONCE}", arguments)
        if rows:
            yield Broken(what, len(rows), tuple(str(row[0]) for row in rows[:SHOWN]))
