"""What is SQLite's own: rows that cannot lie, plans that stay cheap, locks, full disks and forks."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jobrun.cron.words import NewTick, TickState
from jobrun.errors import Busy, JobFileUnusable
from jobrun.lifecycle import settle
from jobrun.measures import Pause
from jobrun.model import TROUBLED, Ending, Job, JobFilter, Kind, NewJob, Outcome, State
from jobrun.store import Store, ledger, open_store
from jobrun.store.wal import is_filled
from jobrun.units import from_ms
from tests import claims

NOW = from_ms(1_800_000_000_000)
CALL = NewJob(kind=Kind.CALL, task="app:f")
TICK = NewTick(at=NOW, state=TickState.MISSED)


def connection_of(store: Store) -> sqlite3.Connection:
    return store._database._connection


def add_others(store: Store, n: int, *, priority: int = 0) -> None:
    """Add many jobs in every state, and as many ready ones that are less urgent."""
    connection_of(store).execute(
        """
        WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :n)
        INSERT INTO jobs (state, queue, priority, run_at, finished_at, expires_at, kind, task, args, kwargs,
                          retries, backoff_ms, max_backoff_ms, on_crash, created_at, tags)
        SELECT CASE n % 4 WHEN 0 THEN 'ready' WHEN 1 THEN 'scheduled' WHEN 2 THEN 'succeeded' ELSE 'failed' END,
               'q' || (n % 3), CASE n % 4 WHEN 0 THEN :priority ELSE 9 END, 4e12, iif(n % 4 > 1, n, NULL), 4e12,
               'call', 'a:f', '[]', '{}', 0, 0, 0, 'retry', 0, '[]'
          FROM numbers
        """,
        {"n": n, "priority": priority},
    )


def pause_queue(store: Store, queue: str) -> None:
    store.pauses.begin(Pause(queue=queue, since=NOW, until=None, by="ann", reason=None))


def beside_a_pause(store: Store, act: Callable[[Store], object]) -> None:
    """Do something while a queue is paused that had its turn at once otherwise."""
    row = store.queue.names()[0]
    connection_of(store).execute("INSERT INTO pauses VALUES (?, 0, NULL, 'ann', NULL)", (row,))
    act(store)


def claim(store: Store, *queues: str) -> object:
    return claims.claim(store, "w", queues=queues, now=NOW, new_token=lambda: os.urandom(4).hex())


# What the schema refuses, as changes of a waiting (1), a running (2) and an ended (3) job.
LIES = [
    "UPDATE jobs SET state = 'resting' WHERE id = 1",
    "UPDATE jobs SET kind = 'pickle' WHERE id = 1",
    "UPDATE jobs SET on_crash = 'panic' WHERE id = 1",
    "UPDATE jobs SET retries = -1 WHERE id = 1",
    "UPDATE jobs SET timeout_ms = 0 WHERE id = 1",
    "UPDATE jobs SET run_at = 'tomorrow' WHERE id = 1",
    "UPDATE jobs SET run_at = NULL WHERE id = 1",
    "UPDATE jobs SET priority = 1.5 WHERE id = 1",
    "UPDATE jobs SET token = 't' WHERE id = 1",
    "UPDATE jobs SET finished_at = 1 WHERE id = 1",
    "UPDATE jobs SET cancel_at = 1 WHERE id = 1",
    "UPDATE jobs SET environment = 'nobody kept it' WHERE id = 1",
    "UPDATE jobs SET state = 'running' WHERE id = 1",
    "UPDATE jobs SET token = NULL WHERE id = 2",
    "UPDATE jobs SET worker = NULL WHERE id = 2",
    "UPDATE jobs SET state = 'succeeded' WHERE id = 2",
    "UPDATE jobs SET attempt = attempt - 1 WHERE id = 2",
    "UPDATE jobs SET attempt = attempt - 1 WHERE id = 3",
    "UPDATE jobs SET attempt = attempt - 1, state = 'failed', token = NULL, worker = NULL, finished_at = 1 WHERE id = 2",
    "UPDATE jobs SET state = 'running', token = 't', worker = 'w', finished_at = NULL WHERE id = 3",
    "UPDATE jobs SET state = 'failed' WHERE id = 3",
    "UPDATE jobs SET finished_at = NULL WHERE id = 3",
    "INSERT INTO attempts SELECT * FROM attempts",
    "UPDATE attempts SET number = 0",
    "UPDATE attempts SET outcome = 'so-so'",
    "UPDATE attempts SET job_id = 99",
    "UPDATE attempts SET output_head = 'text'",
]


@pytest.mark.parametrize("lie", LIES)
def test_the_file_refuses_a_lie_whoever_tells_it(store: Store, lie: str) -> None:
    store.intake.add([NewJob(kind=Kind.CALL, task="a:f", run_at=from_ms(1_900_000_000_000))], now=NOW)
    for _ in range(2):
        store.intake.add([CALL], now=NOW)
    running, ended = claims.claim(store, "w1", "w2", now=NOW, new_token=iter("ab").__next__)
    ending = Ending(outcome=Outcome.OK)
    store.endings.settle(ended, ending, settle(ended, ending, NOW, 0.0), now=NOW, pid=1)
    assert (running.id, ended.id) == (2, 3)

    with pytest.raises(sqlite3.IntegrityError):
        connection_of(store).execute(lie)


# What the schema cannot refuse, as changes of the most urgent of two waiting jobs.
UNREADABLE = [
    "args = '['",
    "args = '{}'",
    "args = '[' || printf('%.*c', 5000, '1') || ']'",
    "args = replace(printf('%.*c', 99999, '['), '[', '[')",
    "kwargs = '[]'",
    "kwargs = 'x'",
    "cwd = '/'",
    "terms = '7'",
    "terms = json_object('ok_exit', 7)",
    "terms = json_object('luck', 7)",
]


@pytest.mark.parametrize("damage", UNREADABLE)
def test_a_job_that_cannot_be_read_fails_alone(store: Store, damage: str) -> None:
    bad, good = (added.id for added in store.intake.add([CALL, CALL], now=NOW))
    connection_of(store).execute(f"UPDATE jobs SET {damage} WHERE id = {bad}")

    claimed = claims.claim(store, "w1", "w2", now=NOW, new_token=iter("ab").__next__)

    assert [job.id for job in claimed] == [good]
    [shown] = store.ledger.select(JobFilter(ids=(bad,)), limit=1)
    assert (shown.state, shown.attempt) == (State.FAILED, 1)
    assert re.fullmatch(r"its (args|kwargs|cwd|terms) in the job file cannot be read", shown.reason or "")
    assert store.ledger.attempts(bad)[0].ending.cause == shown.reason


@pytest.mark.parametrize(
    "damage",
    [
        "tags = '7'",
        "tags = '[7]'",
        "result = '['",
        "name = cast(x'ff' AS TEXT)",
        "task = cast(x'ff' AS TEXT)",
        "created_at = 9e18",
        "run_at = -9e18",
        "backoff_ms = 9e18, max_backoff_ms = 9e18, retries = 1",
        *UNREADABLE,
    ],
)
def test_a_damaged_job_is_shown_as_far_as_it_can_be_and_its_attempt_can_end(
    store: Store, damage: str
) -> None:
    store.intake.add([CALL], now=NOW)
    claim(store)
    connection_of(store).execute(f"UPDATE jobs SET {damage}")

    [shown] = store.ledger.select(JobFilter(), limit=9)
    [running] = store.endings.running()
    assert shown == running
    ending = Ending(outcome=Outcome.ERROR)
    assert store.endings.settle(running, ending, settle(running, ending, NOW, 0.9), now=NOW, pid=1)


def test_an_instant_that_no_calendar_has_is_far_away(store: Store) -> None:
    store.intake.add([NewJob(kind=Kind.CALL, task="a:f", run_at=from_ms(1_900_000_000_000))], now=NOW)
    connection_of(store).execute("UPDATE jobs SET run_at = 9e18")

    due_at = store.queue.next_due()

    assert due_at is not None
    assert due_at.year == 9999


PLANS: list[tuple[str, Callable[[Store], object], set[str]]] = [
    ("claim", claim, {"jobs_ready"}),
    ("claim from queues", lambda s: claim(s, "q1", "q2"), {"jobs_ready_by_queue"}),
    ("outlook", lambda s: s.queue.outlook([], now=NOW), {"jobs_ready", "jobs_scheduled", "jobs_expiring"}),
    (
        "outlook in queues",
        lambda s: s.queue.outlook(["q1"], now=NOW),
        {"jobs_ready_by_queue", "jobs_scheduled", "jobs_expiring"},
    ),
    ("claim beside a pause", lambda s: beside_a_pause(s, claim), {"jobs_ready_by_queue"}),
    (
        "outlook beside a pause",
        lambda s: beside_a_pause(s, lambda s: s.queue.outlook([], now=NOW)),
        {"jobs_ready", "jobs_ready_by_queue", "jobs_scheduled", "jobs_expiring"},
    ),
    ("next_due", lambda s: s.queue.next_due(), {"jobs_scheduled"}),
    ("promote", lambda s: s.queue.promote(now=NOW), {"jobs_scheduled"}),
    ("expire", lambda s: s.queue.expire(now=from_ms(5 * 10**12)), {"jobs_expiring"}),
    ("to_cancel", lambda s: s.endings.to_cancel(), {"jobs_to_cancel"}),
    ("running", lambda s: s.endings.running(), {"jobs_running"}),
    ("running on a worker", lambda s: s.endings.running(["w"]), {"jobs_running"}),
    ("leave", lambda s: s.workers.leave("w"), {"jobs_running"}),
    (
        "add with a key",
        lambda s: s.intake.add([NewJob(kind=Kind.CALL, task="a:f", key="k")], now=NOW),
        {"jobs_key"},
    ),
    (
        "retry of a key",
        lambda s: s.orders.retry([1, 2, 3], now=NOW),
        {"jobs_key"},
    ),
    (
        "ended_before",
        lambda s: s.ledger.ended_before(NOW, [State.SUCCEEDED, State.SKIPPED], limit=9),
        {"jobs_finished"},
    ),
    ("longest_ready", lambda s: s.ledger.longest_ready(limit=9), {"jobs_ready"}),
    ("last_ended", lambda s: s.ledger.last_ended(TROUBLED, limit=9), {"jobs_finished"}),
    (
        "count by final states",
        lambda s: s.ledger.count(JobFilter(states=frozenset({State.FAILED, State.CRASHED}))),
        {"jobs_finished"},
    ),
    ("live_jobs", lambda s: s.ticks.live_jobs("a", now=NOW), {"jobs_by_entry"}),
    ("record", lambda s: s.ticks.record("a", TICK, now=NOW), set()),
    ("pending", lambda s: s.ticks.pending(), {"ticks_pending"}),
    ("pending of an entry", lambda s: s.ticks.pending("a"), {"ticks_pending"}),
    ("promote_pending", lambda s: s.ticks.promote_pending("a", NOW, CALL, now=NOW), {"ticks_pending"}),
    ("ticks of an entry", lambda s: s.ticks.of("a"), set()),
    ("ticks around an instant", lambda s: s.ticks.of("a", at=NOW), set()),
    ("forget_before", lambda s: s.ticks.forget_before(from_ms(9 * 10**12), limit=9), {"ticks_by_age"}),
    ("settled", lambda s: s.entries.settled("a", is_success=True, now=NOW), set()),
    ("pings due", lambda s: s.pings.due(now=NOW, horizon=NOW, limit=9), {"pings_due", "pings_of_job"}),
]


@pytest.mark.parametrize(("act", "indexes"), [plan[1:] for plan in PLANS], ids=[plan[0] for plan in PLANS])
def test_nothing_hot_reads_more_than_its_index(
    store: Store, act: Callable[[Store], object], indexes: set[str]
) -> None:
    add_others(store, 400)
    store.ticks.record("a", replace(TICK, at=from_ms(0)), now=NOW)
    connection, statements = connection_of(store), list[str]()

    connection.set_trace_callback(statements.append)
    act(store)
    connection.set_trace_callback(None)

    plans = [
        str(row["detail"])
        for sql in statements
        if re.match(r"\s*(SELECT|UPDATE|DELETE|INSERT|WITH)", sql)
        for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")
    ]
    used = set(re.findall(r"INDEX ((?:jobs|ticks|pings)_\w+)", " ".join(plans)))
    assert used == indexes
    assert [
        step
        for step in plans
        if re.search(r"SCAN (jobs|attempts|ended|live|ticks|entries)\b(?!.*INDEX)", step)
    ] == []
    assert [step for step in plans if "TEMP B-TREE" in step and "GROUP BY" not in step] == []


def steps_of(store: Store, act: Callable[[], object]) -> int:
    """Count the steps of SQLite's machine that something takes, in hundreds."""
    taken = 0

    def note() -> int:
        nonlocal taken
        taken += 1
        return 0

    connection_of(store).set_progress_handler(note, 100)
    act()
    connection_of(store).set_progress_handler(None, 100)
    return taken


