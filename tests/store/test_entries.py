"""What a store keeps of the entries of tables, and who schedules them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jobrun.cron.words import Changes, Entry, EntryRow, EntrySpec, Errand, NewTick, Special, TickState, Turn
from jobrun.errors import UsageError
from jobrun.model import Kind, NewJob, Surroundings
from jobrun.store import Store
from jobrun.units import from_ms


def at(seconds: float) -> datetime:
    return from_ms(1_800_000_000_000 + round(seconds * 1000))


def spec(name: str, *, digest: str = "d", schedule_digest: str = "s", **options: Any) -> EntrySpec:
    entry = Entry(
        name=name,
        kind=Kind.SHELL,
        task="true",
        schedule=Special.MANUAL,
        schedule_text="@manual",
        zone=UTC,
        zone_name="UTC",
        **options,
    )
    return EntrySpec(entry=entry, digest=digest, schedule_digest=schedule_digest)


def load(store: Store, *specs: EntrySpec, table: str = "/t", boot_id: str = "b1", now: float = 0) -> Changes:
    return store.entries.load(table, specs, boot_id=boot_id, now=at(now))


def got(store: Store, name: str) -> EntryRow:
    row = store.entries.get(name)
    assert row is not None
    return row


def end(store: Store, *ends: bool) -> list[Turn | None]:
    return [store.entries.settled("a", is_success=each, now=at(n)) for n, each in enumerate(ends, start=1)]


def test_a_new_entry_makes_up_nothing_from_before(store: Store) -> None:
    assert load(store, spec("b"), spec("a")) == Changes(added=("b", "a"))

    [row, _] = store.entries.rows()
    assert row == EntryRow(
        name="a",
        table="/t",
        schedule_text="@manual",
        zone_name="UTC",
        digest="d",
        since=at(0),
        done_until=at(0),
        anchor=at(0),
        boot_id="b1",
        is_enabled=True,
        removed_at=None,
        paused_at=None,
        paused_until=None,
        failing_since=None,
        failed_runs=0,
        last_success_at=None,
    )


def test_loading_the_same_table_again_writes_nothing(store: Store) -> None:
    load(store, spec("a"))
    store.entries.advance("a", done_until=at(5))
    before = store._database._connection.total_changes

    assert load(store, spec("a"), boot_id="b2", now=10) == Changes()

    assert store._database._connection.total_changes == before
    assert got(store, "a").done_until == at(5)


@pytest.mark.parametrize(
    ("schedule_digest", "anchor", "boot_id"), [("s", at(0), "b1"), ("other", at(10), "b2")]
)
def test_a_changed_entry_goes_on_counting_only_if_its_schedule_is_the_same(
    store: Store, schedule_digest: str, anchor: datetime, boot_id: str
) -> None:
    load(store, spec("a"), spec("b"))
    end(store, False)
    store.entries.pause("a", until=None, now=at(2))
    changed = spec("a", digest="e", schedule_digest=schedule_digest, is_enabled=False)

    assert load(store, changed, spec("b"), boot_id="b2", now=10) == Changes(changed=("a",))

    row = got(store, "a")
    assert (row.since, row.is_enabled, row.digest) == (at(10), False, "e")
    assert (row.anchor, row.done_until, row.boot_id) == (anchor, anchor, boot_id)
    assert (row.paused_at, row.failed_runs) == (at(2), 1)


def test_an_entry_that_is_gone_is_still_known_and_comes_back_as_a_new_one(store: Store) -> None:
    load(store, spec("a"))
    end(store, False)
    store.ticks.record("a", NewTick(at=at(1), state=TickState.PENDING), now=at(1))

    assert load(store, now=10) == Changes(removed=("a",))
    assert store.entries.rows() == []
    assert got(store, "a").removed_at == at(10)
    [tick] = store.ticks.of("a")
    assert (tick.state, tick.reason) == (TickState.SKIPPED, "its entry was removed while it waited")
    assert store.entries.pause("a", until=None, now=at(11)) is None

    assert load(store, spec("a"), now=20) == Changes(added=("a",))
    row = got(store, "a")
    assert (row.since, row.anchor, row.removed_at, row.failing_since) == (at(20), at(20), None, None)


def test_an_entry_that_comes_back_rests_still(store: Store) -> None:
    load(store, spec("a"))
    store.entries.pause("a", until=at(99), now=at(1))
    load(store, now=10)

    load(store, spec("a"), now=20)

    row = got(store, "a")
    assert (row.paused_at, row.paused_until) == (at(1), at(99))


def test_a_table_by_another_name_is_told_to_be_the_same(store: Store, tmp_path: Path) -> None:
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    first.touch()
    second.symlink_to(first)
    load(store, spec("a"), table=str(first))

    with pytest.raises(UsageError, match="already") as found:
        load(store, spec("a"), table=str(second))

    assert found.value.hint == f"both are one file: say `{first}`"


def test_a_name_belongs_to_one_table(store: Store, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.touch()
    load(store, spec("a"), table=str(other))

    with pytest.raises(UsageError, match=r"entry `a` is in `.*other.toml` already"):
        load(store, spec("b"), spec("a"))

    assert [row.name for row in store.entries.rows()] == ["a"]
    assert store.entries.rows("/t") == []


def test_a_table_that_was_moved_takes_its_entries_along(store: Store, tmp_path: Path) -> None:
    load(store, spec("a"), spec("b"), table=str(tmp_path / "moved away.toml"))

    assert load(store, spec("a"), spec("b", digest="e"), now=10) == Changes(changed=("b",))

    assert [(row.name, row.since) for row in store.entries.rows("/t")] == [("a", at(0)), ("b", at(10))]


def test_a_pause_ends_by_itself_or_by_hand_and_stays_known(store: Store) -> None:
    load(store, spec("a"))

    first = store.entries.pause("a", until=at(10), now=at(1))
    longer = store.entries.pause("a", until=at(20), now=at(5))
    another = store.entries.pause("a", until=None, now=at(30))
    resumed = store.entries.resume("a", now=at(40))

    rows = [first, longer, another, resumed]
    assert [row and (row.paused_at, row.paused_until) for row in rows] == [
        (at(1), at(10)),
        (at(1), at(20)),
        (at(30), None),
        (at(30), at(40)),
    ]
    assert resumed == got(store, "a")
    assert resumed is not None
    assert [resumed.is_paused_at(at(n)) for n in (29, 30, 39, 40)] == [False, True, True, False]


def test_resuming_what_does_not_rest_changes_nothing(store: Store) -> None:
    load(store, spec("a"))
    assert store.entries.resume("a", now=at(1)) == got(store, "a")
    store.entries.pause("a", until=at(2), now=at(1))

    row = store.entries.resume("a", now=at(9))

    assert row is not None
    assert (row.paused_at, row.paused_until) == (at(1), at(2))
    assert store.entries.resume("nobody", now=at(9)) is None


def test_ticks_are_decided_anew_from_where_the_clock_was_set_back_to(store: Store) -> None:
    load(store, spec("a"), spec("b"))
    store.entries.advance("a", done_until=at(100))
    store.entries.advance("b", done_until=at(40))

    store.entries.rewind("/t", now=at(50))

    assert [row.done_until for row in store.entries.rows()] == [at(50), at(40)]


def test_a_boot_is_seen_once(store: Store) -> None:
    load(store, spec("a"))

    store.entries.saw_boot("a", "b2")

    assert got(store, "a").boot_id == "b2"


def test_somebody_is_told_when_luck_turns_and_at_no_other_end(store: Store) -> None:
    load(store, spec("a"))

    turns = end(store, True, False, False, True, True, False)

    assert turns == [None, Turn.FAILED, None, Turn.RECOVERED, None, Turn.FAILED]
    row = got(store, "a")
    assert (row.failing_since, row.failed_runs, row.last_success_at) == (at(6), 1, at(5))


def test_the_end_of_a_job_whose_entry_nobody_knows_turns_nothing(store: Store) -> None:
    assert end(store, False, True) == [None, None]


def test_a_notice_is_kept_as_its_table_says(store: Store) -> None:
    around = Surroundings(cwd="/srv/\udcff", umask=0o22, environment={"A": "ü"})
    told = Errand(kind=Kind.COMMAND, task="mail a b", args=("mail", "a b"), surroundings=around)
    called = Errand(kind=Kind.CALL, task="app:told")
    load(store, spec("a", on_failure=told, on_recovery=called, queue="q", priority=4), spec("b"))

    failed, recovered = store.entries.notice("a", Turn.FAILED), store.entries.notice("a", Turn.RECOVERED)

    assert failed == NewJob(
        kind=Kind.COMMAND,
        task="mail a b",
        args=("mail", "a b"),
        surroundings=around,
        name="a-failed",
        queue="q",
        priority=4,
        retries=5,
        timeout_s=60.0,
    )
    assert failed is not None
    assert recovered == replace(
        failed, kind=Kind.CALL, task="app:told", args=(), name="a-recovered", surroundings=None
    )
    assert store.entries.notice("b", Turn.FAILED) is None
    assert store.entries.notice("nobody", Turn.FAILED) is None


def test_a_damaged_notice_tells_nobody_and_hurts_nobody(store: Store) -> None:
    load(store, spec("a", on_failure=Errand(kind=Kind.SHELL, task="x")))
    for damage in (
        "[",
        "7",
        "{}",
        '{"kind": "pickle", "task": "x"}',
        '{"kind": "call", "task": "x", "y": 1}',
    ):
        store._database._connection.execute("UPDATE entries SET on_failure = ?", (damage,))

        assert store.entries.notice("a", Turn.FAILED) is None


def test_it_is_known_who_schedules_a_table_and_what_is_wrong_with_it(store: Store) -> None:
    store.tables.hold("/t", pid=7, now=at(0))
    store.tables.problem("/t", "`t` has 2 problems")
    [row] = store.tables.all()
    assert (row.path, row.pid, row.started_at, row.problem) == ("/t", 7, at(0), "`t` has 2 problems")

    store.tables.problem("/t", None)
    assert store.tables.get("/t") == replace(row, problem=None)

    store.tables.problem("/t", "again")
    store.tables.hold("/t", pid=8, now=at(9))
    assert store.tables.get("/t") == replace(row, pid=8, started_at=at(9), problem=None)
    assert store.tables.get("/u") is None


# What the schema refuses, as changes of an entry.
LIES: list[str] = [
    "is_enabled = 2",
    "failed_runs = -1",
    "failed_runs = 1",
    "failing_since = 1",
    "paused_until = 1",
    "done_until = 'now'",
    "name = NULL",
    "zone = NULL",
]


@pytest.mark.parametrize("lie", LIES)
def test_the_file_refuses_a_lie_about_an_entry(store: Store, lie: str) -> None:
    load(store, spec("a"))

    with pytest.raises(sqlite3.IntegrityError):
        store._database._connection.execute(f"UPDATE entries SET {lie}")


CHANGES: list[Callable[[int], EntrySpec]] = [
    lambda n: spec(f"job-{n}"),
    lambda n: spec(f"job-{n}", digest="e"),
    lambda n: spec(f"other-{n}"),
]


def test_a_large_table_is_loaded_by_few_steps_an_entry(store: Store) -> None:
    for change in CHANGES:
        steps = 0

        def note() -> int:
            nonlocal steps
            steps += 1
            return 0

        store._database._connection.set_progress_handler(note, 100)
        load(store, *(change(n) for n in range(2000)))
        store._database._connection.set_progress_handler(None, 100)
        assert steps * 100 < 2000 * 250

    assert len(store.entries.rows()) == 2000
