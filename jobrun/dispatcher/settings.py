"""What a dispatcher is told at its start, and what it may not decide itself: time and chance."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jobrun.durability import FULL
from jobrun.model import MAX_CRASHES
from jobrun.steps import boottime, utc_now


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One group of workers. Durations are seconds."""

    path: Path
    workers: int
    queues: tuple[str, ...]  # empty: all
    burst: bool  # leave when nothing is due
    drain_s: float  # how long running jobs may go on in a shutdown
    grace_s: float  # between asking a job to end and killing it
    group_pid: int  # the supervisor
    generation: int  # counts the dispatchers of the group
    durability: str = FULL  # of what it commits
    reports: bool = False  # to the supervisor, how the group stands
    max_crashes: int = MAX_CRASHES
    keep_s: float | None = None  # how long jobs are kept that ended well; None: as long as tables say


def _token() -> str:
    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Clocks and dice; a test brings its own."""

    now: Callable[[], datetime] = utc_now
    monotonic: Callable[[], float] = time.monotonic  # does not count suspend: a closed lid kills no job
    boottime: Callable[[], float] = boottime  # does count it, and tells whether `now` was set
    spread: Callable[[], float] = random.random
    new_token: Callable[[], str] = _token