@pytest.mark.parametrize("queues", [(), ("q1", "q2")])
def test_a_claim_costs_the_same_however_many_other_jobs_there_are(
    store: Store, queues: tuple[str, ...]
) -> None:
    store.intake.add([NewJob(kind=Kind.CALL, task="a:f", queue="q1", priority=5)] * 2, now=NOW)
    alone = steps_of(store, lambda: claim(store, *queues))

    add_others(store, 20_000)

    assert steps_of(store, lambda: claim(store, *queues)) <= alone + 1


@pytest.mark.parametrize("queues", [(), ("q1", "q2")])
def test_a_claim_passes_over_a_paused_queue_however_many_urgent_jobs_are_in_it(
    store: Store, queues: tuple[str, ...]
) -> None:
    pause_queue(store, "q2")
    store.intake.add([NewJob(kind=Kind.CALL, task="a:f", queue="q1")] * 2, now=NOW)
    store.intake.add([NewJob(kind=Kind.CALL, task="a:f", queue="q2", priority=9)], now=NOW)
    alone = steps_of(store, lambda: claim(store, *queues))
    seen = steps_of(store, lambda: store.queue.outlook(queues, now=NOW))

    store.intake.add([NewJob(kind=Kind.CALL, task="a:f", queue="q2", priority=9)] * 20_000, now=NOW)

    assert steps_of(store, lambda: claim(store, *queues)) <= alone + 1
    assert steps_of(store, lambda: store.queue.outlook(queues, now=NOW)) <= seen + 1
    assert claim(store, *queues) == []


