"""When a schedule falls due: days, changes of the clocks, and what holds for every expression."""

from __future__ import annotations

import itertools
import time
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobrun.cron.clocks import change_between, changes
from jobrun.cron.dayfields import day_rule
from jobrun.cron.days import dates, month_days
from jobrun.cron.fields import parse_expression
from jobrun.cron.occurrences import next_occurrence, next_of_interval, upcoming
from jobrun.cron.words import Dst, Entry, Every, Expression, Occurrence
from jobrun.errors import UsageError
from tests.rules.entries import entry
from tests.rules.reference import runs

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ZONES = [
    "America/New_York",
    "Europe/Berlin",
    "Europe/Dublin",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Havana",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Kolkata",
    "Asia/Tehran",
    "Pacific/Apia",
    "Pacific/Chatham",
    "UTC",
]


def occurrences(text: str, zone: str, after: datetime, count: int, dst: Dst = Dst.VIXIE) -> list[Occurrence]:
    found: list[Occurrence] = []
    while len(found) < count:
        start = found[-1].at if found else after
        occurrence = next_occurrence(parse_expression(text), ZoneInfo(zone), start, dst=dst)
        assert occurrence is not None
        found.append(occurrence)
    return found


def told(occurrence: Occurrence) -> str:
    moved = f" for {occurrence.moved_from:%H:%M}" if occurrence.moved_from else ""
    return f"{occurrence.local:%d %H:%M %z}{moved}"


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("0 3-3 * * *", ["01-01", "01-02", "01-03"]),
        ("0 0 5-5 * *", ["01-05", "02-05", "03-05"]),
        ("0 0 * * 1-1", ["01-04", "01-11", "01-18"]),
        ("0 0 1 jan-jan *", ["01-01", "01-01", "01-01"]),
        ("0 0 */2 * 1", ["01-11", "01-25", "02-01"]),  # odd days that are Mondays
        ("0 0 1-7 * */7", ["01-03", "02-07", "03-07"]),  # the first Sunday
        ("0 0 13 * fri#2", ["01-08", "01-13", "02-12", "02-13"]),
        ("0 0 1 1 1#1", ["01-01", "01-04", "01-01", "01-03"]),
        ("0 0 1 * 5#2", ["01-01", "01-08", "02-01", "02-12"]),
        ("0 0 15 * L5", ["01-15", "01-29", "02-15", "02-26"]),
        ("0 0 15W * 1", ["01-04", "01-11", "01-15", "01-18"]),
        ("0 0 1 * 1,*", ["01-01", "01-02", "01-03"]),
        ("0 0 1,* * 1", ["01-01", "01-02", "01-03"]),
        ("0 0 13 * 5", ["01-01", "01-08", "01-13", "01-15"]),
        ("0 0 L * *", ["01-31", "02-28", "03-31"]),
        ("0 0 L-3 * *", ["01-28", "02-25", "03-28"]),
        ("0 0 L-30 * *", ["01-01", "03-01", "05-01"]),
        ("0 0 LW * *", ["01-29", "02-26", "03-31"]),
        ("0 0 1W * *", ["01-01", "02-01", "03-01", "04-01", "05-03"]),  # 1 May is a Saturday
        ("0 0 31W * *", ["01-29", "03-31", "05-31"]),  # never leaves the month, never comes in a short one
        ("0 0 15W 5-8 *", ["05-14", "06-15", "07-15", "08-16"]),
        ("0 0 * * 1#5", ["03-29", "05-31", "08-30"]),
        ("0 0 * * 5L,7#1", ["01-03", "01-29", "02-07"]),
        ("0 0 * * fri-sun", ["01-01", "01-02", "01-03", "01-08"]),
        ("0 0 29 2 *", ["02-29", "02-29"]),
        ("0 0 31 * *", ["01-31", "03-31", "05-31"]),
    ],
)
def test_the_days_of_2027_are_those_of_cronie(text: str, days: list[str]) -> None:
    found = occurrences(text, "UTC", datetime(2026, 12, 31, 12, tzinfo=UTC), len(days))

    assert [f"{each.local:%m-%d}" for each in found] == days


