"""Job files of any size: a few rows that jobrun itself writes, copied by SQL as often as is asked."""

from __future__ import annotations

import itertools
import os
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jobrun.lifecycle import settle
from jobrun.model import Ending, Job, Kind, NewJob, Outcome, Output
from jobrun.store import Store, open_store
from jobrun.store.endings import Settling

TASK = "shop.mail:send"
MIXED = {"failed": 0.01, "succeeded": 0.79, "scheduled": 0.1, "ready": 0.1}  # in the order of their ids
SPREAD_MS = 7 * 86_400_000  # over which jobs ended, or fall due
AT_ONCE = 250_000  # rows of one commit
_SCATTER = 7_919  # a prime: what falls due next is anywhere in the file


def fill(
    path: Path, rows: int, *, shares: Mapping[str, float] = MIXED, queues: int = 1, keys: bool = False
) -> None:
    """Make a job file of so many rows; their queues are as many as asked, and with `keys` each has one."""
    with open_store(path, create=True) as store:
        samples = _write_samples(store, datetime.now(UTC))
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("PRAGMA synchronous = OFF")
    raw.execute("PRAGMA cache_size = -400000")
    indexes = _drop_indexes(raw)
    for state, share in shares.items():
        _copy(raw, samples[state], round(rows * share), queues=queues, keys=keys)
    for job_id in samples.values():
        raw.execute("DELETE FROM attempts WHERE job_id = ?", (job_id,))
        raw.execute("DELETE FROM jobs WHERE id = ?", (job_id,))
    for statement in indexes:
        raw.execute(statement)
    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    raw.close()
    with path.open("rb") as file:
        os.fsync(file.fileno())


def end_running(store: Store, jobs: list[Job], *, now: datetime, outcome: Outcome = Outcome.OK) -> None:
    """End claimed jobs in one commit, as a dispatcher does."""
    ending = Ending(outcome=outcome, result="null", output=Output(), cpu_s=0.001, peak_rss=20_000_000)
    ends = [Settling(job, ending, settle(job, ending, now, 0.5), 4711) for job in jobs]
    store.endings.settle_all(ends, now=now)


def claim(store: Store, limit: int, *, workers: int = 1, now: datetime) -> list[Job]:
    """Claim for so many workers in turn."""
    names = itertools.cycle([f"8f3c02d4a1b7-{number}" for number in range(workers)])
    token = iter(lambda: os.urandom(8).hex(), "")
    return store.queue.claim(
        lambda _: next(names), limit=limit, queues=(), now=now, new_token=lambda: next(token)
    )


def _write_samples(store: Store, now: datetime) -> dict[str, int]:
    """Write a job of each state, and return their ids."""
    ids = {}
    for state, outcome in (("succeeded", Outcome.OK), ("failed", Outcome.ERROR)):
        [added] = store.intake.add([_job(now)], now=now)
        end_running(store, claim(store, 1, now=now), now=now, outcome=outcome)
        ids[state] = added.id
    for state, run_at in (("ready", now), ("scheduled", now + timedelta(hours=1))):
        [added] = store.intake.add([_job(run_at)], now=now)
        ids[state] = added.id
    return ids


def _job(run_at: datetime) -> NewJob:
    return NewJob(kind=Kind.CALL, task=TASK, args=(4711,), kwargs={"subject": "Hello"}, run_at=run_at)


def _drop_indexes(raw: sqlite3.Connection) -> list[str]:
    """Drop what is faster to make at the end; return the statements for it."""
    found = raw.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'jobs' AND sql > ''"
    )
    statements = []
    for name, sql in found.fetchall():
        raw.execute(f"DROP INDEX {name}")
        statements.append(sql)
    return statements


def _copy(raw: sqlite3.Connection, sample: int, count: int, *, queues: int, keys: bool) -> None:
    """Copy a job with its attempts; its times are moved, those that ended to the past, others to the future."""
    columns = [row[1] for row in raw.execute("PRAGMA table_info(jobs)") if row[1] != "id"]
    step = SPREAD_MS // max(count, 1)
    moved = dict.fromkeys(("run_at", "created_at", "started_at", "finished_at"), f"+ (n - {count}) * {step}")
    live = "CASE WHEN finished_at IS NULL THEN run_at + n * {} % {} * {} ELSE run_at {} END"
    terms = {
        **{name: f"iif(finished_at IS NULL, {name}, {name} {by})" for name, by in moved.items()},
        "run_at": live.format(_SCATTER, max(count, 1), step, moved["run_at"]) if count else "run_at",
        "queue": "queue" if queues == 1 else f"'queue-' || (n * {_SCATTER} % {queues})",
        "key": "'key-' || state || n" if keys else "key",
    }
    chosen = ", ".join(terms.get(name, name) for name in columns)
    for first in range(0, count, AT_ONCE):
        size = min(AT_ONCE, count - first)
        numbers = f"WITH RECURSIVE s(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM s LIMIT {size})"
        raw.execute("BEGIN")
        [(last,)] = raw.execute("SELECT max(id) FROM jobs").fetchall()
        raw.execute(
            f"INSERT INTO jobs ({', '.join(columns)}) {numbers} SELECT {chosen} FROM s, jobs WHERE id = ?",
            (sample,),
        )
        _copy_attempts(raw, sample, last)
        raw.execute("COMMIT")
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _copy_attempts(raw: sqlite3.Connection, sample: int, last: int) -> None:
    """Give the jobs after `last` the attempts of a sample, at their times and with tokens of their own."""
    own = {
        "job_id": "job.id",
        "started_at": "job.started_at",
        "finished_at": "job.finished_at",
        "token": "substr(attempts.token, 1, instr(attempts.token, '-')) || job.id",
    }
    columns = [row[1] for row in raw.execute("PRAGMA table_info(attempts)")]
    chosen = ", ".join(own.get(name, f"attempts.{name}") for name in columns)
    raw.execute(
        f"INSERT INTO attempts ({', '.join(columns)}) SELECT {chosen}"
        " FROM jobs AS job, attempts WHERE job.id > ? AND attempts.job_id = ? ORDER BY job.id",
        (last, sample),
    )
