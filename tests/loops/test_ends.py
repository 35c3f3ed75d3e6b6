"""Who is told of the end of a job: by a job of its own, and by a row for its monitor; and when it is forgotten."""

from __future__ import annotations

import json
import math
import os
from datetime import UTC, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from jobrun.cron.words import Entry, EntrySpec, Errand, NewTick, Ping, Special, TickState
from jobrun.dispatcher.gathering import GATHER_S
from jobrun.model import Job, JobFilter, Kind, NewJob, Outcome, Output, State, Terms
from jobrun.wire.messages import Stop, Why
from tests.loops.conftest import FakeWorker, Scene

URL = "https://monitor.example/1234"


def load(scene: Scene, **notices: Any) -> None:
    """Give the job file an entry `backup`, with somebody to be told by jobs of the queue `mail`."""
    entry = Entry(
        name="backup",
        kind=Kind.SHELL,
        task="true",
        schedule=Special.MANUAL,
        schedule_text="@manual",
        zone=UTC,
        zone_name="UTC",
        queue="mail",
        **notices,
    )
    spec = EntrySpec(entry=entry, digest="1", schedule_digest="1")
    scene.store.entries.load("/jobs.toml", [spec], boot_id="b", now=scene.now())


def run(scene: Scene, worker: FakeWorker, *outcomes: Outcome, **facts: Any) -> Job:
    """Let a job of the entry run to its end, an attempt for each outcome."""
    job_id = scene.add(entry="backup", retries=len(outcomes) - 1, backoff_s=0)
    for outcome in outcomes:
        scene.step()
        [order] = worker.orders()
        worker.finish(order, outcome, **facts)
    scene.step(after_s=GATHER_S)
    return scene.job(job_id)


def told(scene: Scene) -> list[Job]:
    """Return the jobs that tell somebody."""
    return scene.store.ledger.select(JobFilter(queue="mail"), limit=9)


def outbox(scene: Scene) -> list[Ping]:
    """Return all messages to monitors, and take them away."""
    found = []
    while due := scene.store.pings.due(now=scene.now(), horizon=scene.now(), limit=9):
        found += due
        for ping in due:
            scene.store.pings.delete(ping.id)
    return found


def pings(scene: Scene) -> list[tuple[str, str]]:
    """Return the outbox: what follows the monitor's address, and the run it is about."""
    parts = [urlsplit(ping.url) for ping in outbox(scene)]
    return [(part.path.removeprefix("/1234"), parse_qs(part.query)["rid"][0]) for part in parts]


def test_somebody_is_told_when_an_entry_begins_to_fail_and_when_it_has_recovered(scene: Scene) -> None:
    scene.open(queues=("default",))
    worker = scene.hire()
    tell = Errand(kind=Kind.SHELL, task="mail")
    load(scene, on_failure=tell, on_recovery=tell)
    counts = []

    for outcome in (Outcome.OK, Outcome.ERROR, Outcome.ERROR, Outcome.OK, Outcome.OK):
        run(scene, worker, outcome)
        counts.append(len(told(scene)))

    assert counts == [0, 1, 1, 2, 2]
    assert [job.name for job in told(scene)] == ["backup-recovered", "backup-failed"]


def test_attempts_that_are_followed_by_others_tell_nobody(scene: Scene) -> None:
    scene.open(queues=("default",))
    worker = scene.hire()
    load(scene, on_failure=Errand(kind=Kind.SHELL, task="mail"))

    run(scene, worker, Outcome.ERROR, Outcome.ERROR, Outcome.OK)

    assert told(scene) == []


@pytest.mark.parametrize("kind", [Kind.SHELL, Kind.CALL])
def test_who_is_told_learns_what_happened(scene: Scene, kind: Kind) -> None:
    scene.open()
    worker = scene.hire()
    load(scene, on_failure=Errand(kind=kind, task="app:tell" if kind is Kind.CALL else "mail"))
    printed = "".join(f"line {n}\n" for n in range(100)).encode()

    failed = run(
        scene,
        worker,
        Outcome.ERROR,
        cause="exit 3",
        exit_code=3,
        output=Output(head=printed, size=len(printed)),
    )
    [order] = worker.orders()
    [notice] = told(scene)

    event = order.args[0] if kind is Kind.CALL else json.loads(order.terms.stdin or "")
    assert (event["event"], event["entry"], event["job"]) == ("failed", "backup", failed.id)
    assert (event["state"], event["reason"], event["exit_code"]) == ("failed", "exit 3", 3)
    assert (event["failed_runs"], event["host"]) == (1, os.uname().nodename)
    assert event["output"].splitlines() == [f"line {n}" for n in range(50, 100)]
    assert {name: value for name, value in order.environment.items() if name.startswith("JOBRUN_")} == {
        "JOBRUN_EVENT": "failed",
        "JOBRUN_ENTRY": "backup",
        "JOBRUN_JOB": str(failed.id),
        "JOBRUN_REASON": "exit 3",
        "JOBRUN_EXIT_CODE": "3",
        "JOBRUN_FAILED_RUNS": "1",
    }
    assert notice.entry is None


