"""The parts of a run, one module each: its `measure` takes a plan and returns Markdown and the goals in it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is to be measured, and where. `folder` is empty, and on the disk to measure.

    No `peers` are all of them. `rows` is the largest job file; its curves are drawn where `curves` says.
    """

    folder: Path
    is_quick: bool = False
    rounds: int = 3
    peers: tuple[str, ...] = ()
    rows: int = 10_000_000
    curves: Path | None = None

    def of(self, full: int, quick: int) -> int:
        """Choose a count."""
        return quick if self.is_quick else full

    @property
    def samples(self) -> int:
        """Return how often a figure is taken that varies."""
        return self.of(self.rounds, 1)


@dataclass(frozen=True, slots=True)
class Goal:
    """What is wanted of a figure, and what it was."""

    what: str
    seen: str
    wanted: str
    is_met: bool


@dataclass(frozen=True, slots=True)
class Report:
    """What a section has found, as Markdown; it has failed if nothing could be measured."""

    text: str
    goals: tuple[Goal, ...] = ()
    has_failed: bool = False


def at_least(what: str, seen: float, wanted: float, unit: str = "x") -> Goal:
    """Return a goal for what should be large."""
    return Goal(what, f"{_short(seen)} {unit}", f">= {_short(wanted)} {unit}", seen >= wanted)


def at_most(what: str, seen: float, wanted: float, unit: str = "ms") -> Goal:
    """Return a goal for what should be small."""
    return Goal(what, f"{_short(seen)} {unit}", f"<= {_short(wanted)} {unit}", seen <= wanted)


def tell(line: str) -> None:
    """Say how far the run is."""
    print(line, file=sys.stderr, flush=True)


def _short(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 1 else f"{value:.4g}"
