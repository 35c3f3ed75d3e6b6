"""Measure how late jobs of a cron table begin: from the nominal time of a tick to the first line of its job.

    python bench/ticks.py [--seconds 60] [--entries 6]

Runs `jobrun cron` on a table of entries that fall due every second, each of them a call, in a temporary folder
below the working directory (not in memory: durability is part of what is measured).
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from jobrun.model import JobFilter, State
from jobrun.store import open_store

TASK = "import time\n\ndef now():\n    return time.time()\n"
GOAL_MS = 100.0


def main() -> int:
    """Run the measurement; exit 1 if the goal is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--entries", type=int, default=6)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".", prefix="bench-") as name:
        folder = Path(name).absolute()
        measure(folder, entries=asked.entries, seconds=asked.seconds)
        late_ms = latenesses(folder / "jobs.db")
    ranked = sorted(late_ms)
    p99 = ranked[min(len(ranked) * 99 // 100, len(ranked) - 1)]
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}: "
        f"{len(ranked)} ticks, p50 {statistics.median(ranked):.1f} ms, p99 {p99:.1f} ms, max {ranked[-1]:.1f} ms "
        f"(goal p99 <= {GOAL_MS:.0f})"
    )
    return int(p99 > GOAL_MS or len(ranked) < 300)


def measure(folder: Path, *, entries: int, seconds: int) -> None:
    """Let a group serve a table for a while."""
    folder.chmod(0o700)
    (folder / "bench_task.py").write_text(TASK, encoding="utf-8")
    table = folder / "jobs.toml"
    # each entry on a beat of its own, so that ticks do not queue behind each other for want of cores
    entry = '[jobs.tick-{n}]\ncall = "bench_task:now"\nevery = "1s"\noverlap = "allow"\njitter = "0s"\n'
    table.write_text("".join(entry.format(n=n) for n in range(entries)), encoding="utf-8")
    table.chmod(0o600)
    command = [sys.executable, "-m", "jobrun", "--db", str(folder / "jobs.db"), "cron", str(table)]
    with subprocess.Popen([*command, "-n", "2", "--path", str(folder)]) as group:
        time.sleep(seconds)
        group.send_signal(signal.SIGTERM)


def latenesses(path: Path) -> list[float]:
    """Return for each job how many milliseconds after its nominal time its function ran."""
    with open_store(path) as store:
        jobs = store.ledger.select(
            JobFilter(states=frozenset({State.SUCCEEDED})), limit=100_000, newest_first=False
        )
    found = [(float(job.result), job.scheduled_for) for job in jobs if job.result and job.scheduled_for]
    return [(ran - due.timestamp()) * 1000 for ran, due in found]


if __name__ == "__main__":
    sys.exit(main())
