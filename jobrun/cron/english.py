"""A schedule in English words, as exact as the schedule itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from jobrun.cron.words import DayRule, Every, Expression, Schedule, Special
from jobrun.units import format_duration, parse_duration

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MOST_TIMES = 6  # times of day that are told one by one
_OF_THE_MONTH = " of the month"
_EITHER = " and also on "
FEWEST_STEPS = 4  # of a regular list that is told by its step

_SPECIALS = {
    Special.REBOOT: "once after each boot of the machine",
    Special.MANUAL: "only when somebody triggers it",
}


def explain(schedule: Schedule) -> str:
    """Say when a schedule falls due.

    >>> from jobrun.cron.schedule import parse_schedule
    >>> explain(parse_schedule("15 2 * * 1-5"))
    'at 02:15 on weekdays (Monday to Friday)'
    """
    if isinstance(schedule, Special):
        return _SPECIALS[schedule]
    if isinstance(schedule, Every):
        return f"every {_duration(schedule.interval_s)}"
    times, days, months = _times(schedule), _days(schedule.days), spans(schedule.months, _month, " to ")
    if len(schedule.months) < 12 and _OF_THE_MONTH in days and _EITHER not in days:
        return f"{times} {days.replace(_OF_THE_MONTH, f' of {months}')}"
    if not days and times.startswith("at ") and "hour" not in times:
        days = "every day"
    when = "" if len(schedule.months) == 12 else f"in {months}"
    return " ".join(part for part in (times, days, when) if part)


def _times(expression: Expression) -> str:
    minutes, hours = expression.minutes, expression.hours
    if len(hours) < 24 and len(minutes) * len(hours) <= MOST_TIMES:
        return "at " + _join(f"{hour:02}:{minute:02}" for hour in hours for minute in minutes)
    begin, end = f"{hours[0]:02}:{minutes[0]:02}", f"{hours[-1]:02}:{minutes[-1]:02}"
    if len(minutes) == 1:
        return _hourly(minutes[0], hours, f"from {begin} to {end}")
    step, is_whole_day = _step(minutes), len(hours) == 24
    if step and 60 % step == 0 and minutes[-1] - minutes[0] == 60 - step:  # even from one hour to the next
        often = f"every {step} minutes" if step > 1 else "every minute"
        if is_whole_day and not minutes[0]:
            return often
        if _step(hours) == 1 or len(hours) == 1:
            return f"{often} from {begin} to {end}"
        if not minutes[0]:
            return f"{often} of {_some_hours(hours)}"
    return f"at minutes {spans(minutes)} of {'every hour' if is_whole_day else _some_hours(hours)}"


def _duration(seconds: float) -> str:
    """Write an interval for people, and where that would round it, in seconds."""
    short = format_duration(seconds)
    return short if parse_duration(short) == seconds else f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"


def _hourly(minute: int, hours: tuple[int, ...], span: str) -> str:
    if step := _step(hours):
        if len(hours) < 24:
            return f"every {step} hours {span}" if step > 1 else f"every hour {span}"
        return f"every hour at minute {minute}" if minute else "every hour on the hour"
    return f"at minute {minute} of {_some_hours(hours)}"


def _some_hours(hours: tuple[int, ...]) -> str:
    step = _step(hours)
    if step and step > 1 and len(hours) >= FEWEST_STEPS:
        return f"every {_nth(step)} hour from {hours[0]} to {hours[-1]}"
    return f"{'hour' if len(hours) == 1 else 'hours'} {spans(hours)}"


def _days(rule: DayRule) -> str:
    """Say which days match, with the word that joins the two fields."""
    dates = "" if len(rule.dates) == 31 else _dates(rule) + _OF_THE_MONTH
    is_any_weekday = len(rule.weekdays) == 7
    if rule.needs_both:
        if dates and not is_any_weekday:
            return f"on {dates}, only if it is {_weekdays(rule, 'or')}"
        return f"on {dates}" if dates else "" if is_any_weekday else f"on {_weekdays(rule, 'and')}"
    if not dates or is_any_weekday:
        return ""
    return f"on {dates}{_EITHER}{_weekdays(rule, 'and')}"


def _dates(rule: DayRule) -> str:
    numbers, parts = sorted(rule.dates), []
    step = _step(numbers)
    if step and step > 1 and len(numbers) >= FEWEST_STEPS:
        parts.append(f"every {_nth(step)} day from the {_nth(numbers[0])} to the {_nth(numbers[-1])}")
    elif numbers:
        parts.append(f"the {spans(numbers, _nth, ' to ')}")
    parts += [f"the workday (Monday to Friday) nearest the {_nth(day)}" for day in sorted(rule.nearest)]
    if rule.is_last_workday:
        parts.append("the last workday (Monday to Friday)")
    for back in sorted(rule.from_end, reverse=True):
        parts.append(f"the {_nth(back)} day before the last" if back else "the last day")
    return _join(parts)


def _weekdays(rule: DayRule, joint: str) -> str:
    parts = []
    if rule.weekdays == frozenset(range(1, 6)) and joint == "and":
        parts.append("weekdays (Monday to Friday)")
    elif rule.weekdays:
        from_monday = sorted(day or 7 for day in rule.weekdays)
        parts.append(spans(from_monday, _weekday, " to ", joint))
    parts += [f"the {_nth(n)} {WEEKDAYS[day]} of the month" for day, n in sorted(rule.nth_weekdays)]
    parts += [f"the last {WEEKDAYS[day]} of the month" for day in sorted(rule.last_weekdays)]
    return _join(parts, joint)


def _step(numbers: Sequence[int]) -> int | None:
    """Return the distance between neighbours, if there are two and it is always the same."""
    distances = {after - before for before, after in pairwise(numbers)}
    return distances.pop() if len(distances) == 1 else None


def spans(
    numbers: Sequence[int], name: Callable[[int], str] = str, dash: str = "-", joint: str = "and"
) -> str:
    """List ascending numbers, three or more in a row as a span.

    >>> spans([1, 2, 3, 5, 7, 8])
    '1-3, 5, 7 and 8'
    """
    rows: list[list[int]] = []
    for number in numbers:
        if rows and number == rows[-1][-1] + 1:
            rows[-1].append(number)
        else:
            rows.append([number])
    parts: list[str] = []
    for row in rows:
        is_span = len(row) > 2
        parts += [f"{name(row[0])}{dash}{name(row[-1])}"] if is_span else [name(number) for number in row]
    return _join(parts, joint)


def _join(parts: Iterable[str], joint: str = "and") -> str:
    *most, last = parts
    return f"{', '.join(most)} {joint} {last}" if most else last


def _nth(number: int) -> str:
    ending = "th" if number in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _month(number: int) -> str:
    return MONTHS[number - 1]


def _weekday(number: int) -> str:
    return WEEKDAYS[number % 7]
