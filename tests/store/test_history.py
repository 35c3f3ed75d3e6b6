"""What ran in a span of time, read in portions."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobrun.lifecycle import settle
from jobrun.model import Ending, Kind, NewJob, Outcome, Output
from jobrun.store import Store
from jobrun.store import history as history_module
from jobrun.store.history import Run
from tests.claims import claim

NOW = datetime(2027, 1, 5, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def ran(store: Store, *endings: Ending, at: datetime = NOW, **options: Any) -> int:
    """Add a job and end its attempts, each a second after it began and that one a second after the last."""
    new = NewJob(
        **{"kind": Kind.CALL, "task": "app:f", "retries": len(endings) - 1, "backoff_s": 0.0, **options}
    )
    [added] = store.intake.add([new], now=at)
    for number, ending in enumerate(endings):
        begin = at + (2 * number + 1) * SECOND
        store.queue.promote(now=begin)
        [job] = claim(store, "w1", now=begin, new_token=lambda: "t")
        assert job.id == added.id
        becomes = settle(job, ending, begin + SECOND, 0.0)
        store.endings.settle(job, ending, becomes, now=begin + SECOND, pid=1)
    return added.id


def runs(store: Store, *, since: datetime = NOW, which: str | None = None) -> list[Run]:
    return [run for _, portion in store.history.runs(since=since, which=which) for run in portion]


OK = Ending(outcome=Outcome.OK, cpu_s=0.25, peak_rss=1 << 20)
BAD = Ending(outcome=Outcome.ERROR, cause="exit 3")


def test_a_run_tells_its_time_its_wait_and_what_it_used(store: Store) -> None:
    job_id = ran(store, OK)

    [run] = runs(store)

    assert (run.work, run.state, run.number, run.outcome, run.job_id) == (
        "app:f",
        "succeeded",
        1,
        "ok",
        job_id,
    )
    assert (run.took_ms, run.wait_ms, run.cpu_ms, run.peak_rss, run.output_size) == (
        1000,
        1000,
        250,
        1 << 20,
        0,
    )
    assert run.cause is None


def test_every_attempt_of_a_job_is_a_run_and_the_wait_of_a_retried_one_is_not_known(store: Store) -> None:
    ran(store, BAD, OK)

    first, second = sorted(runs(store), key=lambda run: run.ended_ms or 0)

    assert [(run.number, run.outcome, run.cause, run.wait_ms) for run in (first, second)] == [
        (1, "error", "exit 3", None),
        (2, "ok", None, None),
    ]


def test_a_job_that_never_began_has_no_run_and_is_counted(store: Store) -> None:
    [added] = store.intake.add([NewJob(kind=Kind.CALL, task="app:f")], now=NOW)
    store.orders.cancel(added.id, now=NOW)

    [run] = runs(store)

    assert (run.state, run.number, run.outcome) == ("cancelled", None, None)


def test_only_what_ended_since_then_is_told(store: Store) -> None:
    ran(store, OK, at=NOW - timedelta(hours=1))
    late = ran(store, OK)

    assert [run.job_id for run in runs(store)] == [late]
    assert store.history.count(since=NOW) == 1


@pytest.mark.parametrize("portion", [1, 2, 3, 100])
def test_each_job_is_told_once_however_it_is_cut(
    store: Store, portion: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_module, "PORTION", portion)
    told = [ran(store, *[BAD] * (i % 2), OK if i % 3 else BAD) for i in range(7)]
    waiting = store.intake.add([NewJob(kind=Kind.CALL, task="app:f")] * 5, now=NOW)
    for added in waiting[:4]:
        store.orders.cancel(added.id, now=NOW)
        told.append(added.id)

    found = list(store.history.runs(since=NOW, which=None))

    assert sum(looked_at for looked_at, _ in found) == store.history.count(since=NOW) == 11
    runs_of = [(run.job_id, run.number or 1) for _, each in found for run in each]
    assert len(set(runs_of)) == len(runs_of) == 14
    assert {job_id for job_id, number in runs_of if number == 1} == set(told)


@pytest.mark.parametrize(
    ("which", "works"),
    [
        (None, {"backup", "app:f", "mail.out:send", "shell"}),
        ("backup", {"backup"}),
        ("mail.*", {"mail.out:send"}),
        ("shell", {"shell"}),
        ("nothing", set()),
    ],
)
def test_an_entry_a_kind_or_a_pattern_of_tasks_is_meant(
    store: Store, which: str | None, works: set[str]
) -> None:
    ran(store, OK, kind=Kind.SHELL, task="tar c /", entry="backup")
    ran(store, OK)
    ran(store, OK, task="mail.out:send")
    ran(store, OK, kind=Kind.SHELL, task="true")

    assert {run.work for run in runs(store, which=which)} == works


def test_a_work_is_the_one_that_is_tallied(store: Store, path: Path) -> None:
    ran(store, OK, kind=Kind.SHELL, task="tar c /", entry="backup")
    ran(store, BAD, kind=Kind.COMMAND, task="ls -l", args=("ls", "-l"))
    ran(store, OK)

    with closing(sqlite3.connect(path)) as connection:
        tallied = {work for (work,) in connection.execute("SELECT work FROM job_tally")}
    assert {run.work for run in runs(store)} == tallied


def test_what_ended_is_found_by_its_time_and_its_attempts_by_their_job(store: Store, path: Path) -> None:
    del store
    values = {"state": "expired", "at": 1, "after": 0, "since": 1, "limit": 9}
    with closing(sqlite3.connect(path)) as connection:
        plans = [
            " ".join(row[-1] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values))
            for sql in (history_module._COUNT, history_module._RUNS)
        ]

    assert "USING COVERING INDEX jobs_finished (state=? AND finished_at>?)" in plans[0]
    assert "USING COVERING INDEX jobs_finished (state=? AND finished_at>?)" in plans[1]
    assert "SEARCH jobs USING INTEGER PRIMARY KEY (rowid=?)" in plans[1]
    assert "SEARCH attempts USING INDEX sqlite_autoindex_attempts_1 (job_id=?)" in plans[1]


def test_what_was_printed_is_not_read(store: Store, path: Path) -> None:
    """Count the pages that SQLite takes out of the file: those of output are many, those that are needed few."""
    big = Ending(outcome=Outcome.OK, output=Output(head=b"x" * 65536, tail=b"y" * 196_608, size=1 << 20))
    for _ in range(40):
        ran(store, big)
    store.checkpoint()

    before = _bytes_read()
    assert len(runs(store)) == 40
    taken = _bytes_read() - before

    assert path.stat().st_size > 10_000_000
    assert taken < path.stat().st_size / 3


def _bytes_read() -> int:
    [line] = [each for each in Path("/proc/self/io").read_text().splitlines() if each.startswith("rchar:")]
    return int(line.split()[1])
