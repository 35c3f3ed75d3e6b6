from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from jobrun.actions import acting
from jobrun.model import Job, JobFilter, State
from jobrun.store import Store

Make = Callable[..., Job]
Run = Callable[..., subprocess.CompletedProcess[str]]


def left(store: Store) -> list[int]:
    return [job.id for job in store.ledger.select(JobFilter(), limit=10_000, newest_first=False)]


def test_purge_of_nothing_named_is_refused(store: Store, end: Make, jobrun: Run) -> None:
    end()

    done = jobrun("purge")

    assert done.returncode == 2
    assert "nothing was changed" in done.stderr
    assert len(left(store)) == 1


def test_purge_by_id_takes_attempts_along(store: Store, end: Make, jobrun: Run) -> None:
    job, kept = end(), end()

    done = jobrun("purge", str(job.id))

    assert (done.returncode, done.stdout) == (0, "1 job purged\n")
    assert left(store) == [kept.id]
    assert store.ledger.attempts(job.id) == []


@pytest.mark.parametrize("how", ["start", "add"])
def test_a_live_job_is_not_purged(
    how: str, store: Store, request: pytest.FixtureRequest, jobrun: Run
) -> None:
    job = request.getfixturevalue(how)()

    done = jobrun("purge", str(job.id))

    assert done.returncode == 1
    assert done.stderr == f"jobrun: job {job.id} is {job.state}: not purged; cancel it first\n"
    assert left(store) == [job.id]


def test_all_spares_what_lives(store: Store, end: Make, fail: Make, add: Make, jobrun: Run) -> None:
    end()
    fail()
    waiting = add()

    assert jobrun("purge", "--all", "--yes").stdout == "2 jobs purged\n"
    assert left(store) == [waiting.id]


def test_a_filter_spares_failed_jobs(store: Store, end: Make, fail: Make, jobrun: Run) -> None:
    failed = fail("mail:send")
    end("mail:send")

    jobrun("purge", "--task", "mail:*")

    assert left(store) == [failed.id]


def test_failed_jobs_go_when_their_state_is_named(store: Store, end: Make, fail: Make, jobrun: Run) -> None:
    fail()
    fine = end()

    jobrun("purge", "--state", "failed")

    assert left(store) == [fine.id]


def test_older_than_spares_the_younger(store: Store, end: Make, jobrun: Run) -> None:
    _old, young = end(ago_s=8 * 86400), end(ago_s=6 * 86400)

    jobrun("purge", "--older-than", "7d")

    assert left(store) == [young.id]


def test_live_states_cannot_be_named(store: Store, add: Make, jobrun: Run) -> None:
    add()

    assert jobrun("purge", "--state", "ready", "--yes").returncode == 2
    assert len(left(store)) == 1


def test_a_dry_run_names_the_jobs_and_removes_none(store: Store, end: Make, jobrun: Run) -> None:
    for _ in range(60):
        end("app:named")

    done = jobrun("purge", "--all", "--dry-run")

    assert done.returncode == 0
    assert done.stdout.count("app:named") == 60
    assert "60 jobs would be removed" in done.stderr
    assert len(left(store)) == 60


@pytest.mark.parametrize(("count", "code"), [(20, 0), (21, 2)])
def test_more_than_twenty_want_an_answer(count: int, code: int, store: Store, end: Make, jobrun: Run) -> None:
    for _ in range(count):
        end()

    assert jobrun("purge", "--state", "succeeded").returncode == code
    assert len(left(store)) == (0 if code == 0 else count)


def test_batches_are_small_and_told_of(store: Store, end: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acting, "BATCH", 2)
    for _ in range(5):
        end()
    told: list[int] = []

    removed = acting.purge_all(store, JobFilter(states=frozenset({State.SUCCEEDED})), tell=told.append)

    assert (removed, told) == (5, [2, 2, 1])


def test_a_purge_lets_others_in_early_when_much_was_printed(
    store: Store, end: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acting, "PIECE", 2)
    monkeypatch.setattr(acting, "HELD_S", -1.0)  # no piece is as quick
    for _ in range(5):
        end()
    told: list[int] = []

    removed = acting.purge_all(store, JobFilter(states=frozenset({State.SUCCEEDED})), tell=told.append)

    assert (removed, told) == (5, [2, 2, 1])


def test_a_purge_empties_the_log_on_its_way(store: Store, end: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acting, "BATCH", 1)
    monkeypatch.setattr(acting, "EMPTIED_AFTER", 2)
    for _ in range(2):
        end()

    acting.purge_all(store, JobFilter(states=frozenset({State.SUCCEEDED})), tell=lambda _: None)

    assert store.path.with_name(f"{store.path.name}-wal").stat().st_size == 0


def test_a_purge_takes_nothing_that_was_retried_since_it_was_looked_up(
    store: Store, fail: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [fail().id for _ in range(2)]
    monkeypatch.setattr(acting, "BATCH", 1)

    def retry(_: int) -> None:
        store.orders.retry(ids[1:], now=datetime.now(UTC))
        store.orders.cancel(ids[1], now=datetime.now(UTC))

    removed = acting.purge_all(store, JobFilter(states=frozenset({State.FAILED})), tell=retry)

    assert (removed, left(store)) == (1, ids[1:])


def test_json_tells_what_was_done(end: Make, add: Make, jobrun: Run) -> None:
    ended, live = end(), add()

    done = jobrun("purge", str(ended.id), str(live.id), "--json")

    found: Any = json.loads(done.stdout)
    refused = {"id": live.id, "state": "ready", "why": f"job {live.id} is ready"}
    assert found == {"purged": 1, "ids": [], "refused": [refused]}
