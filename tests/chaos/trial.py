"""One round of a drill: what it may use, and what it found."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

MARK = "JOBRUN_DRILL"  # in the environment of all that a round starts; its value is the round's folder


class CannotTry(Exception):
    """This machine lacks what a drill needs; the text says what."""


@dataclass(slots=True)
class Trial:
    """A folder to work in, dice that a seed replays, about how long to go on; and what came of it."""

    seed: int
    folder: Path
    seconds: float
    dice: Random = field(init=False)
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.dice = Random(self.seed)

    @property
    def is_over(self) -> bool:
        """Say whether its time is up; what was begun is finished and judged all the same."""
        return time.monotonic() - self.begun >= self.seconds

    def count(self, what: str, number: int = 1) -> None:
        """Add to a figure of the table at the end: `kills`, `jobs`, `points` …"""
        self.counts[what] += number

    def fault(self, text: str) -> None:
        """Note a promise that did not hold: one line that says which, of what, and where to look."""
        self.faults.append(text)

    def expect(self, held: object, text: str) -> None:
        if not held:
            self.fault(text)


@dataclass(frozen=True, slots=True)
class Drill:
    """One way to hurt jobrun.

    A seed decides all that a round tries. A drill that has a list of cases takes case `seed % len(cases)`,
    so that seeds in a row try all of them.
    """

    level: str  # of the programme in CONTRIBUTING.md: L1 to L13
    says: str  # what is done, in a few words for the table
    run: Callable[[Trial], None]
    short_s: float = 3.0  # a round in the tests
    long_s: float = 20.0  # a round of `./install.sh chaos`
    share: float = 1.0  # of the whole time, against the others; 0: only when named, in one round
