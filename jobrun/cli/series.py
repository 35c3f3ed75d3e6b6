"""Numbers by their labels, as few as a monitor can keep: of many names the first, the rest in one.

Counters must not fall. So the names that keep a series of their own are the first in the alphabet and not the most
frequent: a name that comes may push one into the rest, and the rest only grows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from jobrun.cli.safe import safe_line
from jobrun.measures import AttemptTally

MOST = 1000  # names of a kind
OTHER = "other"

Labels = tuple[str, ...]
Buckets = list[tuple[str, float]]


def naming(names: Iterable[str]) -> Callable[[str], str]:
    """Return what gives each name its label: itself, harmless for who looks at it, or `OTHER`."""
    kept = set(sorted({safe_line(name) for name in names})[:MOST])

    def label(name: str) -> str:
        shown = safe_line(name)
        return shown if shown in kept else OTHER

    return label


def summed(numbers: Iterable[tuple[Labels, float]]) -> Mapping[Labels, float]:
    """Return one number for each combination of labels, in their order."""
    found: dict[Labels, float] = {}
    for labels, number in numbers:
        found[labels] = found.get(labels, 0) + number
    return dict(sorted(found.items()))


def histograms(tallies: Iterable[AttemptTally], steps_s: Iterable[float]) -> dict[str, tuple[Buckets, float]]:
    """Return by work how many attempts took at most each step, as text, and how long all took together."""
    listed = list(tallies)
    label = naming(each.work for each in listed)
    counts = summed(((label(each.work), repr(each.up_to_s)), each.count) for each in listed)
    totals = summed(((label(each.work),), each.total_s) for each in listed)
    edges = [*steps_s, math.inf]
    found = {}
    for (work,), total in totals.items():
        running, buckets = 0.0, []
        for edge in edges:
            running += counts.get((work, repr(edge)), 0)
            buckets.append(("+Inf" if edge == math.inf else repr(edge), running))
        found[work] = (buckets, total)
    return found