SPRING_AND_AUTUMN = [
    # New York: 14 March 02:00 -> 03:00, 7 November 02:00 -> 01:00
    ("30 2 * * *", "America/New_York", "2027-03-13 12", ["14 03:00 -0400 for 02:30", "15 02:30 -0400"]),
    ("0,30 2 * * *", "America/New_York", "2027-03-13 12", ["14 03:00 -0400 for 02:00", "15 02:00 -0400"]),
    (
        "0,30 2,3 * * *",
        "America/New_York",
        "2027-03-13 12",
        ["14 03:00 -0400 for 02:00", "14 03:30 -0400", "15 02:00 -0400"],
    ),
    ("*/30 2 * * *", "America/New_York", "2027-03-13 12", ["15 02:00 -0400"]),
    ("24 */2 * * *", "America/New_York", "2027-03-14 00", ["14 00:24 -0500", "14 04:24 -0400"]),
    ("*/30 * * * *", "America/New_York", "2027-03-14 01", ["14 01:30 -0500", "14 03:00 -0400", "14 03:30 -0400"]),
    ("30 1 * * *", "America/New_York", "2027-11-06 12", ["07 01:30 -0400", "08 01:30 -0500"]),
    (
        "*/30 * * * *",
        "America/New_York",
        "2027-11-07 00",
        ["07 00:30 -0400", "07 01:00 -0400", "07 01:30 -0400", "07 01:00 -0500", "07 01:30 -0500", "07 02:00 -0500"],
    ),
    ("0 0-3 * * *", "America/New_York", "2027-11-06 23", ["07 00:00 -0400", "07 01:00 -0400", "07 02:00 -0500"]),
    # Berlin: 28 March 02:00 -> 03:00, 31 October 03:00 -> 02:00
    ("15 2 * * 0", "Europe/Berlin", "2027-03-27 12", ["28 03:00 +0200 for 02:15", "04 02:15 +0200"]),
    ("59 2 28 3 *", "Europe/Berlin", "2027-03-27 12", ["28 03:00 +0200 for 02:59", "28 02:59 +0200"]),
    ("0 3 * * *", "Europe/Berlin", "2027-03-27 12", ["28 03:00 +0200", "29 03:00 +0200"]),
    ("0 2 * * *", "Europe/Berlin", "2027-10-30 12", ["31 02:00 +0200", "01 02:00 +0100"]),
    ("0 3 * * *", "Europe/Berlin", "2027-10-30 12", ["31 03:00 +0100", "01 03:00 +0100"]),
    # Dublin: its daylight saving is of winter; 28 March 01:00 -> 02:00, 31 October 02:00 -> 01:00
    ("30 1 * * *", "Europe/Dublin", "2027-03-27 12", ["28 02:00 +0100 for 01:30", "29 01:30 +0100"]),
    ("30 1 * * *", "Europe/Dublin", "2027-10-30 12", ["31 01:30 +0100", "01 01:30 +0000"]),
    # Lord Howe: 4 April 02:00 -> 01:30, 3 October 02:00 -> 02:30
    ("31 * * * *", "Australia/Lord_Howe", "2027-04-04 01", ["04 01:31 +1100", "04 01:31 +1030", "04 02:31 +1030"]),
    ("45 1 * * *", "Australia/Lord_Howe", "2027-04-03 12", ["04 01:45 +1100", "05 01:45 +1030"]),
    ("10 2 * * *", "Australia/Lord_Howe", "2027-10-02 12", ["03 02:30 +1100 for 02:10", "04 02:10 +1100"]),
    ("*/20 * * * *", "Australia/Lord_Howe", "2027-10-03 01", ["03 01:20 +1030", "03 01:40 +1030", "03 02:40 +1100"]),
    # Santiago: 3 April 24:00 -> 23:00, 5 September 00:00 -> 01:00
    ("30 23 * * *", "America/Santiago", "2027-04-03 12", ["03 23:30 -0300", "04 23:30 -0400"]),
    ("0 * * * *", "America/Santiago", "2027-04-03 22", ["03 23:00 -0300", "03 23:00 -0400", "04 00:00 -0400"]),
    ("0 0 * * *", "America/Santiago", "2027-04-03 12", ["04 00:00 -0400", "05 00:00 -0400"]),
    ("0 0 * * *", "America/Santiago", "2027-09-04 12", ["05 01:00 -0300 for 00:00", "06 00:00 -0300"]),
    ("30 0 5 9 *", "America/Santiago", "2027-09-04 12", ["05 01:00 -0300 for 00:30", "05 00:30 -0300"]),
    ("*/30 * 5 * *", "America/Santiago", "2027-09-04 12", ["05 01:00 -0300", "05 01:30 -0300"]),
    # Cairo: 30 April 00:00 -> 01:00, 28 October 24:00 -> 23:00
    ("0 0 * * *", "Africa/Cairo", "2027-04-29 12", ["30 01:00 +0300 for 00:00", "01 00:00 +0300"]),
    ("15 23 * * *", "Africa/Cairo", "2027-10-28 12", ["28 23:15 +0300", "29 23:15 +0200"]),
    ("0 0 29 10 *", "Africa/Cairo", "2027-10-28 12", ["29 00:00 +0200", "29 00:00 +0200"]),
    # Apia had no 30 December 2011: a correction of the calendar, for which nothing is made up
    ("0 0 * * *", "Pacific/Apia", "2011-12-28 12", ["29 00:00 -1000", "31 00:00 +1400"]),
    ("30 12 30 12 *", "Pacific/Apia", "2011-12-28 12", ["30 12:30 +1400", "30 12:30 +1400"]),
    ("*/30 * * * *", "Pacific/Apia", "2011-12-29 23", ["29 23:30 -1000", "31 00:00 +1400"]),
    # Kwajalein had no 21 August 1993 either
    ("0 6 * * *", "Pacific/Kwajalein", "1993-08-20 00", ["20 06:00 -1200", "22 06:00 +1200"]),
    # Chatham changes at 02:45, Troll by two hours
    ("0 3 * * *", "Pacific/Chatham", "2027-09-25 12", ["26 03:45 +1345 for 03:00", "27 03:00 +1345"]),
    ("30 1,2 * * *", "Antarctica/Troll", "2027-03-27 12", ["28 03:00 +0200 for 01:30", "29 01:30 +0200"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "zone", "begin", "expected"), SPRING_AND_AUTUMN)
def test_a_change_of_the_clocks_moves_a_fixed_time_and_leaves_elapsed_time_alone(
    text: str, zone: str, begin: str, expected: list[str]
) -> None:
    after = datetime.strptime(begin, "%Y-%m-%d %H").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)

    assert [told(each) for each in occurrences(text, zone, after, len(expected))] == expected


