"""The dialect: what is read, what it means, and what is refused in which words."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace

import pytest

from jobrun.cron.fields import MAX_LENGTH, parse_expression
from jobrun.cron.schedule import ALIASES, parse_schedule
from jobrun.cron.words import DayRule, Every, Expression, Special
from jobrun.errors import UsageError


@pytest.mark.parametrize(
    ("field", "minutes"),
    [
        ("5", [5]),
        ("00", [0]),
        ("5-5", [5]),  # croniter: every minute
        ("10-13", [10, 11, 12, 13]),
        ("*/20", [0, 20, 40]),
        ("*/45", [0, 45]),
        ("*/90", [0]),
        ("40/10", [40, 50]),
        ("10-30/10", [10, 20, 30]),
        ("9-9/2", [9]),  # cronsim: 9/2
        ("3,1,2,2", [1, 2, 3]),
        ("58-59,0-1", [0, 1, 58, 59]),
        ("1,*", list(range(60))),
    ],
)
def test_a_field_of_numbers_is_read(field: str, minutes: list[int]) -> None:
    assert list(parse_expression(f"{field} 0 * * *").minutes) == minutes


@pytest.mark.parametrize(
    ("field", "weekdays"),
    [
        ("0", {0}),
        ("7", {0}),
        ("sun", {0}),
        ("Mon-fri", {1, 2, 3, 4, 5}),
        ("FRI-SUN", {5, 6, 0}),
        ("sat-sun", {6, 0}),
        ("5-7", {5, 6, 0}),
        ("5-0", {5, 6, 0}),
        ("7-7", {0}),
        ("1-1", {1}),  # croniter: every day
        ("3/2", {3, 5, 0}),  # croniter: without Sunday
        ("*/2", {0, 2, 4, 6}),
        ("fri-sun/2", {5, 0}),
        ("tue,4", {2, 4}),
    ],
)
def test_a_weekday_has_names_and_two_sundays(field: str, weekdays: set[int]) -> None:
    assert parse_expression(f"0 0 * * {field}").days.weekdays == weekdays


@pytest.mark.parametrize(
    ("field", "months"), [("jan-mar", (1, 2, 3)), ("JAN-JAN", (1,)), ("Dec,6", (6, 12)), ("*/5", (1, 6, 11))]
)
def test_a_month_has_names(field: str, months: tuple[int, ...]) -> None:
    assert parse_expression(f"0 0 1 {field} *").months == months


def test_the_words_for_days_are_read() -> None:
    dates = parse_expression("0 0 L,L-3,LW,15w,7 * ?").days
    weekdays = parse_expression("0 0 ? * fri#2,7#1,5L,Lmon,2").days

    assert dates == DayRule(
        dates=frozenset({7}),
        from_end=frozenset({0, 3}),
        nearest=frozenset({15}),
        is_last_workday=True,
        weekdays=frozenset(range(7)),
    )
    assert weekdays == DayRule(
        dates=frozenset(range(1, 32)),
        weekdays=frozenset({2}),
        nth_weekdays=frozenset({(5, 2), (0, 1)}),
        last_weekdays=frozenset({5, 1}),
    )


@pytest.mark.parametrize(
    ("days", "needs_both"),
    [
        ("* * 1", True),
        ("1 * *", True),
        ("? * 1", True),
        ("*/2 * 1", True),  # it is the first character that counts
        ("1-7 * */7", True),
        ("*,1 * 1", True),
        ("1,* * 1", False),
        ("13 * 5", False),
        ("H * 1", False),
        ("1-31 * 1", False),
    ],
)
def test_a_day_field_that_begins_with_a_star_asks_for_both(days: str, needs_both: bool) -> None:  # noqa: FBT001 -- a column of the table
    assert parse_expression(f"0 0 {days}").days.needs_both is needs_both


@pytest.mark.parametrize(
    ("times", "is_wildcard"),
    [("* 0", True), ("*/5 3", True), ("0 *", True), ("0 */2", True), ("0-59 0-23", False), ("1,* 0", False)],
)
def test_a_time_that_begins_with_a_star_follows_elapsed_time(times: str, is_wildcard: bool) -> None:  # noqa: FBT001 -- a column of the table
    assert parse_expression(f"{times} * * *").is_wildcard is is_wildcard


@pytest.mark.parametrize("text", ["0\t0  *\t* *", " 0 0 * * * \r\n", "00 00 * * ?"])
def test_blanks_tabs_and_line_ends_do_not_matter(text: str) -> None:
    assert parse_expression(text).hours == (0,)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("50-10 * * * *", "minute `50-10` runs backwards: write 50-59,0-10"),
        ("0 22-2 * * *", "hour `22-2` runs backwards: write 22-23,0-2"),
        ("0 23-0 * * *", "hour `23-0` runs backwards: write 23,0"),
        ("0 0 25-5 * *", "day of month `25-5` runs backwards: write 25-31,1-5"),
        ("0 0 1 nov-feb *", "month `NOV-FEB` runs backwards: write NOV-DEC,JAN-FEB"),
        ("0 0 * * fri-mon", "weekday `FRI-MON` runs backwards: write FRI-SUN,MON"),
        ("0 0 * * 6-2", "weekday `6-2` runs backwards: write 6-7,1-2"),
        ("5-0 * * * *", "minute `5-0` runs backwards: write 5-59,0"),
        ("60 * * * *", "minute `60` is outside 0-59"),
        ("0 24 * * *", "hour `24` is outside 0-23"),
        ("0 0 0 * *", "day of month `0` is outside 1-31"),
        ("0 0 1 13 *", "month `13` is outside 1-12"),
        ("0 0 * * 8", "weekday `8` is outside 0-7"),
        ("0 0 L-31,L-32 * *", "day of month `32` is outside 1-31"),
        ("0 0 32W * *", "day of month `32` is outside 1-31"),
        ("*/0 * * * *", "minute `*/0` has a step of 0"),
        ("0 1-5/0 * * *", "hour `1-5/0` has a step of 0"),
        ("0 0 * * 1#6", "weekday `1#6`: a month has a 1st to a 5th of them"),
        ("0 0 * * 1#0", "weekday `1#0`: a month has a 1st to a 5th of them"),
        ("0 0 * * L", "weekday `L` names no day: write 5L for the last Friday"),
        ("R R * * *", "minute `R` is not understood: it takes 0-59"),
        ("0 0 1 foo *", "month `FOO` is not understood: it takes 1-12 or JAN-DEC"),
        ("0 0 * * monday", "weekday `MONDAY` is not understood: it takes 0-7, SUN-SAT, 5L or 5#2"),
        ("mon * * * *", "minute `MON` is not understood: it takes 0-59"),
        ("1,,2 * * * *", "minute has an empty part beside a comma"),
        ("0 0 , * *", "day of month has an empty part beside a comma"),
        ("-5 * * * *", "minute `-5` is not understood"),
        ("5- * * * *", "minute `5-` is not understood"),
        ("1-2-3 * * * *", "minute `1-2-3` is not understood"),
        ("*-5 * * * *", "minute `*-5` is not understood"),
        ("*/-5 * * * *", "minute `*/-5` is not understood"),
        ("5/ * * * *", "minute `5/` is not understood"),
        ("1.5 * * * *", "minute `1.5` is not understood"),
        ("? * * * *", "minute `?` stands for a day only: write *"),
        ("0 0 ?,1 * *", "day of month `?,1`: `?` stands alone"),
        ("0~30 * * * *", "minute `0~30` would be drawn anew at each start: write H(from-to)"),
        ("H(30-10) * * * *", "minute `30-10` runs backwards: write 30-59,0-10"),
        ("H() * * * *", "minute `H()` is not understood"),
        ("0 0 31 2 *", "schedule `0 0 31 2 *` never fires: no month of it has such a day"),
        ("0 0 30 2 *", "schedule `0 0 30 2 *` never fires: no month of it has such a day"),
        ("0 0 31W 4,6 ?", "schedule `0 0 31W 4,6 ?` never fires: no month of it has such a day"),
        ("0 0 */30 2 1#2", "schedule `0 0 */30 2 1#2` never fires: no month of it has such a day"),
        ("0 0 15W * */6", "schedule `0 0 15W * */6` never fires: no month of it has such a day"),  # a workday
        ("* * * *", "schedule `* * * *` has 4 fields, not 5"),
        ("", "schedule `` has 0 fields, not 5"),
        ("0 0 * * *\u00a0", "schedule `0 0 * * *\u00a0` holds U+00A0, which no field has"),
        ("\u0665 0 * * *", "schedule `\u0665 0 * * *` holds U+0665, which no field has"),
    ],
)
def test_what_is_refused_names_field_value_and_reason(text: str, problem: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_expression(text)

    assert refused.value.message == problem


@pytest.mark.parametrize(
    ("text", "readers"),
    [
        ("0 0 0 * * *", ["seconds first", "year last"]),
        ("0 0 0 1 1 ? 2027", ["seconds first and the year last"]),
    ],
)
def test_more_than_five_fields_are_refused_with_who_reads_them_how(text: str, readers: list[str]) -> None:
    with pytest.raises(UsageError) as refused:
        parse_expression(text)

    assert all(reader in refused.value.message for reader in readers)
    assert "@every 10s" in (refused.value.hint or "")


@pytest.mark.parametrize("text", ["1," * 200_000 + "1 * * * *", "9" * 5_000 + " * * * *", "* " * 100_000])
def test_a_very_long_text_is_refused_at_once_and_not_repeated(text: str) -> None:
    began = time.process_time()
    with pytest.raises(UsageError, match=f"longer than {MAX_LENGTH} characters") as refused:
        parse_expression(text)

    assert time.process_time() - began < 0.05
    assert len(refused.value.message) < 100


def test_the_longest_number_that_fits_is_refused_as_any_other() -> None:
    with pytest.raises(UsageError, match="is outside 0-59"):
        parse_expression("9" * 240 + " * * * *")


@pytest.mark.parametrize(
    ("field", "allowed"),
    [
        ("H 0 * * *", range(60)),
        ("H(10-19) 0 * * *", range(10, 20)),
        ("0 H * * *", range(24)),
        ("0 0 H * *", range(1, 29)),
        ("0 0 * * H", range(7)),
        ("0 0 * * H(fri-sun)", (5, 6, 0)),
    ],
)
def test_a_hash_chooses_one_value_that_depends_on_name_and_seed_alone(
    field: str, allowed: Collection[int]
) -> None:
    def chosen(name: str, seed: str) -> frozenset[int]:
        expression = parse_expression(field, name=name, seed=seed)
        days = expression.days
        chosen = (expression.minutes, expression.hours, days.dates, (), days.weekdays)
        return frozenset(chosen[[word.startswith("H") for word in field.split()].index(True)])

    by_name = [chosen(f"job{n}", "") for n in range(400)]

    assert set().union(*by_name) == set(allowed)
    assert all(len(each) == 1 for each in by_name)
    assert len({chosen("job", f"seed{n}") for n in range(100)}) > 1
    assert chosen("job", "seed") == chosen("job", "seed")


def test_a_hash_keeps_what_it_once_chose() -> None:
    expression = parse_expression("H H(0-5) H * H", name="backup", seed="host")

    assert (expression.minutes, expression.hours) == ((21,), (1,))
    assert expression.days == DayRule(dates=frozenset({6}), weekdays=frozenset({0}), needs_both=False)


def test_a_hash_with_a_step_is_even_over_its_range() -> None:
    starts = set()
    for n in range(200):
        first, *rest = parse_expression("H(0-29)/10 * * * *", name=f"job{n}").minutes
        starts.add(first)
        assert rest == [first + 10, first + 20]

    assert starts == set(range(10))


def test_two_fields_of_one_entry_are_hashed_apart() -> None:
    drawn = [parse_expression("H H * * *", name=f"job{n}") for n in range(400)]

    assert len({(each.minutes[0] % 24, each.hours[0]) for each in drawn}) > 200


@pytest.mark.parametrize(("word", "fields"), ALIASES.items())
def test_an_alias_means_its_five_fields(word: str, fields: str) -> None:
    expression, spelt_out = parse_schedule(f" {word.upper()} "), parse_schedule(fields)

    assert isinstance(expression, Expression)
    assert isinstance(spelt_out, Expression)
    assert expression.text == word
    assert replace(expression, text=fields) == spelt_out


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("@every 10s", Every(interval_s=10)),
        ("@every\t1h30m\r\n", Every(interval_s=5400)),
        ("@every 1.001s", Every(interval_s=1.001)),
        ("@reboot", Special.REBOOT),
        ("@Manual", Special.MANUAL),
    ],
)
def test_other_words_are_read(text: str, schedule: Every | Special) -> None:
    assert parse_schedule(text) == schedule


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("@every", "schedule `@every` is not known"),
        ("@every 10", "bad duration `10`"),
        ("@every 0.5s", "schedule `@every 0.5s` is shorter than a second"),
        ("@every 0s", "schedule `@every 0s` is shorter than a second"),
        ("@every 1.0005s", "schedule `@every 1.0005s` is finer than a millisecond"),
        ("@every 101d 1d", "bad duration `101d 1d`"),
        ("@dayly", "schedule `@dayly` is not known"),
        ("@daily 5", "schedule `@daily 5` is not known"),
        ("@" + "x" * 1000, f"schedule `@{'x' * 39}` is not known"),
    ],
)
def test_other_words_are_refused(text: str, problem: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_schedule(text)

    assert refused.value.message == problem


def test_ten_thousand_different_expressions_are_read_in_a_part_of_a_second() -> None:
    texts = [f"{n % 60} {n // 60 % 24} {n // 1440 + 1} * {n % 7}" for n in range(10_000)]
    began = time.process_time()
    for n, text in enumerate(texts):
        parse_schedule(text, name=f"job{n}")

    assert time.process_time() - began < 0.8
