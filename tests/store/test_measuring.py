"""What is measured of a job file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobrun.cron.words import NewTick, TickState
from jobrun.lifecycle import settle
from jobrun.measures import AttemptTally, JobTally, Pause, TickTally
from jobrun.model import Ending, Kind, NewJob, Outcome
from jobrun.queues import reserved_queue
from jobrun.store import Store
from tests.claims import claim

NOW = datetime(2027, 1, 5, 12, tzinfo=UTC)


def new(queue: str = "default", *, priority: int = 0, run_at: datetime | None = None, **more: Any) -> NewJob:
    return NewJob(
        **{"kind": Kind.CALL, "task": "app:f", "queue": queue, "priority": priority, "run_at": run_at, **more}
    )


def test_an_empty_file_has_nothing_to_measure(store: Store) -> None:
    found = store.measuring.measures(since=NOW, now=NOW)

    assert (found.queues, found.ready, found.running, found.oldest_wait) == ((), 0, 0, timedelta())
    assert (found.scheduled, found.failed, found.crashed, found.missed) == (0, 0, 0, 0)


def test_the_oldest_wait_is_that_of_the_first_due_whatever_its_id_and_priority(store: Store) -> None:
    later = NOW + timedelta(hours=1)
    store.intake.add([new("mail", run_at=later), new("mail", priority=5), new("mail")], now=NOW)
    store.intake.add([new(reserved_queue("mail", 7))], now=NOW)
    store.queue.promote(now=later)

    [mail] = store.measuring.measures(since=NOW, now=later).queues

    assert (mail.queue, mail.ready, mail.oldest_at) == ("mail", 3, NOW)
    assert mail.oldest_wait(later) == timedelta(hours=1)


def test_a_paused_queue_waits_for_nobody(store: Store) -> None:
    store.intake.add([new("mail")], now=NOW)
    pause = Pause(queue="mail", since=NOW, until=NOW + timedelta(hours=2), by="ann", reason="relay is down")
    store.pauses.begin(pause)

    held = store.measuring.measures(since=NOW, now=NOW + timedelta(hours=1))
    over = store.measuring.measures(since=NOW, now=NOW + timedelta(hours=2))

    assert ([each.pause for each in held.queues], held.oldest_wait) == ([pause], timedelta())
    assert ([each.pause for each in over.queues], over.oldest_wait) == ([None], timedelta(hours=2))


def test_what_waits_for_a_group_is_counted_up_to_a_limit(store: Store) -> None:
    store.intake.add([new("mail"), new("mail"), new("web"), new(reserved_queue("mail", 7))], now=NOW)

    counts = [store.queue.count_ready(queues, most=9) for queues in ([], ["mail"], ["none"])]

    assert counts == [3, 2, 0]
    assert store.queue.count_ready([], most=2) == 2


def test_a_pause_ends_once(store: Store) -> None:
    pause = Pause(queue="mail", since=NOW, until=None, by="ann", reason=None)
    store.pauses.begin(pause)

    assert store.pauses.all(now=NOW) == [pause]
    assert store.pauses.end("mail", now=NOW) == pause
    assert store.pauses.end("mail", now=NOW) is None


@pytest.mark.parametrize(
    ("took_ms", "up_to"), [(0, 100), (100, 100), (101, 250), (600_000, 600_000), (600_001, 0)]
)
def test_each_end_is_counted_for_good(store: Store, path: Path, took_ms: int, up_to: int) -> None:
    store.intake.add([new("mail"), new("mail", entry="nightly", kind=Kind.SHELL, task="true")], now=NOW)
    ended_at = NOW + timedelta(milliseconds=took_ms)
    ending = Ending(outcome=Outcome.OK)
    for job in claim(store, "w1", "w2", now=NOW, new_token=lambda: "t"):
        store.endings.settle(job, ending, settle(job, ending, ended_at, 0.5), now=ended_at, pid=None)
    store.orders.purge([1, 2])

    with closing(sqlite3.connect(path)) as connection:
        jobs = connection.execute("SELECT * FROM job_tally ORDER BY work").fetchall()
        attempts = connection.execute("SELECT * FROM attempt_tally ORDER BY work").fetchall()
    assert jobs == [("mail", "app:f", "succeeded", 1), ("mail", "nightly", "succeeded", 1)]
    assert attempts == [("app:f", "ok", up_to, 1, took_ms), ("nightly", "ok", up_to, 1, took_ms)]


def test_a_job_that_is_due_waits_though_nobody_made_it_ready(store: Store) -> None:
    soon, late = NOW + timedelta(minutes=1), NOW + timedelta(days=1)
    store.intake.add([new("mail", run_at=soon), new("mail", run_at=late)], now=NOW)
    store.intake.add([new(reserved_queue("mail", 7), run_at=soon)], now=NOW)

    before = store.measuring.measures(since=NOW, now=NOW)
    found = store.measuring.measures(since=NOW, now=soon + timedelta(minutes=5))

    assert (before.queues, before.scheduled) == ((), 3)
    [mail] = found.queues
    assert (mail.ready, found.oldest_wait, found.scheduled) == (1, timedelta(minutes=5), 1)


def test_what_is_counted_is_never_forgotten(store: Store) -> None:
    store.intake.add([new("mail")], now=NOW)
    ended_at, ending = NOW + timedelta(milliseconds=300), Ending(outcome=Outcome.ERROR, exit_code=1)
    [job] = claim(store, "w1", now=NOW, new_token=lambda: "t")
    store.endings.settle(job, ending, settle(job, ending, ended_at, 0.5), now=ended_at, pid=None)
    late = NewTick(at=NOW - timedelta(hours=9), last=NOW, count=10, state=TickState.MISSED)
    store.ticks.record("nightly", late, now=NOW)
    store.ticks.record("nightly", NewTick(at=ended_at, state=TickState.PENDING), now=NOW)
    tallied = store.tallies.all()

    store.orders.purge([job.id])
    assert store.ticks.forget_before(ended_at, limit=9) == 1

    assert store.tallies.all() == tallied
    assert tallied.jobs == (JobTally(queue="mail", work="app:f", state="failed", count=1),)
    one = AttemptTally(work="app:f", outcome="error", up_to_s=0.5, count=1, total_s=0.3)
    assert tallied.attempts == (one,)
    assert tallied.ticks == (TickTally(entry="nightly", state="missed", count=10),)


def test_a_tick_counts_when_it_is_decided_and_again_when_it_ran_after_all(store: Store) -> None:
    job = new(kind=Kind.SHELL, task="true", entry="nightly", scheduled_for=NOW)
    store.ticks.record("nightly", NewTick(at=NOW, state=TickState.PENDING), now=NOW)
    waiting = store.tallies.all().ticks
    store.ticks.promote_pending("nightly", NOW, job, now=NOW)
    later = NOW + timedelta(hours=1)
    store.ticks.record("nightly", NewTick(at=later, state=TickState.MISSED), now=NOW)
    store.ticks.record("nightly", NewTick(at=later, state=TickState.RAN, job=job), now=NOW)

    counted = {each.state: each.count for each in store.tallies.all().ticks}
    assert (waiting, counted) == ((), {"missed": 1, "ran": 2})
