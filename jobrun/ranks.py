"""Values by their rank: percentiles and medians that are values which were really there."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence


def percentile(ascending: Sequence[int], percent: int) -> int:
    """Return the smallest value that at least so many percent do not exceed (the nearest rank).

    >>> [percentile([1, 2, 3, 4, 100], percent) for percent in (1, 50, 80, 95)]
    [1, 3, 4, 100]
    """
    return ascending[max(math.ceil(percent * len(ascending) / 100), 1) - 1]


def weighted_percentile(steps: Sequence[tuple[int, float]], percent: int) -> float:
    """Return the same of values in order, each with how many there are of it.

    >>> [weighted_percentile([(3, 1.0), (1, 4.0), (1, 100.0)], percent) for percent in (50, 80, 95)]
    [1.0, 4.0, 100.0]
    """
    passed = list(itertools.accumulate(count for count, _ in steps))
    return next(
        value
        for so_far, (_, value) in zip(passed, steps, strict=True)
        if 100 * so_far >= percent * passed[-1]
    )


def median(values: Sequence[int]) -> int:
    """Return the 50th percentile.

    >>> median([9, 1, 4])
    4
    """
    return percentile(sorted(values), 50)


def chance_of_so_many(hits: int, *, drawn: int, among: int, of: int) -> float:
    """Return how probable it is to draw at least so many hits by chance (the hypergeometric distribution).

    `drawn` are taken from `of`, of which `among` are hits. Fisher's exact test, one-sided.

    >>> round(chance_of_so_many(5, drawn=5, among=5, of=25) * 53130)
    1
    """
    most = min(drawn, among)
    if hits * of <= drawn * among:
        return 1.0  # no more than is to be expected; the sum below goes the other way
    total = 0.0
    for number in range(hits, most + 1):
        part = math.exp(
            _log_choose(among, number) + _log_choose(of - among, drawn - number) - _log_choose(of, drawn)
        )
        total += part
        if part < total * 1e-9:
            break  # each further one is smaller still
    return min(total, 1.0)


def _log_choose(whole: int, part: int) -> float:
    if not 0 <= part <= whole:
        return -math.inf
    return math.lgamma(whole + 1) - math.lgamma(part + 1) - math.lgamma(whole - part + 1)
