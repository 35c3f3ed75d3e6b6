"""Compare `next_occurrence` with cronsim on random expressions, zones and starts.

    python -m bench.oracle [--count 1000000] [--seed 1]

Where the two differ, the minute-by-minute reading of `tests/rules/reference.py` judges, and the difference must be
one of cronsim's own faults, listed in `FAULTS`. Anything else is printed, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from types import FrameType
from zoneinfo import ZoneInfo

from cronsim import CronSim

from jobrun.cron.clocks import Change, changes
from jobrun.cron.fields import parse_expression
from jobrun.cron.occurrences import LARGEST_SHIFT, next_occurrence
from jobrun.cron.words import Expression
from jobrun.errors import UsageError
from tests.rules.reference import MONTHS, WEEKDAYS, Run, next_run

ZONES = [
    "America/New_York",
    "Europe/Berlin",
    "Europe/Dublin",
    "Europe/London",
    "Australia/Lord_Howe",
    "Australia/Adelaide",
    "America/Santiago",
    "America/Asuncion",
    "America/Havana",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Tehran",
    "Asia/Kolkata",
    "Asia/Amman",
    "Asia/Pyongyang",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Norfolk",
    "Pacific/Kwajalein",
    "Antarctica/Troll",
    "Antarctica/Casey",
    "UTC",
]
FIRST, RECENT, LAST = (datetime(year, 1, 1, tzinfo=UTC) for year in (1990, 2025, 2032))
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
CHUNK = 2000
AUDITED = 1 / 500  # of what both agree on, this part is judged too
PATIENCE_S = 0.5  # for an answer of cronsim that never comes
MOST_SHOWN = 10


@dataclass(frozen=True)
class Case:
    text: str
    zone: ZoneInfo
    after: datetime
    theirs: datetime | None  # None: it never came
    changes: tuple[Change, ...]  # of the clocks, between the start and the answers

    @property
    def is_fixed(self) -> bool:
        minute, hour, *_ = self.text.split()
        return not minute.startswith("*") and not hour.startswith("*")


def _steps_from_one_value(case: Case) -> bool:
    spans = [part.partition("/")[0] for part in case.text.replace(" ", ",").split(",") if "/" in part]
    return any(dash and first == last for first, dash, last in (span.partition("-") for span in spans))


def _never_answers(case: Case) -> bool:
    return case.theirs is None


def _answers_with_the_past(case: Case) -> bool:
    return case.is_fixed and case.theirs is not None and case.theirs <= case.after


def _makes_up_a_correction(case: Case) -> bool:
    return case.is_fixed and any(change.shift > LARGEST_SHIFT for change in case.changes)


def _sets_the_clock_to_midnight(case: Case) -> bool:
    midnight = datetime.min.time()
    return not case.is_fixed and any(
        datetime.combine((change.begin - datetime.resolution).date() + DAY, midnight) < change.end
        for change in case.changes
    )


def _steps_by_whole_hours(case: Case) -> bool:
    return not case.is_fixed and any(change.shift % HOUR or change.begin.minute for change in case.changes)


# What cronsim 2.8 answers wrongly; a difference counts for the first that fits it.
FAULTS: dict[str, Callable[[Case], bool]] = {
    "`a-a/n` is read as `a/n`": _steps_from_one_value,
    "wildcard: searches for ever": _never_answers,
    "fixed: asked in the second pass of a repeat, it answers with a time in the past": _answers_with_the_past,
    "fixed: makes up a run after a change of more than 3 h": _makes_up_a_correction,
    "wildcard: a midnight that is skipped or repeated": _sets_the_clock_to_midnight,
    "wildcard: a change by a part of an hour, or within one": _steps_by_whole_hours,
}


@dataclass
class Tally:
    same: int = 0
    audited: int = 0
    slowest_s: float = 0.0
    slowest: str = ""
    faults: Counter[str] = field(default_factory=Counter)
    others: list[str] = field(default_factory=list)

    def add(self, more: Tally) -> None:
        self.same += more.same
        self.audited += more.audited
        self.slowest_s, self.slowest = max((self.slowest_s, self.slowest), (more.slowest_s, more.slowest))
        self.faults += more.faults
        self.others += more.others


class NoAnswerError(Exception):
    pass


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare next_occurrence with cronsim.")
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began, total = time.monotonic(), Tally()
    seeds = [f"{options.seed}/{number}" for number in range(-(-options.count // CHUNK))]
    with multiprocessing.Pool(os.cpu_count()) as pool:
        for tally in pool.imap_unordered(compare, seeds):
            total.add(tally)
    print(f"{len(seeds) * CHUNK} comparisons in {time.monotonic() - began:.0f} s, seed {options.seed}")
    print(f"{total.same:9} the same, {total.audited} of them judged by the reference too")
    for fault in FAULTS:
        print(f"{total.faults[fault]:9} {fault}")
    print(f"{len(total.others):9} differences outside this list")
    for other in total.others[:MOST_SHOWN]:
        print(other)
    print(f"slowest answer of ours: {total.slowest_s * 1000:.1f} ms of CPU time, {total.slowest}")
    return 1 if total.others else 0


def compare(seed: str, count: int = CHUNK) -> Tally:
    """Compare one chunk of random cases."""
    chance, tally = random.Random(seed), Tally()
    for _ in range(count):
        expression, zone = random_expression(chance), ZoneInfo(chance.choice(ZONES))
        after = random_start(chance, zone)
        began = time.process_time()
        found = next_occurrence(expression, zone, after)
        took = time.process_time() - began
        if took > tally.slowest_s:
            tally.slowest_s, tally.slowest = took, f"`{expression.text}` {zone} after {after}"
        ours = Run(found.at, found.moved_from) if found else None
        theirs = answer_of_cronsim(expression.text, zone, after)
        is_same = ours is not None and ours.at == theirs
        if is_same and chance.random() > AUDITED:
            tally.same += 1
            continue
        judge(expression.text, zone, after, (ours, theirs), tally)
    return tally


def judge(
    text: str, zone: ZoneInfo, after: datetime, answers: tuple[Run | None, datetime | None], tally: Tally
) -> None:
    """Count a difference for the fault that explains it, and what nothing explains as another."""
    ours, theirs = answers
    until = max(each for each in (ours and ours.at, theirs, after) if each)
    right = next_run(text, zone, after.replace(second=0), until)
    near = [change for change in changes_of(zone.key) if after - 2 * DAY < change.at <= until + DAY]
    case = Case(text=text, zone=zone, after=after, theirs=theirs, changes=tuple(near))
    fault = next((name for name, explains in FAULTS.items() if explains(case)), None)
    if right == ours and right and right.at == theirs:
        tally.same += 1
        tally.audited += 1
    elif right == ours and fault:
        tally.faults[fault] += 1
    else:
        tally.others.append(f"`{text}` {zone} after {after}: ours {ours}, theirs {theirs}, right {right}")


def answer_of_cronsim(text: str, zone: ZoneInfo, after: datetime) -> datetime | None:
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
    try:
        return next(CronSim(text, after.astimezone(zone))).astimezone(UTC)
    except NoAnswerError:
        return None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _give_up(_number: int, _frame: FrameType | None) -> None:
    raise NoAnswerError


def random_start(chance: random.Random, zone: ZoneInfo) -> datetime:
    """Most starts lie before or shortly after a change of the clocks, and most in the years to come."""
    first = RECENT if chance.random() < 0.7 else FIRST
    near = [change.at for change in changes_of(zone.key) if change.at >= first]
    if near and chance.random() < 0.7:
        spread = chance.choice([3 * HOUR, 30 * HOUR])
        start = chance.choice(near) + chance.randint(-2, 1) * spread * chance.random()
    else:
        start = first + (LAST - first) * chance.random()
    return start.replace(second=chance.choice([0, 0, 0, 0, 17]), microsecond=0)


def random_expression(chance: random.Random) -> Expression:
    """Write one in the dialect that both read."""
    while True:
        hours = 4 if chance.random() < 0.4 else 23  # where the clocks are changed
        date = random_field(chance, 1, 31) if chance.random() < 0.4 else "*"
        weekday = random_field(chance, 0, 7, WEEKDAYS) if chance.random() < 0.4 else "*"
        words = [
            random_field(chance, 0, 59),
            random_field(chance, 0, hours),
            chance.choice(["L", "LW", "L,15"]) if chance.random() < 0.05 else date,
            random_field(chance, 1, 12, MONTHS) if chance.random() < 0.2 else "*",
            chance.choice(["1#1", "SUN#5", "5L", "6L,2#3"]) if chance.random() < 0.05 else weekday,
        ]
        try:
            return parse_expression(" ".join(words))
        except UsageError:  # it never fires
            continue


def random_field(chance: random.Random, low: int, high: int, names: list[str] | None = None) -> str:
    def value() -> int:
        return chance.randint(low, high)

    def span() -> str:
        first, last = sorted((value(), value()))
        return f"{first}-{last}"

    forms: list[Callable[[], str]] = [
        lambda: "*",
        lambda: f"*/{chance.choice([2, 3, 5, 7, 10, 15, 20, 30, 45])}",
        lambda: str(value()),
        lambda: str(value()),
        span,
        lambda: f"{span()}/{chance.randint(1, 9)}",
        lambda: f"{value()}/{chance.randint(1, 9)}",
        lambda: ",".join(str(value()) for _ in range(chance.randint(2, 4))),
        lambda: f"{value()},{span()}",
        lambda: chance.choice(names) if names else str(value()),
    ]
    return chance.choice(forms)()


@cache
def changes_of(key: str) -> tuple[Change, ...]:
    return tuple(changes(ZoneInfo(key), FIRST, LAST))


signal.signal(signal.SIGALRM, _give_up)

if __name__ == "__main__":
    sys.exit(main())
