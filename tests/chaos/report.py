"""What a whole run tried, and what held."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from bench.tables import aligned
from tests.chaos.drills import DRILLS
from tests.chaos.rounds import Found


@dataclass(slots=True)
class Tally:
    """The rounds of one drill."""

    started: int = 0
    promised_s: float = 0.0  # how long its rounds wanted to take
    ended: int = 0
    took_s: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    cannot: str | None = None

    def add(self, found: Found) -> None:
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
    """Return one line for each drill: what it does, how often, and whether all held."""
    rows = [("drill", "level", "what was tried", "verdict", "rounds", "minutes")]
    for name, tally in tallies.items():
        tried = tally.cannot or ", ".join(f"{number:,} {what}" for what, number in tally.counts.items())
        minutes = f"{tally.took_s / 60:.1f}"
        rows.append((name, DRILLS[name].level, tried or "-", tally.verdict, str(tally.ended), minutes))
    return aligned(rows, words=4)
