"""Which ticks have fallen due since the last decision, found in bounded time however long ago that was."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from jobrun.cron.words import NewTick, Occurrence, TickState
from jobrun.units import MILLISECOND

MOST_STEPS = 200  # occurrences that are walked through at a time
MOST_COUNTED = 100

After = Callable[[datetime], Iterator[Occurrence]]  # the occurrences strictly after an instant, in order


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Due ticks: the recent ones, and what is older as few rows."""

    recent: tuple[Occurrence, ...] = ()
    older: tuple[NewTick, ...] = ()
    interval_s: float = math.inf  # to the next tick, if there is one


def due_ticks(after: After, *, since: datetime, now: datetime, window: Callable[[float], float]) -> Due:
    """Return the ticks in (`since`, `now`].

    `window(interval_s)` says for how many seconds after its time a tick is recent.
    """
    coming = list(itertools.islice(after(since), 2))
    if not coming or coming[0].at > now:
        return Due()
    first = coming[0]
    interval_s = _interval_s(coming if coming[-1].at > now else list(itertools.islice(after(now), 2)))
    edge = now - timedelta(seconds=window(interval_s))
    if first.at >= edge and coming[-1].at > now:  # one tick, as ever while a scheduler runs
        return Due(recent=(first,), interval_s=interval_s)
    recent = _newest(after, max(since, edge - MILLISECOND), now)
    older_until = recent[0].at if recent else now + MILLISECOND
    older = (_older(after, since, first, older_until),) if first.at < older_until else ()
    return Due(recent=recent, older=older, interval_s=interval_s)


def between(after: After, older: NewTick, told: Iterable[tuple[datetime, datetime]]) -> Iterator[NewTick]:
    """Yield rows for those of older ticks that lie in none of the spans `told`, which are in order."""
    begin = older.at - MILLISECOND
    end = older.end + MILLISECOND
    for first_told, last_told in (*told, (end, end)):
        first = next(after(begin), None)
        if first is not None and first.at < first_told:
            yield _older(after, begin, first, first_told)
        begin = max(begin, last_told)


def _interval_s(two: Sequence[Occurrence]) -> float:
    return (two[1].at - two[0].at).total_seconds() if len(two) == 2 else math.inf


def _newest(after: After, begin: datetime, now: datetime) -> tuple[Occurrence, ...]:
    """Return the ticks in (`begin`, `now`], or if they are very many the last of them."""
    while True:
        found = itertools.islice(after(begin), MOST_STEPS)
        past = tuple(itertools.takewhile(lambda tick: tick.at <= now, found))
        if len(past) < MOST_STEPS:
            return past
        begin += (now - begin) / 2


def _older(after: After, since: datetime, first: Occurrence, until: datetime) -> NewTick:
    """Return one row for all ticks before `until`; they are counted while they are few."""
    found = itertools.islice(after(since), MOST_COUNTED + 1)
    walked = list(itertools.takewhile(lambda tick: tick.at < until, found))
    is_counted = len(walked) <= MOST_COUNTED
    return NewTick(
        at=first.at,
        state=TickState.MISSED,
        moved_from=first.moved_from,
        last=walked[-1].at if is_counted else until - MILLISECOND,
        count=len(walked) if is_counted else None,
    )
