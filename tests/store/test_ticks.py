"""Ticks: decided once whoever decides, together with their job, and told of afterwards."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from jobrun.cron.words import NewTick, Tick, TickState
from jobrun.model import Job, JobFilter, Kind, Leftovers, NewJob, State, Terms
from jobrun.store import Store, open_store, ticks
from jobrun.units import from_ms
from tests.claims import claim

JOB = NewJob(kind=Kind.SHELL, task="true", entry="a", scheduled_for=from_ms(1_800_000_000_000))


def at(seconds: float) -> datetime:
    return from_ms(1_800_000_000_000 + round(seconds * 1000))


def ran(seconds: float = 0, **options: Any) -> NewTick:
    return NewTick(at=at(seconds), state=TickState.RAN, job=JOB, **options)


def unrun(seconds: float, state: TickState = TickState.MISSED, **options: Any) -> NewTick:
    return NewTick(at=at(seconds), state=state, **options)


def record(store: Store, *ticks: NewTick, now: float = 0) -> list[Tick | None]:
    return [store.ticks.record("a", tick, now=at(now)) for tick in ticks]


def jobs(store: Store) -> list[Job]:
    return store.ledger.select(JobFilter(), limit=99, newest_first=False)


def times(ticks: Sequence[Tick]) -> list[datetime]:
    return [tick.at for tick in ticks]


def test_a_tick_and_its_job_are_kept_together(store: Store) -> None:
    moved_from = datetime(2027, 3, 28, 2, 30)  # noqa: DTZ001 -- a local time that does not exist
    [tick] = record(store, ran(moved_from=moved_from, reason="made up"), now=1)

    [job] = jobs(store)
    assert tick == Tick(
        entry="a",
        at=at(0),
        state=TickState.RAN,
        job_id=job.id,
        moved_from=moved_from,
        reason="made up",
        in_way=None,
        last=at(0),
        count=1,
        decided_at=at(1),
    )
    assert (job.entry, job.scheduled_for, job.state) == ("a", at(0), State.READY)
    assert store.ticks.of("a") == [tick]


@pytest.mark.parametrize("first", [state for state in TickState if state is not TickState.MISSED])
def test_a_tick_that_was_decided_is_not_decided_again(store: Store, first: TickState) -> None:
    begun = ran() if first is TickState.RAN else unrun(0, first)
    [tick] = record(store, begun)

    assert record(store, ran(), unrun(0, TickState.PENDING), unrun(0), now=5) == [None, None, None]

    assert store.ticks.of("a") == [tick]
    assert len(jobs(store)) == (first is TickState.RAN)


def test_a_missed_tick_may_come_true_after_all_when_the_clock_was_set_back(store: Store) -> None:
    record(store, unrun(0, last=at(9000), count=None), unrun(10))

    [tick, waits] = record(store, ran(), unrun(10, TickState.PENDING), now=1)

    assert tick is not None
    assert (tick.state, tick.last, tick.count, tick.decided_at) == (TickState.RAN, at(0), 1, at(1))
    assert waits is not None
    assert store.ticks.of("a") == [waits, tick]
    assert record(store, unrun(0, TickState.SKIPPED), ran()) == [None, None]
    assert len(jobs(store)) == 1


def test_a_waiting_tick_becomes_a_job_once(store: Store) -> None:
    record(store, unrun(0, TickState.PENDING, in_way=3), unrun(60, TickState.PENDING))
    store.ticks.record("b", unrun(0, TickState.PENDING), now=at(0))
    assert [(tick.entry, tick.at) for tick in store.ticks.pending()] == [
        ("a", at(0)),
        ("a", at(60)),
        ("b", at(0)),
    ]
    assert times(store.ticks.pending("a")) == [at(0), at(60)]

    tick = store.ticks.promote_pending("a", at(0), JOB, now=at(70))

    [job] = jobs(store)
    assert tick is not None
    assert (tick.state, tick.job_id, tick.in_way, tick.decided_at) == (TickState.RAN, job.id, 3, at(70))
    assert store.ticks.promote_pending("a", at(0), JOB, now=at(71)) is None
    assert times(store.ticks.pending("a")) == [at(60)]
    assert len(jobs(store)) == 1


def test_a_waiting_tick_that_is_dropped_says_why(store: Store) -> None:
    [_, ready] = record(store, unrun(0, TickState.PENDING, in_way=7), ran(60))

    for instant in (at(0), at(60), at(99)):
        store.ticks.drop_pending("a", instant, reason="a newer one waits", now=at(61))

    [second, first] = store.ticks.of("a")
    assert second == ready
    assert (first.state, first.reason, first.in_way) == (TickState.SKIPPED, "a newer one waits", 7)
    assert store.ticks.pending() == []
    assert store.ticks.promote_pending("a", at(0), JOB, now=at(62)) is None
    assert len(jobs(store)) == 1


def test_only_jobs_that_wait_or_run_are_in_the_way(store: Store) -> None:
    others = [replace(JOB, entry="b"), replace(JOB, entry=None)]
    waits, later, ended = (
        added.id
        for added in store.intake.add([JOB, replace(JOB, run_at=at(60)), JOB, *others], now=at(0))[:3]
    )
    store.orders.cancel(ended, now=at(1))
    [running] = claim(store, "w", now=at(2), new_token=lambda: "t")

    assert running.id == waits
    assert store.ticks.live_jobs("a", now=at(2)) == [waits, later]
    assert store.ticks.live_jobs("nobody", now=at(2)) == []


def test_a_job_that_waits_with_a_tick_still_to_come_is_in_nobodys_way(store: Store) -> None:
    ahead = replace(JOB, scheduled_for=at(3600), run_at=at(3610))
    [job] = store.intake.add([ahead], now=at(3600))

    assert store.ticks.live_jobs("a", now=at(3599)) == []
    assert store.ticks.live_jobs("a", now=at(3600)) == [job.id]


def test_a_job_of_no_tick_that_waits_is_in_the_way(store: Store) -> None:
    by_hand = replace(JOB, scheduled_for=None, run_at=at(60))
    [job] = store.intake.add([by_hand], now=at(0))

    assert store.ticks.live_jobs("a", now=at(0)) == [job.id]


def test_entries_know_nothing_of_each_others_ticks(store: Store) -> None:
    theirs = [unrun(0, last=at(900), count=16), unrun(60, TickState.PENDING)]
    kept = [store.ticks.record("b", tick, now=at(0)) for tick in theirs]

    for first in (0, 30):
        assert store.ticks.told("a", at(first), at(900)) == []
    for instant in (None, at(60), at(61)):
        assert store.ticks.of("a", at=instant) == []
    assert store.ticks.pending("a") == []
    [ours] = record(store, unrun(60, TickState.PENDING), now=61)
    assert store.ticks.promote_pending("a", at(60), JOB, now=at(62)) is not None
    assert store.ticks.promote_pending("a", at(60), JOB, now=at(62)) is None
    assert ours is not None
    store.ticks.drop_pending("a", at(60), reason="it waits no longer", now=at(63))

    assert [tick.state for tick in store.ticks.of("a")] == [TickState.RAN]
    assert sorted(store.ticks.of("b"), key=lambda tick: tick.at) == kept


def test_what_a_span_tells_is_found_in_order_and_of_very_many_the_newest(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(store, unrun(0), unrun(60, last=at(180), count=3), unrun(300), unrun(900))

    assert store.ticks.told("a", at(30), at(600)) == [(at(60), at(180)), (at(300), at(300))]
    monkeypatch.setattr(ticks, "MOST_TOLD", 1)
    assert store.ticks.told("a", at(0), at(600)) == [(at(0), at(180)), (at(300), at(300))]


def test_a_row_from_before_a_span_of_time_tells_of_its_first_ticks(store: Store) -> None:
    record(store, unrun(60, last=at(600), count=10), ran(240))

    assert store.ticks.told("a", at(300), at(900)) == [(at(300), at(600))]


def test_a_tick_among_others_that_were_missed_may_run_but_is_not_missed_again(store: Store) -> None:
    record(store, unrun(60, last=at(600), count=10))

    assert store.ticks.record("a", unrun(300), now=at(300)) is None
    assert store.ticks.record("a", ran(360), now=at(360)) is not None


def test_ticks_are_shown_newest_first_and_those_around_an_instant(store: Store) -> None:
    record(store, ran(0), unrun(60, last=at(180), count=3), ran(240), ran(300))
    store.ticks.record("b", ran(121), now=at(0))

    assert times(store.ticks.of("a", limit=3)) == [at(300), at(240), at(60)]
    for instant, found in [(240, [240]), (60, [60]), (121, [60]), (180, [60]), (200, [240, 60]), (-5, [0])]:
        assert times(store.ticks.of("a", at=at(instant))) == [at(n) for n in found]
    assert times(store.ticks.of("a", at=at(999))) == [at(300)]
    assert store.ticks.of("nobody", at=at(0)) == []


def test_old_ticks_are_forgotten_a_few_at_a_time_but_none_that_waits(store: Store) -> None:
    for n in range(5):
        record(store, unrun(n), now=n)
    record(store, unrun(9, TickState.PENDING), now=0)

    assert store.ticks.forget_before(at(0), limit=9) == 0
    assert store.ticks.forget_before(at(4), limit=3) == 3
    assert store.ticks.forget_before(at(4), limit=3) == 1
    assert times(store.ticks.of("a")) == [at(9), at(4)]


def test_where_nothing_is_old_or_nothing_is_there_nothing_is_forgotten(store: Store) -> None:
    assert store.ticks.forget_before(at(99), limit=9) == 0
    record(store, unrun(0), now=50)

    assert store.ticks.forget_before(at(50), limit=9) == 0
    assert store.ticks.forget_before(at(51), limit=9) == 1


def test_one_of_several_that_wait_is_dropped_alone_and_says_when(store: Store) -> None:
    record(store, unrun(0, TickState.PENDING), unrun(60, TickState.PENDING), now=60)

    store.ticks.drop_pending("a", at(0), reason="a newer one waits", now=at(70))

    second, first = store.ticks.of("a")
    assert (first.state, first.decided_at) == (TickState.SKIPPED, at(70))
    assert (second.state, second.decided_at) == (TickState.PENDING, at(60))


def test_a_tick_that_ran_is_found_though_a_row_from_before_tells_of_its_time(store: Store) -> None:
    record(store, unrun(60, last=at(600), count=10), ran(360))

    assert times(store.ticks.of("a", at=at(360))) == [at(360)]
    assert times(store.ticks.of("a", at=at(300))) == [at(60)]


def test_of_rows_from_before_that_which_reaches_furthest_counts(store: Store) -> None:
    record(store, unrun(0), unrun(60, last=at(600), count=10), ran(240))

    assert store.ticks.told("a", at(600), at(900)) == [(at(600), at(600))]
    assert store.ticks.told("a", at(601), at(900)) == []


def test_a_tick_is_kept_when_its_job_is_forgotten(store: Store) -> None:
    [tick] = record(store, ran())
    [job] = jobs(store)
    store.orders.cancel(job.id, now=at(1))

    assert store.orders.purge([job.id]) == 1

    assert store.ticks.of("a") == [tick]
    assert record(store, ran()) == [None]


def test_the_terms_of_a_job_are_kept(store: Store) -> None:
    terms = Terms(
        stdin="ü\n",
        ok_exit=(0, 24),
        skip_exit=(75,),
        no_retry_exit=(),
        discards_output=True,
        leftovers=Leftovers.KEEP,
        is_catchup=True,
        isolate=True,
        ping="https://example.org/x",
    )
    asked = [
        replace(JOB, terms=terms, run_at=at(10), deadline_s=30.0, expires_at=at(99)),
        replace(JOB, terms=Terms(stdin="x"), expires_at=at(5), deadline_s=30.0),
        JOB,
    ]

    store.intake.add(asked, now=at(0))

    kept = jobs(store)
    assert [job.terms for job in kept] == [job.terms for job in asked]
    assert [(job.deadline_at, job.expires_at) for job in kept] == [
        (at(40), at(40)),
        (at(30), at(5)),
        (None, None),
    ]


def test_a_job_that_a_person_retries_has_no_deadline_any_more(store: Store) -> None:
    [added] = store.intake.add([replace(JOB, deadline_s=30.0)], now=at(0))
    store.orders.cancel(added.id, now=at(1))

    store.orders.retry([added.id], now=at(60))

    [job] = jobs(store)
    assert (job.state, job.deadline_at, job.expires_at) == (State.READY, None, None)


# What the schema refuses, as changes of a tick that ran (at 0) and one that did not (at 60).
LIES = [
    "UPDATE ticks SET state = 'dreamt'",
    "UPDATE ticks SET state = 'missed' WHERE job_id IS NOT NULL",
    "UPDATE ticks SET state = 'ran' WHERE job_id IS NULL",
    "UPDATE ticks SET last = at - 1",
    "UPDATE ticks SET count = 0",
    "UPDATE ticks SET last = at + 1",
    "UPDATE ticks SET at = 'noon'",
    "INSERT INTO ticks SELECT * FROM ticks",
    "UPDATE pings SET tries = -1",
    "UPDATE pings SET body = 'text'",
]


@pytest.mark.parametrize("lie", LIES)
def test_the_file_refuses_a_lie_about_a_tick(store: Store, lie: str) -> None:
    record(store, ran(), unrun(60))
    store.pings.add("https://e", entry=None, now=at(0))

    with pytest.raises(sqlite3.IntegrityError):
        store._database._connection.execute(lie)


RACER = """
import sys
from pathlib import Path
from jobrun.cron.words import NewTick, TickState
from jobrun.model import Kind, NewJob
from jobrun.store import open_store
from jobrun.units import from_ms

