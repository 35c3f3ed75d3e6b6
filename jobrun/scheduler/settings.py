"""What a scheduler is told at its start, and the clocks that it may not read itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jobrun.durability import FULL


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One table and the job file that its ticks go to."""

    path: Path
    table: Path
    durability: str = FULL
    is_replacement: bool = False  # of a scheduler that died: a table that is broken now is waited for


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Clocks; a test brings its own."""

    now: Callable[[], datetime] = _utc_now
    boottime: Callable[[], float] = _boottime  # seconds; goes on while the host sleeps, and is never set
