"""What became unusual: the last runs of something against those before, by plain rules that noise does not trip.

The last fifth of the runs, five at least, is compared with the rest, fifteen at least; of very many some are
looked at, evenly. A shift is told when its median lies outside what was usual (two standard deviations, estimated
by the median absolute one), differs by half at least, and the last runs have so many of the highest values that
chance would do that once in a thousand times. A rate is told by the same chance alone, when it has doubled. The
chance needs no shape of the values: it would be the same for any order of them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from enum import StrEnum

from jobrun.frozen import frozen
from jobrun.ranks import chance_of_so_many, median

LEAST_RECENT, LEAST_BEFORE = 5, 15
MOST = 5000  # values of each part that are looked at
CHANCE = 0.001
_FIFTH = 5
_SPREADS = 2.0
_TO_SIGMA = 1.4826  # the standard deviation of what is normally distributed, by its MAD
_FACTOR = 1.5
_FAILURES = 3  # fewer say nothing about a rate


class What(StrEnum):
    """What of a run is watched."""

    DURATION = "duration"
    OUTPUT = "output_size"
    FAILURES = "failure_rate"


@frozen
class Change:
    """What was usual before, and what is now: medians, or failed runs out of all; `recent` and `past` are runs."""

    what: What
    was: int
    now: int
    recent: int
    past: int


def shifted(what: What, values: Sequence[int], *, least: int) -> Change | None:
    """Say whether the last values are others than those before, which come first, by `least` at least."""
    parts = _parted(values)
    if parts is None:
        return None
    past, recent = _some(parts[0]), _some(parts[1])
    was, now = median(past), median(recent)
    usual = _SPREADS * _TO_SIGMA * median([abs(value - was) for value in past])
    if abs(now - was) < max(usual, least) or max(now, was) < _FACTOR * min(now, was):
        return None
    sign = 1 if now > was else -1
    if _chance([sign * value for value in past], [sign * value for value in recent]) >= CHANCE:
        return None
    return Change(what=what, was=was, now=now, recent=len(parts[1]), past=len(parts[0]))


def failing_more(failed: Sequence[int]) -> Change | None:
    """Say whether more of the last runs failed than of those before; 1 is a run that failed, 0 one that did not."""
    parts = _parted(failed)
    if parts is None:
        return None
    past, recent = parts
    was, now = sum(past), sum(recent)
    if now < _FAILURES or now * len(past) < 2 * was * len(recent):
        return None
    if chance_of_so_many(now, drawn=len(recent), among=was + now, of=len(past) + len(recent)) >= CHANCE:
        return None
    return Change(what=What.FAILURES, was=was, now=now, recent=len(recent), past=len(past))


def _parted(values: Sequence[int]) -> tuple[Sequence[int], Sequence[int]] | None:
    """Return the runs before and the last ones; None if they are too few to say anything."""
    count = max(len(values) // _FIFTH, LEAST_RECENT)
    past, recent = values[:-count], values[-count:]
    return (past, recent) if len(past) >= LEAST_BEFORE else None


def _some(values: Sequence[int]) -> Sequence[int]:
    """Return every so many of very many values."""
    return values[:: len(values) // MOST + 1]


def _chance(past: Sequence[int], recent: Sequence[int]) -> float:
    """Return how probable it is that chance alone put so many of the highest values among the last."""
    every = sorted([*past, *recent])
    edge = every[len(past)]  # from it on are as many as there are last ones, but where values are equal
    above, from_it = len(every) - bisect_right(every, edge), len(every) - bisect_left(every, edge)
    if abs(above - len(recent)) < abs(from_it - len(recent)):
        highest, high = above, sum(value > edge for value in recent)
    else:
        highest, high = from_it, sum(value >= edge for value in recent)
    return chance_of_so_many(high, drawn=len(recent), among=highest, of=len(every))
