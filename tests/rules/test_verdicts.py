"""What becomes of due ticks: each gets one verdict, whatever the clock and the jobs in the way do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobrun.cron.due import MOST_COUNTED, Due, between, due_ticks
from jobrun.cron.occurrences import upcoming
from jobrun.cron.verdicts import MOST_CAUGHT_UP, Situation, decide, window_s
from jobrun.cron.words import Catchup, Entry, EntryRow, NewTick, Occurrence, Overlap, TickState
from tests.rules.entries import entry

NIGHT = datetime(2027, 1, 10, 3, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
RAN, PENDING, MISSED, SKIPPED = TickState.RAN, TickState.PENDING, TickState.MISSED, TickState.SKIPPED


def row(**changes: Any) -> EntryRow:
    plain = EntryRow(
        name="backup",
        table="jobs.toml",
        schedule_text="",
        zone_name="UTC",
        digest="",
        since=NIGHT - DAY,
        done_until=NIGHT,
        anchor=NIGHT,
        boot_id="",
        is_enabled=True,
        removed_at=None,
        paused_at=None,
        paused_until=None,
        failing_since=None,
        failed_runs=0,
        last_success_at=None,
    )
    return replace(plain, **changes)


def due(it: Entry, *, since: datetime, now: datetime) -> Due:
    def after(instant: datetime) -> Iterator[Occurrence]:
        return upcoming(it, instant, anchor=NIGHT)

    return due_ticks(after, since=since, now=now, window=partial(window_s, it))


def verdicts(
    it: Entry,
    *,
    since: datetime,
    now: datetime,
    live: tuple[int, ...] = (),
    has_pending: bool = False,
    **changes: Any,
) -> list[NewTick]:
    situation = Situation(now=now, row=row(**changes), live=live, has_pending=has_pending)
    return decide(it, due(it, since=since, now=now), situation)


def told(found: list[NewTick]) -> list[tuple[str, str]]:
    return [(f"{tick.at:%H:%M}", tick.state) for tick in found]


def test_a_tick_that_is_served_in_time_runs_at_its_time() -> None:
    [tick] = verdicts(entry(), since=NIGHT, now=NIGHT + HOUR + timedelta(milliseconds=3))

    assert (tick.state, tick.at) == (RAN, NIGHT + HOUR)
    assert tick.job is not None
    assert (tick.job.scheduled_for, tick.job.run_at) == (NIGHT + HOUR, NIGHT + HOUR)
    assert not tick.job.terms.is_catchup


def test_before_its_time_nothing_is_due() -> None:
    assert verdicts(entry(), since=NIGHT, now=NIGHT + HOUR - timedelta(milliseconds=1)) == []


def test_a_tick_missed_within_the_window_is_made_up_and_told_so() -> None:
    now = NIGHT + HOUR + 20 * MINUTE

    [tick] = verdicts(entry(), since=NIGHT, now=now)

    assert tick.state is RAN
    assert tick.job is not None
    assert tick.job.terms.is_catchup
    assert tick.job.run_at is not None
    assert timedelta() <= tick.job.run_at - now <= MINUTE


@pytest.mark.parametrize(
    ("now", "interval_h"),
    [(NIGHT, 1), (NIGHT + HOUR, 18), (NIGHT + HOUR + MINUTE, 18), (NIGHT + 6 * HOUR, 1)],
)
def test_the_interval_is_that_from_the_last_tick_or_if_several_are_due_between_the_next_two(
    now: datetime, interval_h: int
) -> None:
    it = entry("0 3,4,9 * * *")

    found = due(it, since=NIGHT - MINUTE, now=now)

    assert found.interval_s == interval_h * 3600


def test_the_last_tick_of_all_is_due_and_told_of_though_none_follows() -> None:
    moved_from = datetime(2027, 1, 10, 2, 30)  # noqa: DTZ001 -- a local time that does not exist
    last = Occurrence(at=NIGHT, local=NIGHT, moved_from=moved_from)

    def after(instant: datetime) -> Iterator[Occurrence]:
        return iter((last,) if instant < last.at else ())

    def at_hour(hours: int) -> Due:
        now = NIGHT + hours * HOUR
        return due_ticks(after, since=NIGHT - HOUR, now=now, window=lambda _: 60.0)

    assert at_hour(0) == Due(recent=(last,))
    [older] = at_hour(1).older
    assert (older.at, older.moved_from, older.count) == (NIGHT, moved_from, 1)
    assert list(between(after, older, [])) == [older]
    assert list(between(after, older, [(NIGHT, NIGHT)])) == []


def test_of_more_ticks_than_are_walked_through_the_newest_are_recent() -> None:
    it = entry("* * * * *", catchup=Catchup.ALL, catchup_window_s=600 * 60.0)

    found = verdicts(it, since=NIGHT, now=NIGHT + 590 * MINUTE)

    made_up = [tick.at for tick in found if tick.state in (RAN, PENDING)]
    assert made_up == [NIGHT + minute * MINUTE for minute in range(491, 591)]
    assert found[0].at == NIGHT + MINUTE


def test_where_no_tick_ever_comes_none_is_due() -> None:
    found = due_ticks(lambda _: iter(()), since=NIGHT, now=NIGHT + DAY, window=lambda _: 60.0)

    assert found == Due()


@pytest.mark.parametrize("name", ["a", "b", "c", "d", "e"])
def test_what_is_made_up_is_not_put_off_into_the_way_of_the_next_tick(name: str) -> None:
    it = entry("* * * * *", name=name, catchup_window_s=1800.0)

    [*_, tick] = verdicts(it, since=NIGHT, now=(now := NIGHT + 5 * MINUTE + timedelta(seconds=20)))

    assert tick.job is not None
    assert tick.job.run_at is not None
    assert tick.job.run_at - now <= MINUTE / 4


@pytest.mark.parametrize(
    ("catchup", "window", "late", "expected"),
    [
        (Catchup.ONE, None, 29 * MINUTE, RAN),  # half the hour to the next one
        (Catchup.ONE, None, 31 * MINUTE, MISSED),
        (Catchup.ONE, 300.0, 6 * MINUTE, MISSED),
        (Catchup.ONE, 3000.0, 49 * MINUTE, RAN),
        (Catchup.NONE, None, timedelta(seconds=59), RAN),
        (Catchup.NONE, None, 2 * MINUTE, MISSED),
        (Catchup.NONE, 3000.0, 2 * MINUTE, MISSED),
    ],
)
def test_what_is_made_up_depends_on_policy_and_window(
    catchup: Catchup, window: float | None, late: timedelta, expected: TickState
) -> None:
    it = entry(catchup=catchup, catchup_window_s=window)

    assert [tick.state for tick in verdicts(it, since=NIGHT, now=NIGHT + HOUR + late)] == [expected]


def test_a_daily_run_is_made_up_for_an_hour_at_most() -> None:
    daily = entry("0 3 * * *")

    assert told(verdicts(daily, since=NIGHT - DAY, now=NIGHT + 59 * MINUTE)) == [("03:00", RAN)]
    assert told(verdicts(daily, since=NIGHT - DAY, now=NIGHT + 61 * MINUTE)) == [("03:00", MISSED)]


def test_what_came_before_an_entry_was_changed_is_told_of_and_not_made_up() -> None:
    changed_at = NIGHT + 2 * HOUR + 30 * MINUTE
    it = entry(catchup=Catchup.ALL, catchup_window_s=4 * 3600.0)

    now = NIGHT + 3 * HOUR + 5 * MINUTE

    found = decide(it, due(it, since=NIGHT, now=now), Situation(now=now, row=row(since=changed_at)))

    assert told(found) == [("04:00", MISSED), ("05:00", MISSED), ("06:00", RAN)]
    assert {tick.reason for tick in found[:2]} == {"no scheduler served it before its entry was changed"}


def test_one_run_stands_for_all_that_were_missed() -> None:
    it = entry(catchup_window_s=4 * 3600.0)

    found = verdicts(it, since=NIGHT, now=NIGHT + 3 * HOUR + 5 * MINUTE)

    assert told(found) == [("04:00", MISSED), ("05:00", MISSED), ("06:00", RAN)]


def test_all_are_made_up_oldest_first_and_one_at_a_time() -> None:
    it = entry(catchup=Catchup.ALL, catchup_window_s=4 * 3600.0)

    found = verdicts(it, since=NIGHT, now=NIGHT + 3 * HOUR + 5 * MINUTE)

    assert told(found) == [("04:00", RAN), ("05:00", PENDING), ("06:00", PENDING)]


def test_of_very_many_the_newest_hundred_are_made_up_and_the_rest_is_told_of() -> None:
    it = entry("* * * * *", catchup=Catchup.ALL, catchup_window_s=180 * 60.0)

    found = verdicts(it, since=NIGHT, now=NIGHT + 170 * MINUTE)

    assert sum(tick.state in (RAN, PENDING) for tick in found) == MOST_CAUGHT_UP
    assert sum(tick.count or 0 for tick in found) == 170


def test_what_is_too_old_shares_one_row_that_says_how_many() -> None:
    [older, newest] = verdicts(entry(), since=NIGHT, now=NIGHT + 50 * HOUR + MINUTE)

    assert (older.state, older.at, older.last, older.count) == (MISSED, NIGHT + HOUR, NIGHT + 49 * HOUR, 49)
    assert (newest.state, newest.at) == (RAN, NIGHT + 50 * HOUR)


def test_a_year_of_minutes_is_told_of_without_being_walked_through() -> None:
    steps = 0
    it = entry("* * * * *")

    def after(instant: datetime) -> Iterator[Occurrence]:
        nonlocal steps
        for tick in upcoming(it, instant):
            steps += 1
            yield tick

    found = due_ticks(after, since=NIGHT, now=NIGHT + 365 * DAY, window=partial(window_s, it))

    [older] = found.older
    assert older.count is None
    assert older.at == NIGHT + MINUTE
    assert steps < 5 * MOST_COUNTED


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [(Overlap.SKIP, SKIPPED), (Overlap.QUEUE, PENDING), (Overlap.REPLACE, PENDING), (Overlap.ALLOW, RAN)],
)
def test_a_live_job_is_in_the_way_unless_overlap_is_allowed(overlap: Overlap, expected: TickState) -> None:
    [tick] = verdicts(entry(overlap=overlap), since=NIGHT, now=NIGHT + HOUR, live=(12,))

    assert tick.state is expected
    assert tick.in_way == (None if expected is RAN else 12)


def test_a_tick_that_is_not_run_names_the_oldest_job_in_the_way() -> None:
    [tick] = verdicts(entry(overlap=Overlap.SKIP), since=NIGHT, now=NIGHT + HOUR, live=(12, 15))

    assert (tick.in_way, tick.reason) == (12, "job 12 was in the way")


def test_a_tick_that_still_waits_is_in_the_way_too_though_no_job_is_there_yet() -> None:
    [tick] = verdicts(entry(overlap=Overlap.SKIP), since=NIGHT, now=NIGHT + HOUR, has_pending=True)

    assert (tick.state, tick.in_way, tick.reason) == (SKIPPED, None, "an earlier tick still waited")


def test_of_several_that_are_made_up_none_runs_beside_another_though_overlap_is_allowed() -> None:
    it = entry(catchup=Catchup.ALL, catchup_window_s=4 * 3600.0, overlap=Overlap.ALLOW)

    found = verdicts(it, since=NIGHT, now=NIGHT + 2 * HOUR + 5 * MINUTE)

    assert told(found) == [("04:00", RAN), ("05:00", PENDING)]


def test_what_was_missed_says_by_how_much_and_why() -> None:
    now = NIGHT + 50 * HOUR + MINUTE
    [older, _] = verdicts(entry(), since=NIGHT, now=now)
    [late, made_up] = verdicts(
        entry(catchup_window_s=2 * 3600.0), since=NIGHT + 48 * HOUR, now=now, done_until=NIGHT + 48 * HOUR
    )

    assert older.reason == "no scheduler served it in time"
    assert late.reason == "served 3660 s late, a later tick stands for it"
    assert made_up.reason == "made up 60 s after its time"


@pytest.mark.parametrize(("late_s", "is_catchup"), [(10.0, False), (10.001, True)])
def test_what_is_served_within_ten_seconds_is_not_called_late(
    late_s: float,
    is_catchup: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    [tick] = verdicts(entry(), since=NIGHT, now=NIGHT + HOUR + timedelta(seconds=late_s))

    assert tick.job is not None
    assert tick.job.terms.is_catchup == is_catchup


@pytest.mark.parametrize(
    ("interval_s", "window", "catchup", "expected_s"),
    [
        (600.0, 3000.0, Catchup.NONE, 60.0),
        (86400.0, None, Catchup.ONE, 3600.0),
        (3600.0, None, Catchup.ONE, 1800.0),
        (90.0, None, Catchup.ONE, 60.0),
        (30.0, None, Catchup.ONE, 30.0),
        (3600.0, 1.0, Catchup.ONE, 60.0),
        (3600.0, 90.0, Catchup.ONE, 90.0),
    ],
)
def test_a_tick_is_made_up_for_half_its_interval_but_not_less_than_a_minute_or_more_than_an_hour(
    interval_s: float, window: float | None, catchup: Catchup, expected_s: float
) -> None:
    assert window_s(entry(catchup=catchup, catchup_window_s=window), interval_s) == expected_s


@pytest.mark.parametrize(
    ("paused_h", "until_h", "state"),
    [(0.5, 49.5, TickState.PAUSED), (0.5, 40.0, MISSED), (40.0, 49.5, MISSED)],
)
def test_ticks_that_share_a_row_were_paused_if_all_of_them_were(
    paused_h: float, until_h: float, state: TickState
) -> None:
    pause: dict[str, Any] = {"paused_at": NIGHT + paused_h * HOUR, "paused_until": NIGHT + until_h * HOUR}

    [older, _] = verdicts(entry(), since=NIGHT, now=NIGHT + 50 * HOUR + MINUTE, **pause)

    assert (older.count, older.state) == (49, state)


def test_a_paused_entry_says_so_and_runs_again_when_the_pause_is_over() -> None:
    pause: dict[str, Any] = {"paused_at": NIGHT, "paused_until": NIGHT + 90 * MINUTE}
    it = entry(catchup_window_s=7200.0)

    assert told(verdicts(it, since=NIGHT, now=NIGHT + 2 * HOUR, **pause)) == [
        ("04:00", TickState.PAUSED),
        ("05:00", RAN),
    ]


def test_a_pause_without_an_end_holds() -> None:
    [tick] = verdicts(entry(), since=NIGHT, now=NIGHT + HOUR, paused_at=NIGHT)

    assert tick.state is TickState.PAUSED


def test_a_disabled_entry_runs_nothing_and_its_ticks_say_why() -> None:
    found = verdicts(entry(is_enabled=False), since=NIGHT, now=NIGHT + 3 * HOUR)

    assert {tick.state for tick in found} == {TickState.DISABLED}
    assert sum(tick.count or 0 for tick in found) == 3


def test_jitter_is_the_same_for_a_tick_whenever_it_is_asked_and_below_half_the_interval() -> None:
    it = entry("*/10 * * * *", jitter_s=3600.0)

    def delay(hours: int) -> timedelta:
        at = NIGHT + hours * HOUR
        [tick] = verdicts(it, since=at - MINUTE, now=at)
        assert tick.job is not None
        assert tick.job.run_at is not None
        return tick.job.run_at - at

    delays = [delay(hours) for hours in range(24)]
    assert delays == [delay(hours) for hours in range(24)]
    assert len(set(delays)) > 20
    assert all(timedelta() <= each <= 5 * MINUTE for each in delays)


@settings(deadline=None)
@given(
    schedule=st.sampled_from(
        ["* * * * *", "*/7 * * * *", "0 * * * *", "30 3 * * *", "@every 45s", "@every 2h"]
    ),
    since=st.integers(-200_000, 200_000),
    span=st.integers(0, 400_000),
    catchup=st.sampled_from(Catchup),
    overlap=st.sampled_from(Overlap),
    window=st.none() | st.integers(1, 100_000),
    live=st.lists(st.just(12), max_size=1),
)
def test_each_due_tick_has_exactly_one_verdict(  # noqa: PLR0917
    schedule: str,
    since: int,
    span: int,
    catchup: Catchup,
    overlap: Overlap,
    window: int | None,
    live: list[int],
) -> None:
    it = entry(schedule, catchup=catchup, overlap=overlap, catchup_window_s=window and float(window))
    begin = NIGHT + timedelta(seconds=since)
    now = begin + timedelta(seconds=span)

    found = verdicts(it, since=begin, now=now, live=tuple(live))

    true = 0
    for tick in upcoming(it, begin, anchor=NIGHT):
        if tick.at > now or true > 10_000:
            break
        true += 1
    counted = [tick.count for tick in found]
    assert None in counted or sum(filter(None, counted)) == true
    assert [tick.at for tick in found] == sorted({tick.at for tick in found})
    assert all(begin < tick.at <= now for tick in found)
    assert sum(tick.state is RAN for tick in found) <= 1
