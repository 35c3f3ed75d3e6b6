"""Schedules in words: what is said, and that two that differ are never told alike."""

from __future__ import annotations

import pytest

from jobrun.cron.days import month_days
from jobrun.cron.english import explain
from jobrun.cron.fields import parse_expression
from jobrun.cron.schedule import parse_schedule
from jobrun.cron.words import Expression


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("* * * * *", "every minute"),
        ("0-59 * * * *", "every minute"),
        ("* 9 * * *", "every minute from 09:00 to 09:59"),
        ("* 0-5,22 * * *", "every minute of hours 0-5 and 22"),
        ("*/15 * * * *", "every 15 minutes"),
        ("0,30 * * * *", "every 30 minutes"),
        ("7/15 * * * *", "every 15 minutes from 00:07 to 23:52"),
        ("*/15 9-17 * * 1-5", "every 15 minutes from 09:00 to 17:45 on weekdays (Monday to Friday)"),
        ("*/5 0-5,22,23 * * *", "every 5 minutes of hours 0-5, 22 and 23"),
        ("*/20 9 * * *", "at 09:00, 09:20 and 09:40 every day"),
        ("*/45 * * * *", "at minutes 0 and 45 of every hour"),
        ("5,10 9-17 * * *", "at minutes 5 and 10 of hours 9-17"),
        ("0-10 9 * * *", "at minutes 0-10 of hour 9"),
        ("1,7 */3 * * *", "at minutes 1 and 7 of every 3rd hour from 0 to 21"),
        ("0 * * * *", "every hour on the hour"),
        ("@hourly", "every hour on the hour"),
        ("5 * * * *", "every hour at minute 5"),
        ("0 9-17 * * *", "every hour from 09:00 to 17:00"),
        ("15 */2 * * *", "every 2 hours from 00:15 to 22:15"),
        ("0 1-3,5,7,11,13 * * *", "at minute 0 of hours 1-3, 5, 7, 11 and 13"),
        ("0 */6 * * *", "at 00:00, 06:00, 12:00 and 18:00 every day"),
        ("30 2 * * *", "at 02:30 every day"),
        ("15 2 * * 1-5", "at 02:15 on weekdays (Monday to Friday)"),
        ("0 0 * * 0,6", "at 00:00 on Saturday and Sunday"),
        ("0 0 * * fri-sun", "at 00:00 on Friday to Sunday"),
        ("0 0 * * 1,3,5", "at 00:00 on Monday, Wednesday and Friday"),
        ("0 0 ? * MON", "at 00:00 on Monday"),
        ("0 0 * * 5L", "at 00:00 on the last Friday of the month"),
        ("0 0 * * 1#1,3#2", "at 00:00 on the 1st Monday of the month and the 2nd Wednesday of the month"),
        ("0 0 1,15 * *", "at 00:00 on the 1st and 15th of the month"),
        ("0 0 2,3,11-13,21,22 * *", "at 00:00 on the 2nd, 3rd, 11th to 13th, 21st and 22nd of the month"),
        ("0 0 */2 * *", "at 00:00 on every 2nd day from the 1st to the 31st of the month"),
        ("0 0 L * *", "at 00:00 on the last day of the month"),
        ("0 0 L-3 * *", "at 00:00 on the 3rd day before the last of the month"),
        ("0 0 LW * *", "at 00:00 on the last workday (Monday to Friday) of the month"),
        ("0 0 15W * *", "at 00:00 on the workday (Monday to Friday) nearest the 15th of the month"),
        ("0 0 L,15 * *", "at 00:00 on the 15th and the last day of the month"),
        ("0 0 13 * 5", "at 00:00 on the 13th of the month and also on Friday"),
        ("0 0 13 * fri#2", "at 00:00 on the 13th of the month and also on the 2nd Friday of the month"),
        ("0 0 1-7 * */7", "at 00:00 on the 1st to 7th of the month, only if it is Sunday"),
        ("0 0 */10 * 1,3",
         "at 00:00 on every 10th day from the 1st to the 31st of the month, only if it is Monday or Wednesday"),
        ("0 0 1,* * 1", "at 00:00 every day"),
        ("0 0 1 * 1,*", "at 00:00 every day"),
        ("@yearly", "at 00:00 on the 1st of January"),
        ("30 4 29 2 *", "at 04:30 on the 29th of February"),
        ("0 0 L 1,6-8 *", "at 00:00 on the last day of January and June to August"),
        ("0 0 1 3 FRI", "at 00:00 on the 1st of the month and also on Friday in March"),
        ("0 0 * 3 5#2", "at 00:00 on the 2nd Friday of March"),
        ("0 0 1-7 2,3 */7", "at 00:00 on the 1st to 7th of February and March, only if it is Sunday"),
        ("0 0 * 3 1#1,5#2", "at 00:00 on the 1st Monday of March and the 2nd Friday of March"),
        ("0 0 13 3 5#2", "at 00:00 on the 13th of the month and also on the 2nd Friday of the month in March"),
        ("0 0 * jun-aug,12 *", "at 00:00 every day in June to August and December"),
        ("@every 90m", "every 1h 30m"),
        ("@every 1h30m5s", "every 5405s"),
        ("@every 1.001s", "every 1.001s"),
        ("@reboot", "once after each boot of the machine"),
        ("@manual", "only when somebody triggers it"),
    ],
)  # fmt: skip
def test_a_schedule_is_told_in_words(text: str, words: str) -> None:
    assert explain(parse_schedule(text)) == words


FIELDS = """
* 0 1 7 59 0-1 0-2 0-58 1-59 */2 1/2 */7 */15 7/15 7-52/15 0-45/15 0-30/15 0,30 15,45 */45 1,2,3,5
* 0 1 23 0-1 0-2 0-22 1-23 */2 1/2 */5 */6 */12 0-18/6 1,2,3,5,7,11,13 9-17 9-17/2 22,23,0-5 6,18
* 1 15 1,15 1-7 1-6 */2 2/2 1-30 2-31 */10 1,11,21 L L-1 L-3 LW 15W 1W L,15 LW,1 1W,15W 1,* 31
* 0 1 1-5 0,6 5-7 1-6 0-5 1,3 5L 1#1 1#2,3#2 1#5,5L 1,2#2 */2 */3 1,* 2-6 0#1 6
"""
MINUTES, HOURS, DATES, WEEKDAYS = (line.split() for line in FIELDS.strip().splitlines())


def test_two_schedules_are_told_alike_only_if_they_mean_the_same() -> None:
    times = [f"{minute} {hour} * * *" for minute in MINUTES for hour in HOURS]
    days = [f"0 0 {date} * {weekday}" for date in DATES for weekday in WEEKDAYS]
    seen: dict[str, tuple[object, ...]] = {}
    for text in times + days:
        expression = parse_expression(text)
        told, meaning = explain(expression), meaning_of(expression)
        assert seen.setdefault(told, meaning) == meaning, (text, told)


def meaning_of(expression: Expression) -> tuple[object, ...]:
    days = [
        month_days(expression.days, length, weekday) for length in (28, 29, 30, 31) for weekday in range(7)
    ]
    return (expression.minutes, expression.hours, expression.months, days)
