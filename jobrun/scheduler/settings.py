"""What a scheduler is told at its start, and the clocks that it may not read itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jobrun.durability import FULL
from jobrun.steps import boottime, utc_now


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One table and the job file that its ticks go to."""

    path: Path
    table: Path
    durability: str = FULL
    is_replacement: bool = False  # of a scheduler that died: a table that is broken now is waited for


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Clocks; a test brings its own."""

    now: Callable[[], datetime] = utc_now
    boottime: Callable[[], float] = boottime  # seconds; goes on while the host sleeps, and is never set
