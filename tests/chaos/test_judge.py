"""The judges find what is wrong: each kind of fault, made up, in a job file and papers that are else in order."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jobrun.store.schema import SCHEMA
from tests.chaos import judge, tickjudge
from tests.chaos.ledger import Papers, write
from tests.chaos.timetables import ALL, LAST, OFF, Line


@dataclass(slots=True)
class Case:
    """A job file and papers of one job, number 1, that was done in one attempt; to be spoilt."""

    folder: Path
    papers: Papers = field(init=False)
    path: Path = field(init=False)

    def __post_init__(self) -> None:
        self.papers = Papers(self.folder)
        self.path = self.folder / "jobs.db"
        with closing(sqlite3.connect(self.path)) as hand:
            hand.executescript(f"PRAGMA synchronous = OFF; BEGIN; {SCHEMA}; COMMIT")
        self.job(1, "succeeded")
        self.attempt(1, 1, "ok")
        self.effects("S 1 t1-1 100 1", "E 1 t1-1 100 1")
        write(self.papers.acknowledged, [1])

    def job(self, number: int, state: str, attempt: int = 1, **columns: object) -> None:
        running = state == "running"
        self.sql(
            """
            INSERT INTO jobs (id, state, queue, priority, run_at, attempt, failures, token, worker, finished_at, kind,
                              task, args, kwargs, retries, backoff_ms, max_backoff_ms, on_crash, created_at, tags,
                              entry, scheduled_for)
            VALUES (?, ?, 'default', 0, 0, ?, ?, ?, ?, ?, 'call', 'a:b', '[]', '{}', 0, 0, 0, 'retry', 0, '[]', ?, ?)
            """,
            number,
            state,
            attempt,
            columns.get("failures", 0),
            f"t{number}-{attempt}" if running else None,
            "w" if running else None,
            None if running or state == "ready" else 1,
            columns.get("entry"),
            columns.get("scheduled_for"),
        )

    def attempt(self, job: int, number: int, outcome: str, cause: str | None = None) -> None:
        self.sql(
            """
            INSERT INTO attempts (job_id, number, token, worker, started_at, finished_at, outcome, cause, output_size,
                                  output_head, output_tail)
            VALUES (?, ?, ?, 'w', 0, 0, ?, ?, 0, '', '')
            """.replace("''", "x''"),
            job,
            number,
            f"t{job}-{number}",
            outcome,
            cause,
        )

    def effects(self, *lines: str) -> None:
        write(self.papers.effects, lines)

    def sql(self, text: str, *values: object) -> None:
        with closing(sqlite3.connect(self.path)) as hand, hand:
            hand.execute("PRAGMA synchronous = OFF")
            hand.execute(text, values)

    def faults(self) -> list[str]:
        seen = judge.gather(self.path, self.papers)
        return [*judge.integrity(self.path), *judge.faults(seen), *judge.strict_faults(seen)]


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def test_what_is_in_order_is_found_in_order(case: Case) -> None:
    case.job(2, "failed", 2, failures=2)
    case.attempt(2, 1, "crashed")
    case.attempt(2, 2, "error")
    case.effects("S 2 t2-1 100 1", "S 2 t2-2 101 2", "F 2 t2-2 101 2")
    case.job(3, "running")
    case.effects("S 3 t3-1 102 1")
    case.job(4, "cancelled", 0)
    write(case.papers.cancelled, [4])
    write(case.papers.acknowledged, [2, 3, 4, 5])
    write(case.papers.purged, [5])

    assert case.faults() == []
    assert judge.doubled(judge.gather(case.path, case.papers)) == 1


def lost(case: Case) -> None:
    write(case.papers.acknowledged, [2])


def begun_twice(case: Case) -> None:
    case.effects("S 1 t1-1 100 1")


def begun_in_two_processes(case: Case) -> None:
    case.effects("S 1 t1-1 101 1")


def ended_twice(case: Case) -> None:
    case.effects("E 1 t1-1 100 1")


def ended_without_a_begin(case: Case) -> None:
    case.job(2, "ready", 0)
    case.effects("E 2 t2-1 100 1")


def overlapped(case: Case) -> None:
    case.effects("X 1 t1-1 100 1")


def an_effect_without_a_row(case: Case) -> None:
    case.job(2, "ready", 0)
    case.effects("S 2 t2-1 100 1")


def an_effect_of_another_attempt_than_the_one_that_runs(case: Case) -> None:
    case.job(2, "running")
    case.effects("S 2 t2-0 100 1")


def a_row_of_another_job(case: Case) -> None:
    case.job(2, "ready", 0)
    case.sql("UPDATE attempts SET token = 't2-1'")
    case.effects("S 2 t2-1 100 1")


def begun_and_put_back(case: Case) -> None:
    case.job(2, "ready")
    case.attempt(2, 1, "interrupted", judge.NEVER_BEGUN[0])
    case.effects("S 2 t2-1 100 1")


def succeeded_without_effect(case: Case) -> None:
    case.job(2, "succeeded")
    case.attempt(2, 1, "ok")
    case.effects("S 2 t2-1 100 1")


def failed_without_failing(case: Case) -> None:
    case.job(2, "failed", failures=1)
    case.attempt(2, 1, "error")
    case.effects("S 2 t2-1 100 1")


def an_attempt_cancelled_by_nobody(case: Case) -> None:
    case.job(2, "ready")
    case.attempt(2, 1, "cancelled")


def a_job_cancelled_by_nobody(case: Case) -> None:
    case.job(2, "cancelled", 0)


def begun_again_after_success(case: Case) -> None:
    case.sql("UPDATE jobs SET attempt = 2, failures = 1")
    case.attempt(1, 2, "crashed")
    case.effects("S 1 t1-2 100 2")


def a_state_that_its_attempts_deny(case: Case) -> None:
    case.sql("UPDATE attempts SET outcome = 'crashed'")
    case.sql("UPDATE jobs SET failures = 1")


def an_attempt_that_is_not_there(case: Case) -> None:
    case.job(2, "failed", 2, failures=1)
    case.attempt(2, 2, "crashed")
    case.effects("S 2 t2-2 100 2")


def several_that_never_began(case: Case) -> None:
    for number in (2, 3):
        case.job(number, "ready", failures=1)
        case.attempt(number, 1, "crashed")


def failures_that_nobody_saw(case: Case) -> None:
    case.sql("UPDATE jobs SET failures = 1")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lost, "acknowledged jobs are lost: [2]"),
        (begun_twice, "attempt began 2 times"),
        (begun_in_two_processes, "two processes had token"),
        (ended_twice, "attempt ended 2 times"),
        (ended_without_a_begin, "attempt ended 1 times"),
        (overlapped, "while an earlier attempt was alive"),
        (an_effect_without_a_row, "an effect without an attempt"),
        (an_effect_of_another_attempt_than_the_one_that_runs, "an effect without an attempt"),
        (a_row_of_another_job, "the row is of another attempt"),
        (begun_and_put_back, "put back as never begun"),
        (succeeded_without_effect, "succeeded without its effect"),
        (failed_without_failing, "failed without having failed"),
        (an_attempt_cancelled_by_nobody, "cancelled by nobody"),
        (a_job_cancelled_by_nobody, "cancelled by nobody"),
        (begun_again_after_success, "begun again after it had succeeded"),
        (a_state_that_its_attempts_deny, "succeeded, with outcomes"),
        (an_attempt_that_is_not_there, "attempts [2] of"),
        (several_that_never_began, "2 attempts of worker w crashed without an effect"),
        (failures_that_nobody_saw, "attempts failed, by their rows"),
    ],
)
def test_each_fault_is_found(case: Case, spoil: Callable[[Case], None], words: str) -> None:
    spoil(case)

    found = case.faults()
    assert any(words in fault for fault in found), found


def test_a_torn_file_is_found(case: Case) -> None:
    with case.path.open("r+b") as file:
        file.seek(case.path.stat().st_size - 4096)
        file.write(b"\xff" * 4096)

    [fault] = judge.integrity(case.path)

    assert fault.startswith("integrity_check")


BEGIN = 1_800_000_000_000  # ms: the anchor


@dataclass(slots=True)
class Table:
    """An entry, due every second, of which four ticks were decided; to be spoilt."""

    case: Case

    def __post_init__(self) -> None:
        self.case.sql(
            """
            INSERT INTO entries (name, done_until, since, anchor, boot_id, is_enabled, table_path, schedule, zone,
                                 digest, schedule_digest)
            VALUES ('often', ?, ?, ?, '', 1, '', '', '', '', '')
            """,
            BEGIN + 4000,
            BEGIN,
            BEGIN,
        )
        for number in range(1, 5):
            self.tick(number, 10 + number)
            self.job(10 + number, number)

    def tick(self, second: int, job: int | None, state: str = "ran", *, to: int | None = None) -> None:
        at = BEGIN + second * 1000
        last = BEGIN + (to or second) * 1000
        self.case.sql(
            "INSERT INTO ticks (entry, at, state, job_id, last, count, decided_at) VALUES ('often', ?, ?, ?, ?, ?, 0)",
            at,
            state,
            job,
            last,
            (last - at) // 1000 + 1,
        )

    def job(self, number: int, second: int) -> None:
        self.case.job(number, "succeeded", entry="often", scheduled_for=BEGIN + second * 1000)
        write(self.case.papers.ticks, [f"often 2027-01-15T08:00:{second:02}Z {number}"])

    def sql(self, text: str, *values: object) -> None:
        self.case.sql(text, *values)

    def faults(self, rule: str = ALL) -> list[str]:
        seen = tickjudge.gather(self.case.path, self.case.papers)
        return tickjudge.faults(seen, [Line("often", rule, {})], calm_at=BEGIN + 4000)


@pytest.fixture
def table(case: Case) -> Table:
    return Table(case)


def test_ticks_in_order_are_found_in_order(table: Table) -> None:
    assert table.faults() == []


def test_a_tick_of_the_calm_may_still_wait(table: Table) -> None:
    table.sql("DELETE FROM jobs WHERE id = 14")
    table.case.papers.ticks.unlink()
    table.sql("UPDATE ticks SET state = 'pending', job_id = NULL WHERE job_id = 14")

    assert table.faults() == []


def test_missed_ticks_for_which_a_later_one_stands_are_in_order(table: Table) -> None:
    table.sql("DELETE FROM jobs WHERE id IN (12, 13)")
    table.sql("DELETE FROM ticks WHERE job_id IN (12, 13)")
    table.case.papers.ticks.unlink()
    table.tick(2, None, "missed", to=3)

    assert table.faults(LAST) == []
    assert any("is to be ['ran']" in fault for fault in table.faults(ALL))


def two_ticks_of_one_job(table: Table) -> None:
    table.sql("UPDATE ticks SET job_id = 11 WHERE job_id = 12")


def a_job_without_a_tick(table: Table) -> None:
    table.job(20, 20)


def two_jobs_of_one_tick(table: Table) -> None:
    table.job(20, 4)


def a_job_that_is_not_there(table: Table) -> None:
    table.sql("DELETE FROM jobs WHERE id = 12")


def a_tick_that_two_ran_for(table: Table) -> None:
    write(table.case.papers.ticks, ["often 2027-01-15T08:00:01Z 12"])


def an_effect_of_a_job_without_a_row(table: Table) -> None:
    write(table.case.papers.ticks, ["often 2027-01-15T08:00:09Z 99"])


def a_gap(table: Table) -> None:
    table.sql("DELETE FROM ticks WHERE job_id = 12")


def a_tick_told_twice(table: Table) -> None:
    table.sql("UPDATE ticks SET last = at + 1000, count = 2 WHERE job_id = 12")


def a_late_begin(table: Table) -> None:
    table.sql("DELETE FROM ticks WHERE job_id = 11")


def a_last_tick_that_is_not_there(table: Table) -> None:
    table.sql("DELETE FROM ticks WHERE job_id = 14")


def nothing_decided(table: Table) -> None:
    table.sql("DELETE FROM ticks")


def missed_though_each_is_to_run(table: Table) -> None:
    table.sql("UPDATE ticks SET state = 'missed', job_id = NULL WHERE job_id = 12")


def waiting_from_before(table: Table) -> None:
    table.sql("UPDATE ticks SET state = 'pending', job_id = NULL WHERE job_id = 12")


def the_newest_missed(table: Table) -> None:
    table.sql("UPDATE ticks SET state = 'missed', job_id = NULL WHERE job_id = 14")


def skipped_for_nobody(table: Table) -> None:
    table.sql("UPDATE ticks SET state = 'skipped', job_id = NULL, in_way = 99 WHERE job_id = 12")


def counted_wrong(table: Table) -> None:
    table.sql("UPDATE ticks SET last = at + 1000, count = 5 WHERE job_id = 14")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (two_ticks_of_one_job, "job 11 stands for 2 ticks"),
        (a_job_without_a_tick, "a job of an entry without a tick"),
        (two_jobs_of_one_tick, "2 jobs of one tick"),
        (a_job_that_is_not_there, "the job is of another tick"),
        (a_tick_that_two_ran_for, "ran for one tick"),
        (an_effect_of_a_job_without_a_row, "and has no row"),
        (a_gap, "a gap or an overlap of ticks"),
        (a_tick_told_twice, "a gap or an overlap of ticks"),
        (a_late_begin, "often began late"),
        (a_last_tick_that_is_not_there, "decided until another instant"),
        (nothing_decided, "no tick of often was decided"),
        (missed_though_each_is_to_run, "is to be ['ran']"),
        (waiting_from_before, "is to be ['ran']"),
        (the_newest_missed, "the newest of missed ticks"),
        (skipped_for_nobody, "skipped for a job that is not there"),
        (counted_wrong, "a row counts wrong"),
    ],
)
def test_each_fault_of_ticks_is_found(table: Table, spoil: Callable[[Table], None], words: str) -> None:
    spoil(table)

    found = table.faults()
    assert any(words in fault for fault in found), found


def test_a_disabled_entry_is_to_run_nothing(table: Table) -> None:
    assert any("is to be ['disabled']" in fault for fault in table.faults(OFF))