@pytest.mark.parametrize("states", [{State.SUCCEEDED}, {State.FAILED}, set()])
def test_the_first_page_costs_the_same_however_many_jobs_there_are(store: Store, states: set[State]) -> None:
    which = JobFilter(states=frozenset(states))
    add_others(store, 2_000)
    few = steps_of(store, lambda: store.ledger.ids(which, limit=20, newest_first=False))

    add_others(store, 20_000)

    assert steps_of(store, lambda: store.ledger.ids(which, limit=20, newest_first=False)) <= few + 1


FILTERS: list[tuple[JobFilter, Callable[[Job], bool]]] = [
    (JobFilter(), lambda _: True),
    (JobFilter(queue="q1"), lambda job: job.queue == "q1"),
    (JobFilter(states=frozenset({State.READY})), lambda job: job.state is State.READY),
    (
        JobFilter(states=frozenset({State.SUCCEEDED}), queue="q2"),
        lambda j: (j.state, j.queue) == ("succeeded", "q2"),
    ),
    (JobFilter(states=TROUBLED, queue="q2"), lambda job: job.state in TROUBLED and job.queue == "q2"),
    (
        JobFilter(states=frozenset({State.FAILED, State.SCHEDULED}), before=from_ms(1)),
        lambda job: job.state is State.SCHEDULED,
    ),
    (
        JobFilter(states=frozenset({State.FAILED, State.SUCCEEDED}), since=from_ms(30)),
        lambda job: job.finished_at is not None and job.finished_at >= from_ms(30),
    ),
    (JobFilter(ids=(9, 3, 70, 999)), lambda job: job.id in (9, 3, 70)),
    (JobFilter(name="nobody's"), lambda _: False),
]


