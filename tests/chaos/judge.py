"""The judge: the job file against the ledger. It reads with SQLite alone, and knows no code of jobrun.

Invariants I1 to I6 and I12, as CONTRIBUTING.md counts them.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from tests.chaos.ledger import Effects, Papers, read_effects

LIVE = ("ready", "scheduled", "running")
# Only an attempt that was never begun may end so.
NEVER_BEGUN = ("taken back from a worker that had not begun it", "its worker ended before it began")


class JobRow(NamedTuple):
    id: int
    state: str
    attempt: int
    token: str | None
    failures: int


class AttemptRow(NamedTuple):
    job: int
    number: int
    token: str
    worker: str
    outcome: str
    cause: str | None


class Evidence(NamedTuple):
    """All that the judge looks at."""

    jobs: dict[int, JobRow]
    attempts: dict[str, AttemptRow]
    by_job: dict[int, list[AttemptRow]]
    effects: Effects
    acknowledged: set[int]
    purged: set[int]
    cancelled: set[int]
    retried: set[int]


def gather(job_file: Path, papers: Papers) -> Evidence:
    """Read the job file and the papers."""
    with closing(sqlite3.connect(job_file, timeout=30)) as reader:
        jobs = [
            JobRow(*row) for row in reader.execute("SELECT id, state, attempt, token, failures FROM jobs")
        ]
        ended = [
            AttemptRow(*row)
            for row in reader.execute(
                "SELECT job_id, number, token, worker, outcome, cause FROM attempts ORDER BY job_id, number"
            )
        ]
    by_job: defaultdict[int, list[AttemptRow]] = defaultdict(list)
    for row in ended:
        by_job[row.job].append(row)
    return Evidence(
        jobs={job.id: job for job in jobs},
        attempts={row.token: row for row in ended},
        by_job=by_job,
        effects=read_effects(papers.effects),
        acknowledged=papers.ids(papers.acknowledged),
        purged=papers.ids(papers.purged),
        cancelled=papers.ids(papers.cancelled),
        retried=papers.ids(papers.retried),
    )


def integrity(job_file: Path) -> list[str]:
    """Say what SQLite finds wrong with the file."""
    with closing(sqlite3.connect(job_file, timeout=30)) as reader:
        try:
            said = [row[0] for row in reader.execute("PRAGMA integrity_check")]
        except sqlite3.DatabaseError as error:
            said = [str(error)]
    return [] if said == ["ok"] else [f"integrity_check: {said[:3]}"]


def faults(seen: Evidence) -> list[str]:
    """Say what of the promise did not hold, once nothing is running any more."""
    return [
        *seen.effects.faults,
        *_lost(seen),
        *_begun_twice(seen),
        *_effects_without_row(seen),
        *_rows_without_effect(seen),
        *_done_again(seen),
        *_states(seen),
    ]


def strict_faults(seen: Evidence) -> list[str]:
    """Say what did not hold of what is true while the machine stays up, and all that people order is on paper."""
    return [*_many_that_never_began(seen), *_failures_that_do_not_add_up(seen)]


def doubled(seen: Evidence) -> int:
    """Return how many jobs began more than once."""
    return sum(len(tokens) > 1 for tokens in seen.effects.by_job.values())


def _lost(seen: Evidence) -> Iterator[str]:
    """I1: what was acknowledged is there, until it is purged."""
    lost = sorted(seen.acknowledged - seen.jobs.keys() - seen.purged)
    if lost:
        yield f"{len(lost)} acknowledged jobs are lost: {lost[:10]}"


def _begun_twice(seen: Evidence) -> Iterator[str]:
    """I2: one attempt begins once, and ends at most once; no two attempts of a job live at a time."""
    for token in seen.effects.overlaps:
        yield f"began while an earlier attempt was alive: {seen.effects.first[token]}, {seen.attempts.get(token)}"
    for token, times in seen.effects.began.items():
        if times > 1:
            yield f"attempt began {times} times: {seen.effects.first[token]}, {seen.attempts.get(token)}"
    for token, times in seen.effects.ended.items():
        if times > 1 or not seen.effects.began[token]:
            yield f"attempt ended {times} times: {seen.effects.first[token]}"


def _effects_without_row(seen: Evidence) -> Iterator[str]:
    """I3: whatever began has a row, of its job, that does not deny it."""
    for token in seen.effects.began:
        effect = seen.effects.first[token]
        row = seen.attempts.get(token)
        if row is None:
            job = seen.jobs.get(effect.job)
            if effect.job not in seen.purged and not (job and job.state == "running" and job.token == token):
                yield f"an effect without an attempt: {effect}, {job}"
        elif row.job != effect.job or row.number != effect.attempt:
            yield f"the row is of another attempt: {effect}, {row}"
        elif row.cause in NEVER_BEGUN:
            yield f"began, and was put back as never begun: {effect}, {row}"


def _rows_without_effect(seen: Evidence) -> Iterator[str]:
    """I4: an outcome says what happened."""
    for token, row in seen.attempts.items():
        if row.outcome == "ok" and not seen.effects.ended[token]:
            yield f"succeeded without its effect: {row}"
        if row.outcome == "error" and not (seen.effects.failed[token] or seen.effects.struck[token]):
            yield f"failed without having failed: {row}"
        if row.outcome == "cancelled" and row.job not in seen.cancelled:
            yield f"cancelled by nobody: {row}"


def _done_again(seen: Evidence) -> Iterator[str]:
    """What succeeded is not begun again; every other double has a recorded attempt before it."""
    for tokens in seen.effects.by_job.values():
        rows = [row for token in tokens if (row := seen.attempts.get(token))]
        for row in sorted(rows, key=lambda row: row.number)[:-1]:
            if row.outcome == "ok":
                yield f"begun again after it had succeeded: {row}"


def _states(seen: Evidence) -> Iterator[str]:
    """I4, I5, I12: states and attempts agree, and attempts are numbered without gaps."""
    for job in seen.jobs.values():
        rows = seen.by_job.get(job.id, [])
        outcomes = Counter(row.outcome for row in rows)
        if job.state == "succeeded" and outcomes["ok"] != 1:
            yield f"succeeded, with outcomes {dict(outcomes)}: {job}"
        if job.state == "cancelled" and job.id not in seen.cancelled:
            yield f"cancelled by nobody: {job}"
        ended = job.attempt - (job.state == "running")
        if [row.number for row in rows] != list(range(1, ended + 1)):
            yield f"attempts {[row.number for row in rows]} of {job}"


def _many_that_never_began(seen: Evidence) -> Iterator[str]:
    """A worker that dies takes one attempt with it; those it had in reserve were not begun, and none crashed."""
    crashed = Counter(
        row.worker
        for token, row in seen.attempts.items()
        if row.outcome == "crashed" and not seen.effects.began[token]
    )
    for worker, times in crashed.items():
        if times > 1:
            yield f"{times} attempts of worker {worker} crashed without an effect"


def _failures_that_do_not_add_up(seen: Evidence) -> Iterator[str]:
    """I5: what counts against the retries of a job is what its attempts say, unless a person had a hand in it."""
    for job in seen.jobs.values():
        outcomes = Counter(row.outcome for row in seen.by_job.get(job.id, []))
        failed = outcomes["error"] + outcomes["timeout"] + outcomes["crashed"]
        if job.id not in seen.cancelled | seen.retried and job.failures != failed:
            yield f"{failed} attempts failed, by their rows: {job}"