def test_who_is_told_of_a_recovery_learns_what_it_made_good(scene: Scene) -> None:
    scene.open(queues=("default",))
    worker = scene.hire()
    load(scene, on_recovery=Errand(kind=Kind.CALL, task="app:tell"))
    for outcome in (Outcome.ERROR, Outcome.ERROR, Outcome.OK):
        run(scene, worker, outcome)

    [notice] = told(scene)

    assert notice.args[0]["failed_runs"] == 2
    assert notice.args[0]["failing_since"] == "2027-01-15T08:00:00.002Z"


def test_what_was_skipped_or_cancelled_is_neither_a_failure_nor_a_success(scene: Scene) -> None:
    scene.open(queues=("default",))
    worker = scene.hire()
    load(scene, on_failure=Errand(kind=Kind.SHELL, task="mail"))

    skipped = run(scene, worker, Outcome.OK, is_skip=True, cause="exit 75: nothing to do")
    cancelled = run(scene, worker, Outcome.CANCELLED)

    assert (skipped.state, skipped.reason) == (State.SKIPPED, "exit 75: nothing to do")
    assert cancelled.state is State.CANCELLED
    row = scene.store.entries.get("backup")
    assert row is not None
    assert (row.failed_runs, row.last_success_at) == (0, None)


def test_a_worker_that_dies_makes_its_entry_fail(scene: Scene) -> None:
    scene.open(queues=("default",))
    worker = scene.hire()
    load(scene, on_failure=Errand(kind=Kind.SHELL, task="mail"))
    scene.add(entry="backup")
    scene.step()
    [order] = worker.orders()

    scene.bury(worker, begun=[order.token])
    scene.step()

    [notice] = told(scene)
    assert json.loads(notice.terms.stdin or "")["state"] == "crashed"


def test_a_job_not_started_in_time_makes_its_entry_fail(scene: Scene) -> None:
    scene.open()
    load(scene, on_failure=Errand(kind=Kind.SHELL, task="mail"))
    late = scene.add(entry="backup", deadline_s=60)

    scene.step(after_s=61)

    assert scene.state(late) is State.EXPIRED
    [notice] = told(scene)
    event = json.loads(notice.terms.stdin or "")
    assert (event["state"], event["reason"], event["attempt"]) == ("expired", "not started in time", 0)


def test_a_job_of_an_entry_is_told_of_its_tick_and_of_the_last_success(scene: Scene) -> None:
    scene.open(queues=("default",))
    worker = scene.hire()
    load(scene)
    run(scene, worker, Outcome.OK)
    scene.add(entry="backup", scheduled_for=scene.now(), terms=Terms(is_catchup=True))
    scene.step(after_s=60)

    [order] = worker.orders()

    assert order.variables == {
        "JOBRUN_ENTRY": "backup",
        "JOBRUN_SCHEDULED_FOR": "2027-01-15T08:00:00.002Z",
        "JOBRUN_LAST_SUCCESS": "2027-01-15T08:00:00.002Z",
        "JOBRUN_CATCHUP": "1",
    }


@pytest.mark.parametrize(
    ("outcome", "facts", "ending"),
    [
        (Outcome.OK, {"exit_code": 24}, ""),
        (Outcome.OK, {"is_skip": True, "exit_code": 75}, ""),
        (Outcome.ERROR, {"exit_code": 3}, "/3"),
        (Outcome.ERROR, {"signal": 9}, "/fail"),
        (Outcome.TIMEOUT, {}, "/fail"),
        (Outcome.CANCELLED, {}, "/log"),
    ],
)
def test_a_monitor_is_told_of_begin_and_final_end_alone(
    scene: Scene, outcome: Outcome, facts: dict[str, Any], ending: str
) -> None:
    scene.open()
    worker = scene.hire()
    scene.add(terms=Terms(ping=URL), retries=1, backoff_s=0)
    for each in (Outcome.ERROR, outcome):
        scene.step()
        [order] = worker.orders()
        worker.finish(order, each, **facts)

    scene.step()

    [(begin, of_begin), (end, of_end)] = pings(scene)
    assert (begin, end) == ("/start", ending)
    assert of_begin == of_end


def test_a_monitor_is_told_of_a_job_that_was_not_started_in_time(scene: Scene) -> None:
    scene.open()
    scene.add(terms=Terms(ping=URL), deadline_s=60)

    scene.step(after_s=61)

    [ping] = outbox(scene)
    assert (urlsplit(ping.url).path, ping.body) == ("/1234/fail", b"not started in time")


