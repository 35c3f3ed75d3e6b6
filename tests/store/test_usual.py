"""How long works usually take."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobrun.cron.words import NewTick, TickState
from jobrun.lifecycle import settle
from jobrun.measures import Usual
from jobrun.model import Ending, Job, Kind, NewJob, Outcome
from jobrun.store import Store
from jobrun.store.usual import FRESH, RECENT
from tests.claims import claim

NOW = datetime(2027, 1, 5, 12, tzinfo=UTC)
Run = Callable[..., Job]


def call(task: str = "app:report", **more: Any) -> NewJob:
    return NewJob(**{"kind": Kind.CALL, "task": task, **more})


@pytest.fixture
def run(store: Store) -> Run:
    """Add a job that begins now, and end it after so many seconds."""

    def ran(new: NewJob, took_s: float, outcome: Outcome = Outcome.OK) -> Job:
        if new.entry is None:
            store.intake.add([new], now=NOW)
        [job] = claim(store, "w1", now=NOW, new_token=lambda: "t")
        end = NOW + timedelta(seconds=took_s)
        ending = Ending(outcome=outcome)
        store.endings.settle(job, ending, settle(job, ending, end, 0.5), now=end, pid=None)
        return job

    return ran


def test_what_never_ran_has_no_usual_time(store: Store, run: Run) -> None:
    job = run(call(), 7, Outcome.ERROR)

    assert store.usual.of(job, now=NOW) is None


def test_the_usual_time_of_a_call_is_that_of_its_recent_successes(store: Store, run: Run) -> None:
    for took_s in (1, 2, 3, 4, 90):
        job = run(call(), took_s)
    run(call("app:other"), 500)
    run(call(), 500, Outcome.TIMEOUT)

    assert store.usual.of(job, now=NOW) == Usual(median_s=3, p95_s=90, count=5)


def test_the_usual_time_of_an_entry_is_that_of_its_ticks(store: Store, run: Run) -> None:
    for hour in range(6):
        new = call(entry="nightly", scheduled_for=NOW + timedelta(hours=hour))
        tick = NewTick(at=NOW + timedelta(hours=hour), state=TickState.RAN, job=new)
        store.ticks.record("nightly", tick, now=NOW)
        job = run(new, 10 + hour)
    run(call(), 500)  # the same task, asked for by a person

    assert store.usual.of(job, now=NOW) == Usual(median_s=12, p95_s=15, count=6)


def test_lines_are_told_apart_by_what_they_run(store: Store, run: Run) -> None:
    sync = run(call("sync", kind=Kind.SHELL), 10)
    dump = run(call("dump", kind=Kind.SHELL), 70)

    assert store.usual.of(sync, now=NOW) == Usual(median_s=10, p95_s=10, count=1)
    assert store.usual.of(dump, now=NOW) == Usual(median_s=70, p95_s=70, count=1)


def test_what_is_not_kept_any_more_is_known_by_the_tally(store: Store, run: Run) -> None:
    jobs = [run(call(), took_s) for took_s in (0.2, 4, 4, 4, 800, 900)]
    store.orders.purge([job.id for job in jobs])

    found = store.usual.of(jobs[0], now=NOW)

    assert found == Usual(median_s=4, p95_s=850, count=6)


def test_other_works_do_not_crowd_out_a_rare_one(store: Store, run: Run) -> None:
    rare = run(call("app:rare"), 30)
    store.intake.add([call("app:often")] * RECENT, now=NOW)
    jobs = claim(store, *["w1"] * RECENT, now=NOW, new_token=lambda: "t")
    later = NOW + timedelta(minutes=1)
    ending = Ending(outcome=Outcome.OK)
    with store.group():
        for job in jobs:
            store.endings.settle(job, ending, settle(job, ending, later, 0.5), now=later, pid=None)

    assert store.usual.of(rare, now=NOW) == Usual(median_s=30, p95_s=30, count=1)


def test_it_is_read_again_after_a_minute_and_when_the_clock_was_set_back(store: Store, run: Run) -> None:
    job = run(call(), 10)
    seen = [store.usual.of(job, now=NOW)]
    for _ in range(2):
        run(call(), 50)
    seen += [store.usual.of(job, now=now) for now in (NOW + FRESH / 2, NOW + FRESH)]
    for _ in range(4):
        run(call(), 80)
    seen.append(store.usual.of(job, now=NOW))

    assert [each and each.median_s for each in seen] == [10, 10, 50, 80]
