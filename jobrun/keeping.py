"""How long and how much is kept of jobs that have ended: what `[retention]` of all tables says, as one rule."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

KEEP_S = 7 * 86400.0  # what ended well, unless anybody says otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What is kept. Durations are seconds; `inf` is for ever, None is no limit."""

    keep_s: float = KEEP_S  # jobs that ended well
    keep_failed_s: float = math.inf  # jobs that failed or crashed
    keep_runs: int | None = None  # of each entry or called task, in each of the states that are no failure
    keep_failed_runs: int | None = None  # of each entry or called task
    max_size: int | None = None  # bytes that the job file uses; above it the oldest that ended well go
    keep_output_s: float = math.inf  # what ended jobs printed


def keeping(said: Iterable[Mapping[str, Any]], *, keep_s: float | None = None) -> Keeping:
    """Return what holds of what several sections say: of each value the one that keeps the most.

    `keep_s` is what the workers were told at their start, and wins over all of them.

    >>> keeping([{"keep": 3600.0, "keep_runs": 5}, {"keep": 60.0}]).keep_s
    3600.0
    """
    sections = list(said)

    def most(key: str) -> Any:
        return max((each[key] for each in sections if key in each), default=None)

    def span(key: str, otherwise: float) -> float:
        found = most(key)
        return otherwise if found is None else float(found)

    return Keeping(
        keep_s=span("keep", KEEP_S) if keep_s is None else keep_s,
        keep_failed_s=span("keep_failed", math.inf),
        keep_runs=most("keep_runs"),
        keep_failed_runs=most("keep_failed_runs"),
        max_size=most("max_size"),
        keep_output_s=span("keep_output", math.inf),
    )
