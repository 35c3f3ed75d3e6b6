"""What a whole run tried, and what held."""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import dataclass, field

from bench.tables import aligned
from tests.chaos.drills import DRILLS
from tests.chaos.rounds import Found

WIDTH = 100
_TRIED = 2  # the column that is wrapped
_JOINT = "\xa0"  # a space at which no line is broken


@dataclass(slots=True)
class Tally:
    """The rounds of one drill."""

    started: int = 0
    used_s: float = 0.0  # what its rounds took, and what those that run want to take
    ended: int = 0
    took_s: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    cannot: str | None = None

    def add(self, found: Found) -> None:
        """Count a round, unless it was stopped before its end."""
        if found.is_stopped:
            return
        self.ended += 1
        self.took_s += found.took_s
        self.counts.update(found.counts)
        self.faults += found.faults
        self.cannot = self.cannot or found.cannot

    @property
    def verdict(self) -> str:
        if self.faults:
            return f"BROKEN ({len(self.faults)})"
        return "not tried" if self.cannot or not self.ended else "held"


def table(tallies: dict[str, Tally]) -> str:
    """Return for each drill what it did, how often, and whether all held; no line is longer than `WIDTH`."""
    head = ("drill", "level", "what was tried", "verdict", "rounds", "minutes")
    whole = [_row(name, tally) for name, tally in tallies.items()]
    others = sum(max(len(row[n]) for row in (head, *whole)) + 3 for n in range(len(head)) if n != _TRIED)
    room = max(WIDTH - others - 4, 20)
    return aligned([head, *(line for row in whole for line in _wrapped(row, room))], words=4)


def _row(name: str, tally: Tally) -> tuple[str, ...]:
    figures = ", ".join(f"{number:,}{_JOINT}{what}" for what, number in tally.counts.items())
    tried = tally.cannot or figures or "-"
    return (
        name,
        DRILLS[name].level,
        tried,
        tally.verdict,
        str(tally.ended),
        f"{tally.took_s / 60:.1f}",
    )


def _wrapped(row: tuple[str, ...], room: int) -> list[tuple[str, ...]]:
    """Return a row as lines; a figure stays with what it counts."""
    first, *others = [part.replace(_JOINT, " ") for part in textwrap.wrap(row[_TRIED], room)]
    rest = [tuple(part if n == _TRIED else "" for n in range(len(row))) for part in others]
    return [(*row[:_TRIED], first, *row[_TRIED + 1 :]), *rest]