with open_store(Path(sys.argv[1])) as store:
    for line in sys.stdin:
        n = int(line)
        tick = NewTick(at=from_ms(n), state=TickState.RAN, job=NewJob(kind=Kind.SHELL, task=str(n), entry="a"))
        print(int(store.ticks.record("a", tick, now=from_ms(0)) is not None), flush=True)
"""


def racer(path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RACER, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )


def test_of_two_schedulers_at_once_each_tick_becomes_one_job(path: Path, store: Store) -> None:
    with racer(path) as first, racer(path) as second:
        for number in range(200):
            for each in (first, second):
                assert each.stdin is not None
                each.stdin.write(f"{number}\n")
            said = [each.stdout.readline() for each in (first, second) if each.stdout is not None]
            assert sorted(said) == ["0\n", "1\n"], number

    made = store.ledger.select(JobFilter(), limit=999)
    assert sorted(int(job.task) for job in made) == list(range(200))


def killed_at(path: Path, number: int) -> bool:
    """Record a tick in a process that is killed at its n-th statement; False if it had fewer."""
    pid = os.fork()
    if pid == 0:
        try:
            with open_store(path) as store:
                left = [number]

                def note(_sql: str) -> None:
                    left[0] -= 1
                    if left[0] == 0:
                        os.kill(os.getpid(), signal.SIGKILL)

                store._database._connection.set_trace_callback(note)
                with store.group():
                    store.ticks.record("a", ran(), now=at(0))
                    store.entries.advance("a", done_until=at(0))
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def test_killed_between_any_two_statements_a_tick_has_its_job_or_is_still_to_come(path: Path) -> None:
    open_store(path, create=True).close()
    number = 1
    while killed_at(path, number):
        with open_store(path) as store:
            assert (store.ticks.of("a"), jobs(store)) == ([], [])
        number += 1

    with open_store(path) as store:
        [tick], [job] = store.ticks.of("a"), jobs(store)
        assert tick.job_id == job.id
        assert record(store, ran()) == [None]
    assert number > 5
