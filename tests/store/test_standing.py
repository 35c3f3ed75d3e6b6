"""Where a job stands among the others."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobrun.lifecycle import settle
from jobrun.model import Ending, Kind, NewJob, Outcome, Output
from jobrun.queues import reserved_queue
from jobrun.store import Store, open_store
from jobrun.store import standing as standing_module
from jobrun.store.standing import Ahead
from tests.claims import claim

NOW = datetime(2027, 1, 5, 12, tzinfo=UTC)
QUEUES = ("a", "b", "c", reserved_queue("a", 7))


def new(queue: str = "a", priority: int = 0, **more: str) -> NewJob:
    return NewJob(kind=Kind.CALL, task="app:f", queue=queue, priority=priority, **more)  # type: ignore[arg-type]


@given(
    waiting=st.lists(st.tuples(st.sampled_from(QUEUES), st.integers(-1, 1)), min_size=1, max_size=12),
    queues=st.sets(st.sampled_from("abc")),
    without=st.sets(st.sampled_from("abc")),
    data=st.data(),
)
def test_what_goes_before_a_job_is_what_is_claimed_before_it(
    tmp_path_factory: pytest.TempPathFactory,
    waiting: list[tuple[str, int]],
    queues: set[str],
    without: set[str],
    data: st.DataObject,
) -> None:
    with open_store(tmp_path_factory.mktemp("s") / "jobs.db", create=True) as store:
        added = store.intake.add([new(*each) for each in waiting], now=NOW)
        job = store.ledger.get(data.draw(st.sampled_from(added)).id)
        assert job is not None

        ahead = store.standing.ahead(job, queues=queues, without=without)

    listened = (queues or {"a", "b", "c"}) - without
    others = [(-p, place) for place, (q, p) in enumerate(waiting, 1) if q in listened]
    before = [each for each in others if each < (-job.priority, job.id)]
    urgent = sum(-p > job.priority for p, _ in before)
    assert ahead == Ahead(urgent, len(before) - urgent)


def test_no_more_are_counted_than_anybody_reads(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing_module, "COUNTED", 5)
    added = store.intake.add([new("a", 1)] * 4 + [new("b")] * 9, now=NOW)
    job = store.ledger.get(added[-1].id)
    assert job is not None

    assert store.standing.ahead(job, queues=(), without=()) == Ahead(4, 2)


def test_counting_what_goes_before_leaps_to_its_place_in_the_index(store: Store, path: Path) -> None:
    del store
    sql = """
        SELECT 1 FROM jobs INDEXED BY jobs_ready_by_queue
         WHERE state = 'ready' AND queue = 'a' AND priority = 0 AND id < 9 LIMIT 5
    """
    with closing(sqlite3.connect(path)) as connection:
        [(*_, plan)] = connection.execute(f"EXPLAIN QUERY PLAN {sql}")

    assert re.search(r"jobs_ready_by_queue \(queue=\? AND priority=\? AND \w+<\?\)", plan)


def test_a_key_is_held_by_the_live_job_alone(store: Store) -> None:
    [first] = store.intake.add([new(key="k")], now=NOW)

    assert store.standing.key_holder("k") == first.id
    store.orders.cancel(first.id, now=NOW)
    assert store.standing.key_holder("k") is None


def test_the_last_attempt_is_told_without_what_it_printed(store: Store) -> None:
    [added] = store.intake.add([new()], now=NOW)
    assert store.standing.last_attempt(added.id) is None
    [job] = claim(store, "w1", now=NOW, new_token=lambda: "t")
    ending = Ending(outcome=Outcome.ERROR, cause="exit 3", output=Output(head=b"x" * 9, size=9))
    store.endings.settle(job, ending, settle(job, ending, NOW, 0.5), now=NOW, pid=1)

    attempt = store.standing.last_attempt(added.id)

    assert attempt is not None
    assert (attempt.number, attempt.ending.cause) == (1, "exit 3")
    assert (attempt.ending.output.size, attempt.ending.output.head) == (9, b"")
