"""What a group of workers is asked to be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jobrun.durability import FULL
from jobrun.model import MAX_CRASHES
from jobrun.units import plural
from jobrun.worker.wear import TIRELESS, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One group of workers, with or without a cron table to serve. Durations are seconds."""

    path: Path
    workers: int  # 0 with a table: only schedule
    queues: tuple[str, ...] = ()  # empty: all
    burst: bool = False
    good_for: Span = TIRELESS  # of each worker
    max_crashes: int = MAX_CRASHES
    drain_s: float = 30.0
    grace_s: float = 10.0
    keep_s: float | None = None  # jobs that ended well; None: as long as tables say
    import_paths: tuple[str, ...] = ()
    table: Path | None = None
    durability: str = FULL  # of what the group commits

    def in_words(self) -> str:
        """Return what the group does, in one line."""
        if not self.workers:
            return f"schedules {self.table} into {self.path}"
        return f"{plural(self.workers, 'worker')} for {', '.join(self.queues) or 'all queues'} of {self.path}"