@pytest.mark.parametrize(
    ("dst", "text", "month", "expected"),
    [
        (Dst.SKIP, "30 2 * * *", 3, ["27 02:30 +0100", "29 02:30 +0200"]),
        (Dst.SKIP, "0,30 2,3 * * *", 3, ["27 02:00 +0100", "27 02:30 +0100", "27 03:00 +0100", "27 03:30 +0100",
                                       "28 03:00 +0200", "28 03:30 +0200", "29 02:00 +0200"]),
        (Dst.SKIP, "30 2 * * *", 10, ["30 02:30 +0200", "31 02:30 +0200", "01 02:30 +0100"]),
        (Dst.WALL, "30 2 * * *", 3, ["27 02:30 +0100", "29 02:30 +0200"]),
        (Dst.WALL, "30 2 * * *", 10, ["30 02:30 +0200", "31 02:30 +0200", "31 02:30 +0100", "01 02:30 +0100"]),
    ],
)  # fmt: skip
def test_the_other_rules_leave_a_skipped_time_out(
    dst: Dst, text: str, month: int, expected: list[str]
) -> None:
    after = datetime(2027, month, {3: 27, 10: 30}[month], tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)

    found = occurrences(text, "Europe/Berlin", after, len(expected), dst)

    assert [told(each) for each in found] == expected


@pytest.mark.parametrize("text", ["*/30 * * * *", "7 */3 * * *"])
@pytest.mark.parametrize("month", [3, 10])
def test_a_wildcard_follows_elapsed_time_under_every_rule(text: str, month: int) -> None:
    after = datetime(2027, month, 27, tzinfo=UTC)
    expected = occurrences(text, "Europe/Berlin", after, 250)

    assert all(occurrences(text, "Europe/Berlin", after, 250, dst) == expected for dst in Dst)


