"""The table of the peers, and what a reader needs beside it: the versions, and what each peer keeps."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.peers.measure import Speed, Waits
from bench.tables import aligned, spread, whole

HEAD = (
    "peer",
    "jobs",
    "enqueue/s",
    "bulk/s",
    "drain/s",
    "with start/s",
    "drain, jobrun : peer",
    "CPU µs/job",
    "pick-up p50 ms",
    "p95 ms",
    "max ms",
)
READING = """\
- enqueue: from Python, one call a job, one client. bulk: in calls of 1,000 where the peer has such a call; then most
  of the jobs are asked for so.
- drain: all jobs are there first, then two workers start; from the first body to the last one. "with start" counts
  from the start of the workers' command. A peer that claims many jobs ahead looks better in the first.
- CPU: of all processes of the peer while jobs are run, its server's too. 10 ms is the step of the clock behind it.
- pick-up: two idle workers, one job each 30 to 50 ms, from the call that asks for it to the first line of the function.
- The function is the same for all: it appends 16 bytes to a file in memory, about a microsecond.
- Medians of the rounds; rounds go through all peers in turn. Compare within one run: figures move with the machine.
"""


@dataclass(slots=True)
class Figures:
    """What was measured of one peer so far; `failed` says why there is no more."""

    jobs: int
    told: dict[str, Any] = field(default_factory=dict)
    speeds: list[Speed] = field(default_factory=list)
    waits: Waits | None = None
    failed: str = ""

    def median(self, name: str) -> float | None:
        values = [value for speed in self.speeds if (value := getattr(speed, name)) is not None]
        return statistics.median(values) if values else None


def table(found: Mapping[str, Figures]) -> str:
    """Return the figures, and under them why some are missing."""
    ours = found["jobrun"].median("drain") if "jobrun" in found else None
    rows = [_row(name, figures, ours) for name, figures in found.items()]
    missing = [f"- {name}: {figures.failed}\n" for name, figures in found.items() if figures.failed]
    return aligned([HEAD, *rows]) + "".join(
        ["\nNot measured, or not all of it:\n\n", *missing] if missing else []
    )


def _row(name: str, figures: Figures, ours: float | None) -> list[str]:
    drain = figures.median("drain")
    ratio = f"{ours / drain:.2f}" if ours and drain else "-"
    picked = spread(figures.waits.called, 50, 95, 100, digits=1) if figures.waits else ["-"] * 3
    return [
        name,
        f"{figures.jobs:,}",
        whole(figures.median("enqueue")),
        whole(figures.median("bulk")),
        whole(drain),
        whole(figures.median("whole")),
        ratio,
        whole(figures.median("cpu_us") or None),  # none: too short for the clock
        *picked,
    ]


def settings(found: Mapping[str, Figures]) -> str:
    """Return what each peer keeps, and how it was set."""
    rows = [("peer", "versions", "durability", "settings")]
    for name, figures in found.items():
        if told := figures.told:
            versions = ", ".join(f"{package} {number}" for package, number in told["versions"].items())
            rows.append((name, versions, told["durability"], told["settings"]))
    return "".join(f"| {' | '.join(row)} |\n" for row in (rows[0], ("---",) * 4, *rows[1:]))