def test_a_monitor_gets_the_end_of_the_output(scene: Scene) -> None:
    scene.open()
    worker = scene.hire()
    scene.add(terms=Terms(ping=URL))
    scene.step()
    [order] = worker.orders()

    worker.finish(order, output=Output(head=b"a" * 20_000 + b"\xffend", size=20_004))
    scene.step()

    body = outbox(scene)[-1].body
    assert len(body) == 10_000
    assert body.decode().endswith("a\ufffdend")


@pytest.mark.parametrize(("timeout_s", "why"), [(None, Why.DEADLINE), (90, Why.DEADLINE), (30, Why.TIMEOUT)])
def test_a_job_is_stopped_by_what_comes_first_its_limit_or_its_deadline(
    scene: Scene, timeout_s: float | None, why: Why
) -> None:
    scene.open()
    worker = scene.hire()
    scene.add(deadline_s=60, timeout_s=timeout_s)
    scene.step()
    [order] = worker.orders()

    scene.step(after_s=60)

    assert worker.heard() == [Stop(token=order.token, why=why)]


def test_a_job_that_a_new_dispatcher_finds_keeps_its_deadline(scene: Scene) -> None:
    scene.open()
    worker = scene.hire()
    scene.add(deadline_s=60)
    scene.step()
    [order] = worker.orders()
    scene.clock_s += 59

    scene.open(generation=2)
    scene.step()
    assert not any(isinstance(message, Stop) for message in worker.heard())
    scene.step(after_s=1)

    assert worker.heard() == [Stop(token=order.token, why=Why.DEADLINE)]


@pytest.mark.parametrize("keep_s", [3600.0, math.inf])
def test_what_ended_well_is_forgotten_in_time_and_what_failed_stays(scene: Scene, keep_s: float) -> None:
    scene.open(keep_s=keep_s)
    worker = scene.hire()
    ids = []
    for outcome in (Outcome.OK, Outcome.CANCELLED, Outcome.ERROR):
        ids.append(scene.add())
        scene.step()
        [order] = worker.orders()
        worker.finish(order, outcome)
    scene.step()

    scene.step(after_s=3599)
    before = [scene.store.ledger.get(job_id) is not None for job_id in ids]
    scene.step(after_s=61)
    after = [scene.store.ledger.get(job_id) is not None for job_id in ids]

    assert before == [True, True, True]
    assert after == ([False, False, True] if keep_s < math.inf else [True, True, True])


def test_when_the_clock_is_set_forward_nothing_is_forgotten_for_an_hour(scene: Scene) -> None:
    scene.open(keep_s=3600.0)
    worker = scene.hire()
    job_id = scene.add()
    scene.step()
    worker.finish(worker.read())
    scene.step()
    scene.set_by_s = 365 * 86400.0

    scene.step(after_s=61)
    scene.step(after_s=3500)
    before = scene.store.ledger.get(job_id)
    scene.step(after_s=101)

    assert before is not None
    assert scene.store.ledger.get(job_id) is None
    assert scene.log.read_text().count("the clock was set by +31536000 s") == 1


def test_when_the_clock_is_set_back_a_retry_waits_no_longer_for_it_and_a_time_that_was_given_does(
    scene: Scene,
) -> None:
    scene.open()
    worker = scene.hire()
    retried = scene.add(retries=1, backoff_s=60.0)
    scene.step()
    worker.finish(worker.read(), Outcome.ERROR)
    scene.step()
    timed = scene.add(run_at=scene.now() + timedelta(seconds=60))
    due_at = scene.job(retried).run_at
    scene.step(after_s=3)
    scene.set_by_s = -86400.0

    scene.step(after_s=3)
    assert scene.job(retried).run_at == due_at - timedelta(days=1)
    scene.step(after_s=60)

    assert (scene.state(retried), scene.state(timed)) == (State.RUNNING, State.SCHEDULED)


def test_forgetting_keeps_pace_with_many(scene: Scene) -> None:
    added = scene.store.intake.add([NewJob(kind=Kind.CALL, task="app:f")] * 1000, now=scene.now())
    with scene.store.group():
        for job in added:
            scene.store.orders.cancel(job.id, now=scene.now())
    scene.open(keep_s=60.0)
    scene.step(after_s=61.0)

    steps = 0
    while scene.store.ledger.count(JobFilter()):
        scene.step(after_s=0.1)
        steps += 1

    assert steps < 30  # of a tenth of a second


def test_ticks_are_forgotten_after_a_month(scene: Scene) -> None:
    scene.open()
    scene.store.ticks.record("backup", NewTick(at=scene.now(), state=TickState.MISSED), now=scene.now())

    scene.step(after_s=timedelta(days=29).total_seconds())
    before = scene.store.ticks.of("backup")
    scene.step(after_s=timedelta(days=2).total_seconds())

    assert (len(before), scene.store.ticks.of("backup")) == (1, [])