def test_what_is_asked_in_the_second_pass_of_a_repeat_is_answered_with_what_is_to_come() -> None:
    second_pass = datetime(2027, 11, 7, 6, 15, tzinfo=UTC)  # 01:15, as an hour before

    assert told(occurrences("30 1 * * *", "America/New_York", second_pass, 1)[0]) == "08 01:30 -0500"
    assert told(occurrences("* 1 7 * *", "America/New_York", second_pass, 1)[0]) == "07 01:16 -0500"
    assert (
        told(occurrences("30 1 * * *", "America/New_York", second_pass, 1, Dst.WALL)[0]) == "07 01:30 -0500"
    )


@pytest.mark.parametrize("seconds", [0.000001, 1, 59.999999])
def test_a_start_between_two_minutes_loses_no_run(seconds: float) -> None:
    before_the_gap = datetime(2027, 3, 28, 0, 59, tzinfo=UTC) + timedelta(seconds=seconds)
    in_the_first_pass = datetime(2027, 10, 31, 0, 29, tzinfo=UTC) + timedelta(seconds=seconds)

    assert (
        told(occurrences("30 2 * * *", "Europe/Berlin", before_the_gap, 1)[0]) == "28 03:00 +0200 for 02:30"
    )
    assert told(occurrences("30 2 * * *", "Europe/Berlin", in_the_first_pass, 1)[0]) == "31 02:30 +0200"
    assert (
        told(occurrences("0 2 * * *", "Europe/Berlin", in_the_first_pass, 1, Dst.WALL)[0]) == "31 02:00 +0100"
    )


def test_no_occurrence_is_the_one_asked_from() -> None:
    gap_ends = datetime(2027, 3, 28, 1, tzinfo=UTC)

    assert told(occurrences("30 2 * * *", "Europe/Berlin", gap_ends, 1)[0]) == "29 02:30 +0200"


@pytest.mark.parametrize(
    ("text", "zone", "after"),
    [
        ("0 0 29 2 1", "UTC", datetime(2096, 3, 1, tzinfo=UTC)),
        ("0 0 */28 2 1", "UTC", datetime(2080, 3, 1, tzinfo=UTC)),
        ("0 0 29 2 */7", "Europe/Berlin", datetime(2088, 3, 1, tzinfo=UTC)),
        ("0 0 31W 1 */5", "Europe/Berlin", datetime(2027, 3, 1, tzinfo=UTC)),
        ("0-59 0-23 * * *", "Pacific/Apia", datetime(2011, 12, 30, 9, 59, tzinfo=UTC)),
        ("* * * * *", "Pacific/Apia", datetime(2011, 12, 30, 9, 59, tzinfo=UTC)),
        ("0-59 0-23 * * *", "Pacific/Kwajalein", datetime(1969, 9, 30, 13, tzinfo=UTC)),
        ("17 * * * 0", "America/St_Johns", datetime(2005, 10, 29, 12, tzinfo=UTC)),
    ],
)
@pytest.mark.parametrize("dst", Dst)
def test_an_answer_never_takes_long(text: str, zone: str, after: datetime, dst: Dst) -> None:
    expression = parse_expression(text)
    began = time.process_time()
    occurrence = next_occurrence(expression, ZoneInfo(zone), after, dst=dst)

    assert time.process_time() - began < 0.05
    assert occurrence is not None
    assert occurrence.at > after


def test_what_never_comes_is_given_up_after_a_hundred_years() -> None:
    never = Expression(
        text="",
        minutes=(0,),
        hours=(0,),
        months=(2,),
        days=parse_expression("0 0 30 * *").days,
        is_wildcard=False,
    )
    began = time.process_time()

    assert next_occurrence(never, UTC, datetime(2027, 1, 1, tzinfo=UTC)) is None
    assert time.process_time() - began < 0.05


def test_an_interval_is_counted_from_its_anchor_on_either_side() -> None:
    anchor = datetime(2027, 1, 1, 0, 0, 7, tzinfo=UTC)
    every = Every(interval_s=90)

    assert next_of_interval(every, anchor, anchor) == anchor + timedelta(seconds=90)
    assert next_of_interval(every, anchor, anchor - timedelta(seconds=1)) == anchor
    assert next_of_interval(every, anchor, anchor - timedelta(seconds=90)) == anchor
    assert next_of_interval(every, anchor, anchor + 1000 * DAY) == anchor + 1000 * DAY + timedelta(seconds=90)


