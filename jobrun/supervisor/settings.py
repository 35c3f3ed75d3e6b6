"""What a group of workers is asked to be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One group of workers. Durations are seconds."""

    path: Path
    workers: int
    queues: tuple[str, ...] = ()  # empty: all
    burst: bool = False
    drain_s: float = 30.0
    grace_s: float = 10.0
    import_paths: tuple[str, ...] = ()