@pytest.mark.parametrize("near", [1, 25, 1000])
@pytest.mark.parametrize(("which", "is_meant"), FILTERS)
def test_a_page_holds_what_matches_however_it_is_looked_for(
    store: Store,
    which: JobFilter,
    is_meant: Callable[[Job], bool],
    near: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add_others(store, 80)
    meant = [
        job.id for job in store.ledger.select(JobFilter(), limit=99, newest_first=False) if is_meant(job)
    ]
    monkeypatch.setattr(ledger, "NEAR", near)

    for limit in (1, 4, 99):
        for is_down, ids in ((False, meant), (True, meant[::-1])):
            found = store.ledger.select(which, limit=limit, newest_first=is_down)
            assert [job.id for job in found] == ids[:limit]
            if found:
                found = store.ledger.select(which, limit=limit, newest_first=is_down, after_id=found[-1].id)
                assert [job.id for job in found] == ids[limit : 2 * limit]

    assert store.ledger.count(which) == len(meant)
    assert store.ledger.count(which, limit=3) == min(len(meant), 3)


def test_the_longest_ready_are_found_in_every_priority(store: Store) -> None:
    jobs = [NewJob(kind=Kind.CALL, task="a:f", priority=priority) for priority in (0, 5, 9, 5, 0)]
    ids = [added.id for added in store.intake.add(jobs, now=NOW)]

    assert [job.id for job in store.ledger.longest_ready(limit=3)] == ids[:3]


def test_a_file_that_another_program_holds_is_busy_and_nothing_is_changed(path: Path, store: Store) -> None:
    connection_of(store).execute("PRAGMA busy_timeout = 20")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(Busy, match="nothing was changed"):
        store.intake.add([CALL], now=NOW)

    assert store.ledger.count(JobFilter()) == 0
    other.execute("ROLLBACK")
    other.close()
    assert store.intake.add([CALL], now=NOW)[0].is_new


def test_a_reader_sees_one_state_while_others_write(path: Path, store: Store) -> None:
    with open_store(path) as other, store.reading():
        before = store.ledger.count(JobFilter())
        other.intake.add([CALL], now=NOW)
        assert store.ledger.count(JobFilter()) == before

    assert store.ledger.count(JobFilter()) == before + 1


FILL = """
import resource, signal, sys
from pathlib import Path
from jobrun.errors import NoRoom
from jobrun.model import JobFilter, Kind, NewJob
from jobrun.store import open_store
from jobrun.units import from_ms

with open_store(Path(sys.argv[1])) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    job = NewJob(kind=Kind.CALL, task="a:f", args=("x" * 5000,))
    added = 0
    try:
        while added < 1000:
            added += len(store.intake.add([job, job], now=from_ms(0)))
    except NoRoom as error:
        print(added, store.ledger.count(JobFilter()), error.message)
"""


def test_when_there_is_no_room_what_was_acknowledged_is_there_and_nothing_else(
    path: Path, store: Store
) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", FILL, path], capture_output=True, text=True, check=False, timeout=30
    )

    assert finished.stderr == ""
    added, seen, message = finished.stdout.split(maxsplit=2)
    assert int(added) == int(seen) == store.ledger.count(JobFilter()) > 0
    assert message.startswith("no room left")
    assert store.intake.add([CALL], now=NOW)[0].is_new


