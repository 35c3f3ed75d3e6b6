"""The alerts of tables in the job file, and what is measured for them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobrun import locks
from jobrun.alerts.words import Alert, AlertRow, Condition, Event, Latch, Quantity, Reading
from jobrun.cron.words import Errand, NewTick, TickState
from jobrun.errors import UsageError
from jobrun.lifecycle import settle
from jobrun.measures import Pause
from jobrun.model import Ending, Job, JobFilter, Kind, NewJob, Outcome, WorkerRow
from jobrun.paths import side_dir
from jobrun.store import Store
from tests.claims import claim

NOW = datetime(2027, 1, 5, 12, tzinfo=UTC)
MANY = Reading(value=120, text="120 ready")
Run = Callable[..., Job]


def alert(name: str = "backlog", *, threshold: float = 100, task: str = "page", **options: Any) -> Alert:
    condition = Condition(quantity=Quantity.DEPTH, threshold=threshold)
    errand = Errand(kind=Kind.SHELL, task=task)
    return Alert(**{"name": name, "condition": condition, "errand": errand, **options})


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "jobs.toml"
    path.touch()
    return str(path)


@pytest.fixture
def told(store: Store) -> Callable[[], list[str]]:
    """Return what all jobs of the file tell, the oldest first."""

    def states() -> list[str]:
        jobs = store.ledger.select(JobFilter(tag="alert"), limit=100, newest_first=False)
        return [(job.key or "").split()[3] for job in jobs]

    return states


def fire(store: Store, name: str = "backlog") -> AlertRow:
    """Have an alert told that it fires; return it as it is then."""
    row = store.alerts.get(name)
    assert row is not None
    latch = Latch(holds_since=NOW, told_at=NOW, tells=1)
    assert store.alerts.move(row, latch, told=(Event.FIRING, MANY), now=NOW)
    after = store.alerts.get(name)
    assert after is not None
    return after


def test_an_alert_is_kept_as_its_table_says_it(store: Store, table: str) -> None:
    said = alert(for_s=60, remind_s=5, on_end=False)
    store.alerts.load(table, [said], now=NOW)

    [row] = store.alerts.rows(table)

    assert row.alert == dataclasses.replace(said, errand=None)
    assert (row.latch, row.last_event, row.template and row.template.task) == (Latch(), None, "page")


def test_a_turn_and_the_job_that_tells_it_are_one_commit(
    store: Store, table: str, told: Callable[[], list[str]]
) -> None:
    store.alerts.load(table, [alert()], now=NOW)

    after = fire(store)

    assert told() == ["firing"]
    assert (after.last_event, after.last_at, after.last_text, after.job_id) == (
        Event.FIRING, NOW, "120 ready", 1,
    )  # fmt: skip


def test_who_looked_at_an_older_state_tells_nothing(
    store: Store, table: str, told: Callable[[], list[str]]
) -> None:
    store.alerts.load(table, [alert()], now=NOW)
    [before] = store.alerts.rows()
    fire(store)

    latch = Latch(holds_since=NOW, told_at=NOW, tells=1)
    assert not store.alerts.move(before, latch, told=(Event.FIRING, MANY), now=NOW)
    assert told() == ["firing"]


def test_the_same_table_again_changes_nothing_about_an_alert_that_fires(
    store: Store, table: str, told: Callable[[], list[str]]
) -> None:
    store.alerts.load(table, [alert()], now=NOW)
    after = fire(store)

    store.alerts.load(table, [alert()], now=NOW)

    assert store.alerts.rows() == [after]
    assert told() == ["firing"]


@pytest.mark.parametrize("now_said", [[], [alert(threshold=200)], [alert(task="mail")]])
def test_of_an_alert_that_fires_and_is_changed_or_removed_it_is_told_that_it_is_over(
    now_said: list[Alert], store: Store, table: str, told: Callable[[], list[str]]
) -> None:
    store.alerts.load(table, [alert()], now=NOW)
    fire(store)

    store.alerts.load(table, now_said, now=NOW)

    assert told() == ["firing", "over"]
    assert [row.latch for row in store.alerts.rows()] == [Latch()] * len(now_said)


def test_an_alert_that_tells_no_end_is_removed_in_silence(
    store: Store, table: str, told: Callable[[], list[str]]
) -> None:
    store.alerts.load(table, [alert(on_end=False), alert("quiet")], now=NOW)
    fire(store)

    store.alerts.load(table, [], now=NOW)

    assert (told(), store.alerts.rows()) == (["firing"], [])


def test_a_name_is_one_alerts_alone(store: Store, table: str, tmp_path: Path) -> None:
    store.alerts.load(table, [alert()], now=NOW)

    with pytest.raises(UsageError, match=r"alert `backlog` is in `.*jobs.toml` already"):
        store.alerts.load(str(tmp_path / "other.toml"), [alert()], now=NOW)

    assert [row.table for row in store.alerts.rows()] == [table]


def test_the_heir_of_a_table_that_is_gone_has_its_alerts_as_they_stood(store: Store, tmp_path: Path) -> None:
    store.alerts.load(str(tmp_path / "gone.toml"), [alert()], now=NOW)
    after = fire(store)

    store.alerts.load(str(tmp_path / "heir.toml"), [alert()], now=NOW)

    assert store.alerts.rows() == [dataclasses.replace(after, table=str(tmp_path / "heir.toml"))]


def test_what_nobody_has_told_yet_can_be_put_into_a_queue_of_its_own(store: Store, table: str) -> None:
    store.alerts.load(table, [alert()], now=NOW)
    fire(store)
    store.intake.add([NewJob(kind=Kind.SHELL, task="true", key=".alert")], now=NOW)

    assert store.alerts.untold(table, now=NOW) == [(1, "default", NOW)]
    assert store.alerts.untold("/other.toml", now=NOW) == []
    assert store.alerts.reserve([1], ".7.default") == 1
    assert store.alerts.untold(table, now=NOW) == [(1, ".7.default", NOW)]
    [job] = claim(store, "w1", now=NOW, new_token=lambda: "t", queues=[".7.default"])
    assert (job.id, job.queue) == (1, "default")
    assert store.alerts.untold(table, now=NOW) == []
    assert store.alerts.tellers(table) == ["w1"]
    assert store.alerts.reserve([1], ".8.default") == 0


# What is measured.


@pytest.fixture
def run(store: Store) -> Run:
    """Add a job that begins now, and end it after so many seconds; None: it goes on."""

    def ran(
        task: str = "app:f",
        *,
        ago_s: float = 0,
        outcome: Outcome = Outcome.OK,
        took_s: float | None = 1,
        **more: Any,
    ) -> Job:
        begin = NOW - timedelta(seconds=ago_s)
        if more.get("entry") is None:
            store.intake.add([NewJob(**{"kind": Kind.CALL, "task": task, **more})], now=begin)
        else:
            new = NewJob(kind=Kind.SHELL, task=task, **more)
            store.ticks.record(more["entry"], NewTick(at=begin, state=TickState.RAN, job=new), now=begin)
        [job] = claim(store, f"w{ago_s}", now=begin, new_token=lambda: "t")
        if took_s is not None:
            end = begin + timedelta(seconds=took_s)
            ending = Ending(outcome=outcome)
            store.endings.settle(job, ending, settle(job, ending, end, 0.5), now=end, pid=None)
        return job

    return ran  # fmt: skip


def measured(store: Store, quantity: Quantity, **options: Any) -> tuple[float | None, str]:
    condition = Condition(**{"quantity": quantity, "threshold": 1, **options})
    [reading] = store.readings.of([condition], now=NOW)
    return reading.value, reading.text


def test_depth_is_what_is_ready_in_a_queue_or_in_all(store: Store) -> None:
    jobs = [NewJob(kind=Kind.CALL, task="app:f", queue=queue) for queue in ("mail", "mail", "web")]
    store.intake.add(jobs, now=NOW)

    assert measured(store, Quantity.DEPTH) == (3, "3 ready")
    assert measured(store, Quantity.DEPTH, queue="mail") == (2, "2 ready in mail")
    assert measured(store, Quantity.DEPTH, queue="none") == (0, "0 ready in none")


def test_the_wait_is_that_of_a_queue_which_is_not_paused(store: Store) -> None:
    for queue, waits_s in (("mail", 90), ("web", 30)):
        store.intake.add(
            [NewJob(kind=Kind.CALL, task="app:f", queue=queue)], now=NOW - timedelta(seconds=waits_s)
        )

    assert measured(store, Quantity.WAIT) == (90, "longest wait 1m 30s")
    store.pauses.begin(Pause(queue="mail", since=NOW, until=None, by="ann", reason=None))
    assert measured(store, Quantity.WAIT) == (30, "longest wait 30s")
    assert measured(store, Quantity.WAIT, queue="mail") == (0, "nothing waits in mail")


def test_the_failure_rate_is_of_the_runs_that_ended_lately(store: Store, run: Run) -> None:
    for ago_s, outcome in ((4000, Outcome.ERROR), (600, Outcome.ERROR), (500, Outcome.OK), (400, Outcome.OK)):
        run(ago_s=ago_s, outcome=outcome)
    run("app:g", ago_s=300)

    rate = Quantity.FAILURE_RATE
    assert measured(store, rate, runs=4) == (0.25, "25% of 4 runs failed")
    assert measured(store, rate, runs=5) == (None, "4 runs, too few for a rate")
    assert measured(store, rate, runs=5, over_s=4000) == (0.4, "40% of 5 runs failed")
    assert measured(store, rate, runs=1, task="app:g") == (0.0, "0% of 1 run of app:g failed")


def test_the_failure_rate_of_an_entry_is_that_of_its_ticks(store: Store, run: Run) -> None:
    for ago_s, outcome in ((900, Outcome.OK), (800, Outcome.ERROR), (700, Outcome.TIMEOUT)):
        run("true", ago_s=ago_s, outcome=outcome, entry="backup")
    run(ago_s=100, outcome=Outcome.ERROR)

    value, text = measured(store, Quantity.FAILURE_RATE, runs=3, entry="backup")

    assert (round(value or 0, 3), text) == (0.667, "66.7% of 3 runs of backup failed")


def test_of_a_busy_file_as_much_is_looked_at_of_failures_as_of_successes(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for ago_s in (500, 400, 300, 200):
        run(ago_s=ago_s)
    run(ago_s=450, outcome=Outcome.ERROR)
    run(ago_s=250, outcome=Outcome.ERROR)
    monkeypatch.setattr("jobrun.store.readings.LOOKED_AT", 3)

    assert measured(store, Quantity.FAILURE_RATE, runs=1) == (0.25, "25% of 4 runs failed")


def join(store: Store, name: str, *queues: str, stopping: bool = False) -> Path:
    row = WorkerRow(
        name=name, number=1, pid=1, group_pid=1, queues=queues, started_at=NOW, stopping_at=None
    )  # fmt: skip
    store.workers.join(row)
    if stopping:
        store.workers.stopping([name], now=NOW)
    return side_dir(store.path) / "locks" / name


def test_a_worker_is_one_who_lives_stays_and_would_take_a_job_of_the_queue(store: Store) -> None:
    join(store, "dead")
    with (
        locks.taken(join(store, "leaves", stopping=True)),
        locks.taken(join(store, "reserved", ".7.default")),
    ):
        assert measured(store, Quantity.NO_WORKER) == (1, "no worker")
        with locks.taken(join(store, "mailer", "mail")):
            assert measured(store, Quantity.NO_WORKER) == (0, "1 worker")
            assert measured(store, Quantity.NO_WORKER, queue="mail") == (0, "1 worker for mail")
            assert measured(store, Quantity.NO_WORKER, queue="web") == (1, "no worker for web")
        with locks.taken(join(store, "any")):
            assert measured(store, Quantity.NO_WORKER, queue="web") == (0, "1 worker for web")


def test_missed_ticks_are_those_decided_lately(store: Store) -> None:
    for hour in (1, 3):
        at = NOW - timedelta(hours=hour)
        missed = NewTick(at=at, state=TickState.MISSED, last=at, count=1)
        store.ticks.record("backup", missed, now=at)

    assert measured(store, Quantity.MISSED, over_s=7200) == (1, "1 tick missed in 2h")
    assert measured(store, Quantity.MISSED, over_s=1800) == (0, "0 ticks missed in 30m")


@pytest.mark.parametrize(("more", "name"), [({}, "shell"), ({"name": "fetch"}, "fetch")])
def test_an_alert_names_no_line_for_a_shell_which_may_hold_a_secret(
    store: Store, run: Run, more: dict[str, str], name: str
) -> None:
    line = "curl -H 'Token: s3cret'"
    for ago_s in (9000, 8000, 7000):
        run(line, ago_s=ago_s, took_s=100, kind=Kind.SHELL)
    job = run(line, ago_s=250, took_s=None, kind=Kind.SHELL, **more)

    assert measured(store, Quantity.SLOW) == (2.5, f"job {job.id} ({name}) runs for 4m 10s, usually 1m 40s")


def test_a_job_is_slow_by_what_its_runs_usually_take(store: Store, run: Run) -> None:
    for ago_s in (5000, 4000, 3000):
        run(ago_s=ago_s, took_s=100)
    assert measured(store, Quantity.SLOW) == (None, "nothing takes long")
    run(ago_s=250, took_s=None)
    run("app:new", ago_s=2000, took_s=None)  # nobody knows what that takes

    assert measured(store, Quantity.SLOW) == (2.5, "job 4 (app:f) runs for 4m 10s, usually 1m 40s")
    assert measured(store, Quantity.SLOW, task="app:g") == (None, "nothing takes long")
    assert measured(store, Quantity.SLOW, at_least_s=300) == (None, "nothing takes long")
