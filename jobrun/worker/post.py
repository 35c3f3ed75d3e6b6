"""What a worker is given at its fork."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jobrun.wire.channel import Channel
from jobrun.worker.wear import TIRELESS, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What a worker is given at its fork."""

    name: str
    job_file: Path
    channel: Channel
    orders: Channel
    lock: int  # descriptor of its lock, held together with the supervisor
    import_paths: tuple[str, ...]
    good_for: Span = TIRELESS