def days_of(dates: str, weekdays: str, length: int, first_weekday: int) -> tuple[int, ...]:
    return month_days(day_rule(dates, weekdays, ""), length, first_weekday)


@pytest.mark.parametrize("length", [28, 29, 30, 31])
@pytest.mark.parametrize("first", range(7))  # Sunday is 0
def test_in_every_month_there_is_the_last_weekday_and_the_nearest_workday(length: int, first: int) -> None:
    weekday_of = {day: (first + day - 1) % 7 for day in range(1, length + 1)}
    workdays = [day for day, weekday in weekday_of.items() if 0 < weekday < 6]

    for weekday in range(7):
        last = max(day for day in weekday_of if weekday_of[day] == weekday)
        assert days_of("*", f"{weekday}L", length, first) == (last,)
    for day in weekday_of:
        distance = min(abs(day - workday) for workday in workdays)
        [nearest] = [workday for workday in workdays if abs(day - workday) == distance]
        assert days_of(f"{day}W", "*", length, first) == (nearest,)
    assert days_of("LW", "*", length, first) == (workdays[-1],)


def test_the_calendar_ends_before_its_last_year_does() -> None:
    found = list(dates((12,), day_rule("31", "*", ""), date(9990, 1, 1)))

    assert (found[0], found[-1]) == (date(9990, 12, 31), date(9998, 12, 31))


@pytest.mark.parametrize(
    ("dst", "days"),
    [
        (Dst.VIXIE, ["26 02:30", "27 02:30", "28 03:00", "29 02:30"]),
        (Dst.SKIP, ["26 02:30", "27 02:30", "29 02:30", "30 02:30"]),
    ],
)
def test_an_entry_has_its_own_rule_for_changes_of_the_clocks(dst: Dst, days: list[str]) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    it = entry("30 2 * * *", zone=berlin, dst=dst)

    for day in (25, 26, 27):
        coming = itertools.islice(upcoming(it, datetime(2027, 3, day, 12, tzinfo=UTC)), 28 - day)
        assert [f"{each.local:%d %H:%M}" for each in coming] == days[day - 25 :][: 28 - day]


@pytest.mark.parametrize(("early_s", "late_s"), [(0.0, 0.0), (0.25, 0.0), (0.0, 0.75)])
def test_a_change_of_the_clocks_falls_on_a_whole_second_whoever_asks(early_s: float, late_s: float) -> None:
    eve = datetime(2027, 3, 27, 12, tzinfo=UTC)

    found = change_between(
        eve + timedelta(seconds=early_s), eve + DAY + timedelta(seconds=late_s), ZoneInfo("Europe/Berlin")
    )

    assert (found.at, found.shift) == (datetime(2027, 3, 28, 1, tzinfo=UTC), HOUR)


def test_what_is_to_come_is_listed_in_order_and_in_the_zone_of_the_entry() -> None:
    now = datetime(2027, 3, 27, 12, tzinfo=UTC)
    berlin = ZoneInfo("Europe/Berlin")
    daily = entry("30 2 * * *", zone=berlin)
    every = entry("@every 12h", zone=berlin)

    def listed(each: Entry, anchor: datetime | None = None) -> list[str]:
        return [told(occurrence) for occurrence in itertools.islice(upcoming(each, now, anchor=anchor), 2)]

    assert listed(daily) == ["28 03:00 +0200 for 02:30", "29 02:30 +0200"]
    assert listed(every) == ["28 01:00 +0100", "28 14:00 +0200"]
    assert listed(every, now - HOUR) == ["28 00:00 +0100", "28 13:00 +0200"]
    assert listed(entry("@reboot")) == listed(entry("@manual")) == []


def numbers(low: int, high: int) -> st.SearchStrategy[str]:
    value = st.integers(low, high)
    span = st.tuples(value, value).map(sorted).map(lambda pair: f"{pair[0]}-{pair[1]}")
    part = st.one_of(
        value.map(str),
        span,
        st.tuples(span, st.integers(1, 9)).map(lambda each: f"{each[0]}/{each[1]}"),
        st.integers(1, 40).map(lambda step: f"*/{step}"),
    )
    return st.just("*") | st.lists(part, min_size=1, max_size=3).map(",".join)


