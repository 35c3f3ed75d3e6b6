"""The table, and what a reader needs beside it: the machine, the versions, and what each peer keeps."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.peers.measure import Speed
from bench.peers.servers import SERVERS, version

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
- enqueue: from Python, one call a job, one client. bulk: in calls of 1,000 where the peer has such a call.
- drain: all jobs are there first, then two workers start; from the first body to the last one. "with start" counts
  from the start of the workers' command. A peer that claims many jobs ahead looks better in the first.
- CPU: of all processes of the peer while jobs are run, its server's too. 10 ms is the step of the clock behind it.
- pick-up: two idle workers, one job each 50 ms, from the call that asks for it to the first line of the function.
- The function is the same for all: it appends 16 bytes to a file in memory, about a microsecond.
- Medians of the rounds; rounds go through all peers in turn. Compare within one run: figures move with the machine.
"""


@dataclass(slots=True)
class Figures:
    """What was measured of one peer so far; `failed` says why there is no more."""

    jobs: int
    told: dict[str, Any] = field(default_factory=dict)
    speeds: list[Speed] = field(default_factory=list)
    bulks: list[float] = field(default_factory=list)
    waits_ms: list[float] = field(default_factory=list)
    failed: str = ""

    def median(self, name: str) -> float | None:
        values = [getattr(speed, name) for speed in self.speeds]
        return statistics.median(values) if values else None


def table(found: Mapping[str, Figures]) -> str:
    """Return the figures, and under them why some are missing."""
    ours = found["jobrun"].median("drain") if "jobrun" in found else None
    rows = [_row(name, figures, ours) for name, figures in found.items()]
    lines = _aligned([HEAD, *rows])
    missing = [f"- {name}: {figures.failed}" for name, figures in found.items() if figures.failed]
    return (
        "\n".join([*lines, *(["", "Not measured, or not all of it:", "", *missing] if missing else [])])
        + "\n"
    )


def page(found: Mapping[str, Figures], folder: Path, rounds: int) -> str:
    """Return the whole page of results."""
    parts = [
        "# jobrun and its peers\n\nWritten by `./install.sh bench`, which anyone can run.\n",
        _machine(folder, rounds),
        table(found),
        READING,
        "## What each keeps, and how it was set\n",
        _settings(found),
    ]
    return "\n".join(parts)


def _row(name: str, figures: Figures, ours: float | None) -> list[str]:
    drain = figures.median("drain")
    ratio = f"{ours / drain:.2f}" if ours and drain else "-"
    waits = figures.waits_ms
    picked = [f"{_at(waits, percent):.1f}" for percent in (50, 95, 100)] if waits else ["-"] * 3
    return [
        name,
        f"{figures.jobs:,}",
        _whole(figures.median("enqueue")),
        _whole(statistics.median(figures.bulks) if figures.bulks else None),
        _whole(drain),
        _whole(figures.median("whole")),
        ratio,
        _whole(figures.median("cpu_us") or None),  # none: too short for the clock
        *picked,
    ]


def _settings(found: Mapping[str, Figures]) -> str:
    rows = [("peer", "versions", "durability", "settings")]
    for name, figures in found.items():
        if told := figures.told:
            versions = ", ".join(f"{package} {number}" for package, number in told["versions"].items())
            rows.append((name, versions, told["durability"], told["settings"]))
    return "\n".join(f"| {' | '.join(row)} |" for row in (rows[0], ("---",) * 4, *rows[1:])) + "\n"


def _machine(folder: Path, rounds: int) -> str:
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    cores = model[0].partition(":")[2].strip() if model else "of an unknown kind"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    kind = subprocess.run(
        ["df", "--output=fstype", folder], capture_output=True, text=True, check=False
    ).stdout.split()[-1:]
    half, most = fsync_ms(folder)
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, rounds: {rounds}",
        f"{len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB, Linux {platform.release()}, {cores}",
        f"files on {kind[0] if kind else 'an unknown file system'}: fdatasync after a 4 KiB write p50 {half:.2f} ms, p95 {most:.2f} ms",
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}",
        *(f"{server}: {version(server)}" for server in SERVERS),
    ]
    return "\n".join(f"- {line}" for line in lines) + "\n"


def fsync_ms(folder: Path, count: int = 200) -> tuple[float, float]:
    """Return p50 and p95 of making 4 KiB of a file durable."""
    times = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(count):
            file.seek(0)
            file.write(os.urandom(4096))
            begin = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - begin) * 1e3)
    times.sort()
    return _at(times, 50), _at(times, 95)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table that reads well as it is and as Markdown: names to the left, figures to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = []
    for row in (rows[0], rule, *rows[1:]):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _whole(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _at(values: Sequence[float], percent: int) -> float:
    return values[min(len(values) * percent // 100, len(values) - 1)]
