"""What is forgotten when: by age, count and size, as `[retention]` of the tables says."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from jobrun.dispatcher import retention as module
from jobrun.dispatcher.retention import Retention
from jobrun.keeping import KEEP_S, Keeping, keeping
from jobrun.lifecycle import settle
from jobrun.model import Ending, Job, JobFilter, Kind, NewJob, Outcome, Output
from jobrun.store import Store, open_store
from tests.claims import claim

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
OK, ERROR = Outcome.OK, Outcome.ERROR
_numbers = count(1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "jobs.db", create=True) as opened:
        yield opened


def end(
    store: Store, outcome: Outcome = OK, *, ago_s: float = 0, printed: bytes = b"", **options: Any
) -> int:
    """Add a job that ended some seconds ago, and return its id."""
    then = NOW - timedelta(seconds=ago_s)
    job = begin(store, then, **options)
    ending = Ending(outcome=outcome, output=Output(tail=printed, size=len(printed)))
    assert store.endings.settle(job, ending, settle(job, ending, then, 0.5), now=then, pid=1)
    return job.id


def begin(store: Store, then: datetime, **options: Any) -> Job:
    store.intake.add([NewJob(**{"kind": Kind.CALL, "task": "app:work", **options})], now=then)
    [job] = claim(store, "w1", now=then, new_token=lambda: f"t{next(_numbers)}")
    return job


def say(store: Store, table: Path | str = "/etc/jobs.toml", **section: Any) -> None:
    store.sections.put(str(table), {"retention": section}, now=NOW)


def forget(store: Store, keep_s: float | None = None) -> list[str]:
    """Let retention go round until its pass is over, and return what it said."""
    said: list[str] = []
    go_round(Retention(store, keep_s, said.append), 0.0)
    return said


def go_round(retention: Retention, monotonic: float) -> None:
    while True:
        retention.do_round(now=NOW, monotonic=monotonic)
        if retention._next_at - monotonic >= module.EVERY_S:
            return
        monotonic = retention._next_at


def left(store: Store) -> list[int]:
    return store.ledger.ids(JobFilter(), limit=1000, newest_first=False)


def test_without_a_word_what_ended_well_goes_after_a_week_and_failures_stay() -> None:
    assert keeping([]) == Keeping(keep_s=KEEP_S, keep_failed_s=math.inf, keep_output_s=math.inf)
    assert KEEP_S == 7 * 86400


def test_of_several_tables_the_one_that_keeps_most_decides_value_by_value() -> None:
    found = keeping([{"keep": 5.0, "max_size": 10}, {"keep": 9.0, "keep_runs": 0}, {"keep_runs": 3}])

    assert (found.keep_s, found.max_size, found.keep_runs, found.keep_failed_runs) == (9.0, 10, 3, None)


def test_what_workers_were_told_wins_over_tables(store: Store) -> None:
    say(store, keep=10.0)
    kept = end(store, ago_s=60)

    forget(store, math.inf)

    assert left(store) == [kept]


def test_failures_go_when_a_table_says_so(store: Store) -> None:
    old, young = [end(store, ERROR, ago_s=s) for s in (61, 59)]
    forget(store)
    before = left(store)
    say(store, keep_failed=60.0)

    forget(store)

    assert (before, left(store)) == ([old, young], [young])


def test_a_table_that_changes_is_heard_in_the_next_pass(store: Store) -> None:
    retention = Retention(store, None)
    end(store, ago_s=60)
    go_round(retention, 0.0)
    assert len(left(store)) == 1
    say(store, keep=10.0)

    go_round(retention, 0.0 + retention._next_at)

    assert left(store) == []


def test_the_last_success_and_the_last_failure_of_an_entry_are_never_forgotten(store: Store) -> None:
    say(store, keep=10.0, keep_failed=10.0, keep_runs=0, keep_failed_runs=0, max_size=1)
    made = [
        end(store, outcome, ago_s=1000 - n, entry="backup")
        for n, outcome in enumerate([OK, ERROR, OK, ERROR, ERROR, OK])
    ]

    forget(store)

    assert left(store) == [made[4], made[5]]


def test_runs_are_counted_for_each_entry_and_each_task_and_failures_apart(store: Store) -> None:
    say(store, keep_runs=1, keep_failed_runs=2)
    fine = {name: [end(store, task=name) for _ in range(3)] for name in ("app:a", "app:b")}
    failed = [end(store, ERROR, task="app:a") for _ in range(3)]
    runs = [end(store, entry="app:a", task="app:a") for _ in range(3)]
    lines = [end(store, kind=Kind.SHELL, task="true") for _ in range(3)]

    forget(store)

    assert left(store) == sorted([fine["app:a"][2], fine["app:b"][2], *failed[1:], runs[2], *lines])


def test_a_file_that_is_too_large_loses_the_oldest_that_ended_well(store: Store) -> None:
    made = [end(store, ago_s=1000 - n, printed=b"x" * 9000) for n in range(120)]
    failed = end(store, ERROR, ago_s=5000, printed=b"x" * 9000)
    most = store.aging.used() - 300_000
    say(store, max_size=most)

    said = forget(store)

    found = left(store)
    assert failed in found
    assert found[:-1] == made[-len(found) + 1 :]
    assert most - 400_000 < store.aging.used() <= most
    assert said == []


def test_a_file_that_stays_too_large_is_told_of_once(store: Store) -> None:
    say(store, max_size=1)
    kept = end(store, ERROR)
    said: list[str] = []
    retention = Retention(store, None, said.append)

    for monotonic in (0.0, 100.0, 200.0):
        go_round(retention, monotonic)

    assert left(store) == [kept]
    [line] = said
    assert "more than the max_size of 1 B" in line


def test_output_goes_before_the_job_that_printed_it(store: Store) -> None:
    say(store, keep_output=60.0)
    old, failed, young = (
        end(store, ago_s=61, printed=b"old"),
        end(store, ERROR, ago_s=61, printed=b"bad"),
        end(store, ago_s=59, printed=b"young"),
    )

    forget(store)

    kept = {job: store.ledger.attempts(job)[0].ending.output for job in (old, failed, young)}
    assert {job: output.tail for job, output in kept.items()} == {old: b"", failed: b"", young: b"young"}
    assert [output.size for output in kept.values()] == [3, 3, 5]


def test_what_a_job_printed_stays_while_it_may_be_run_again(store: Store) -> None:
    say(store, keep_output=60.0)
    waits = end(store, ERROR, ago_s=100, printed=b"first", retries=1, backoff_s=1000.0)

    forget(store)

    assert store.ledger.attempts(waits)[0].ending.output.tail == b"first"


def test_output_is_found_when_it_grows_old_after_the_first_pass(store: Store) -> None:
    say(store, keep_output=400.0)
    ids = [end(store, ago_s=500 - n, printed=b"x") for n in range(250)]
    retention = Retention(store, math.inf)

    def have_output() -> list[int]:
        return [job for job in ids if store.ledger.attempts(job)[0].ending.output.tail]

    go_round(retention, 0.0)
    assert have_output() == ids[100:]
    say(store, keep_output=60.0)
    go_round(retention, retention._next_at)

    assert have_output() == []


def test_a_job_that_was_retried_since_it_was_found_stays(store: Store) -> None:
    say(store, keep_failed=10.0)
    failed = end(store, ERROR, ago_s=60)
    retention = Retention(store, None)
    find = store.aging.ended

    def found_then_retried(*args: Any, **options: Any) -> Any:
        found = find(*args, **options)
        if found.ids:
            store.orders.retry(found.ids, now=NOW)
        return found

    store.aging.ended = found_then_retried  # type: ignore[method-assign]
    go_round(retention, 0.0)

    assert left(store) == [failed]