def test_a_connection_does_not_cross_a_fork(store: Store) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            store.intake.add([CALL], now=NOW)
        except AssertionError:
            os._exit(23)
        os._exit(0)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 23
    assert store.ledger.count(JobFilter()) == 0


def test_a_checkpoint_empties_the_log_and_loses_nothing(path: Path, store: Store) -> None:
    store.intake.add([CALL] * 500, now=NOW)
    log = Path(f"{path}-wal")
    assert log.stat().st_size > 0

    store.checkpoint()

    assert log.stat().st_size == 0
    assert store.ledger.count(JobFilter()) == 500


def test_an_emptied_log_that_keeps_its_room_is_filled_anew(path: Path, store: Store) -> None:
    store.intake.add([CALL] * 500, now=NOW)
    log = Path(f"{path}-wal")
    length = log.stat().st_size
    assert is_filled(log, length - 8192)

    assert store.checkpoint(keeps_room=True)
    store.intake.add([CALL], now=NOW)

    assert log.stat().st_size == length
    assert not is_filled(log, length - 8192)
    assert is_filled(log, 4096)
    assert store.ledger.count(JobFilter()) == 501


def test_a_log_that_is_missing_or_empty_is_not_filled(path: Path, store: Store) -> None:
    store.checkpoint()

    assert not is_filled(f"{path}-wal", 0)
    assert not is_filled(f"{path}-nothing", 0)


def test_a_checkpoint_does_not_wait_for_a_reader_and_says_so(path: Path, store: Store) -> None:
    store.intake.add([CALL], now=NOW)
    with open_store(path) as other, other.reading():
        assert other.ledger.count(JobFilter()) == 1
        store.intake.add([CALL], now=NOW)
        begin = time.monotonic()

        assert not store.checkpoint()

        assert time.monotonic() - begin < 1.0  # the patience of a store is five
        store.intake.add([CALL], now=NOW)

    assert store.checkpoint()
    assert connection_of(store).execute("PRAGMA busy_timeout").fetchall()[0][0] == 5000


def test_the_file_is_sound_after_every_kind_of_change(store: Store) -> None:
    add_others(store, 100)
    claim(store)
    store.orders.purge(range(50))

    [result] = connection_of(store).execute("PRAGMA integrity_check").fetchall()
    assert result[0] == "ok"
    assert connection_of(store).execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_damaged_page_is_said_in_our_words(path: Path, store: Store) -> None:
    add_others(store, 2000)
    store.checkpoint()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * 40 * 4096)

    with pytest.raises(JobFileUnusable, match=r"malformed|damaged"):
        open_store(path)
    with pytest.raises(JobFileUnusable, match="is damaged"):
        store.ledger.select(JobFilter(), limit=5000)