DATES = st.just("*") | numbers(1, 31) | st.sampled_from(["L", "LW", "L-4", "1W", "31W", "15W,1", "?"])
WEEKDAYS = st.just("*") | numbers(0, 7) | st.sampled_from(["FRI-SUN", "1#1", "0#5,3", "5L", "LMON", "?"])
TEXTS = st.tuples(numbers(0, 59), numbers(0, 23) | numbers(0, 3), DATES, numbers(1, 12), WEEKDAYS).map(
    " ".join
)
INSTANTS = st.datetimes(datetime(2010, 1, 1), datetime(2040, 1, 1)).map(lambda wall: wall.replace(tzinfo=UTC))  # noqa: DTZ001 -- hypothesis wants them naive


def parsed(text: str) -> Expression | None:
    try:
        return parse_expression(text)
    except UsageError as error:
        assert "never fires" in error.message  # noqa: PT017 -- all else that is drawn is valid
        return None


@given(TEXTS, st.sampled_from(ZONES), INSTANTS, st.sampled_from(Dst))
def test_an_occurrence_is_later_and_shows_a_time_of_the_expression(
    text: str, zone: str, after: datetime, dst: Dst
) -> None:
    if (expression := parsed(text)) and (
        found := next_occurrence(expression, ZoneInfo(zone), after, dst=dst)
    ):
        shown = found.moved_from or found.local
        assert found.at > after
        # A time of a repeated hour equals none of another zone (PEP 495).
        assert found.at == found.local.astimezone(UTC)
        assert (shown.minute in expression.minutes, shown.hour in expression.hours) == (True, True)
        assert shown.month in expression.months
        assert found.moved_from is None or (dst is Dst.VIXIE and not expression.is_wildcard)


@given(TEXTS, st.sampled_from(ZONES), INSTANTS, st.floats(0, 1), st.sampled_from(Dst))
def test_an_occurrence_does_not_depend_on_the_way_to_it(
    text: str, zone: str, after: datetime, part: float, dst: Dst
) -> None:
    if (expression := parsed(text)) and (
        found := next_occurrence(expression, ZoneInfo(zone), after, dst=dst)
    ):
        between = after + (found.at - after) * part
        if between < found.at:
            assert next_occurrence(expression, ZoneInfo(zone), between, dst=dst) == found


@given(TEXTS, st.sampled_from(ZONES), INSTANTS, INSTANTS, st.sampled_from(Dst))
def test_a_later_start_never_has_an_earlier_answer(
    text: str, zone: str, one: datetime, other: datetime, dst: Dst
) -> None:
    if expression := parsed(text):
        answers = [
            next_occurrence(expression, ZoneInfo(zone), after, dst=dst) for after in sorted((one, other))
        ]
        assert None in answers or answers[0].at <= answers[1].at  # type: ignore[union-attr]


@cache
def days_of_change(zone: str) -> list[datetime]:
    since, until = datetime(2004, 1, 1, tzinfo=UTC), datetime(2032, 1, 1, tzinfo=UTC)
    return [change.at for change in changes(ZoneInfo(zone), since, until)] or [
        datetime(2027, 1, 1, tzinfo=UTC)
    ]


@settings(max_examples=300, derandomize=True, deadline=None)
@given(TEXTS, st.sampled_from(ZONES), st.integers(0, 100), st.integers(0, 2 * 24 * 60))
def test_two_days_about_a_change_of_the_clocks_agree_with_a_walk_minute_by_minute(
    text: str, zone: str, number: int, minutes: int
) -> None:
    if expression := parsed(text):
        days = days_of_change(zone)
        start = days[number % len(days)].replace(second=0) - timedelta(minutes=minutes)
        until = start + 2 * DAY
        walked = [
            (run.at, run.moved_from)
            for run in itertools.islice(runs(text, ZoneInfo(zone), start, until), 200)
        ]
        after = start
        for at, moved_from in walked:
            found = next_occurrence(expression, ZoneInfo(zone), after)
            assert found is not None
            assert (found.at, found.moved_from) == (at, moved_from)
            after = at
        if len(walked) < 200:
            last = next_occurrence(expression, ZoneInfo(zone), after)
            assert last is None or last.at > until
