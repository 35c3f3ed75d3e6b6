"""Measure many writers at one job file: how long each enqueue takes, who gets how much, and what drains meanwhile.

    python bench/writers.py [--clients 32] [--seconds 60] [--workers 4] [--durability full]

Each client is a process that keeps a job file open and enqueues one call after the other, without a pause, while a
group of workers runs them. The files lie in a temporary folder below the working directory (not in memory:
durability is part of what is measured).
"""

from __future__ import annotations

import argparse
import array
import os
import platform
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import jobrun
from jobrun.errors import JobrunError

GOAL_MS = 50.0
GOAL_SHARE = 0.5
TASK = "def nothing():\n    pass\n"


@dataclass(frozen=True, slots=True)
class Found:
    """What one client saw."""

    seconds: Sequence[float]  # of each enqueue
    errors: int


def main() -> int:
    """Run the measurement; exit 1 if the goal is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--durability", choices=["full", "fast"], default="full")
    parser.add_argument("--client", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.client is not None:
        return be_a_client(asked.client, asked.durability)
    with tempfile.TemporaryDirectory(dir=".", prefix="bench-") as name:
        folder = Path(name).absolute()
        folder.chmod(0o700)
        (folder / "bench_task.py").write_text(TASK, encoding="utf-8")
        found, drained = measure(folder, asked)
    return report(found, drained, asked)


def measure(folder: Path, asked: argparse.Namespace) -> tuple[list[Found], float]:
    """Let clients and workers loose on a new job file; return what was seen, and the jobs ended a second."""
    path = folder / "jobs.db"
    jobrun.open(path).close()
    options = [] if asked.durability == "full" else ["--durability", asked.durability]
    command = [
        sys.executable,
        "-m",
        "jobrun",
        "--db",
        str(path),
        "worker",
        "-n",
        str(asked.workers),
        *options,
    ]
    with subprocess.Popen([*command, "--path", str(folder), "--drain", "1s"]) as group:
        try:
            clients = [start_client(path, asked.durability) for _ in range(asked.clients)]
            for client in clients:
                assert client.stdout is not None
                client.stdout.read(1)  # it has the file open, and waits to begin
            before = ended(path)
            for client in clients:
                assert client.stdin is not None
                client.stdin.write(b".")
                client.stdin.flush()
            time.sleep(asked.seconds)
            rate = (ended(path) - before) / asked.seconds
            for client in clients:
                client.send_signal(signal.SIGTERM)
            return [result(client) for client in clients], rate
        finally:
            group.send_signal(signal.SIGTERM)


def start_client(path: Path, durability: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, __file__, "--client", str(path), "--durability", durability]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def be_a_client(path: Path, durability: str) -> int:
    """Enqueue until told to stop, then write how long each took."""
    stop: list[int] = []
    taken, errors = array.array("d"), 0
    options = {} if durability == "full" else {"durability": durability}
    with jobrun.open(path, **options) as jobs:
        signal.signal(signal.SIGTERM, lambda number, _frame: stop.append(number))
        os.write(1, b".")
        os.read(0, 1)
        while not stop:
            begin = time.perf_counter()
            try:
                jobs.enqueue("bench_task:nothing")
            except JobrunError:
                errors += 1
            taken.append(time.perf_counter() - begin)
    sys.stdout.buffer.write(errors.to_bytes(8, "little") + taken.tobytes())
    return 0


def result(client: subprocess.Popen[bytes]) -> Found:
    told, _ = client.communicate()
    taken = array.array("d")
    taken.frombytes(told[8:])
    return Found(taken, int.from_bytes(told[:8], "little"))


def ended(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        [(count,)] = connection.execute("SELECT count(*) FROM jobs WHERE state = 'succeeded'").fetchall()
    return int(count)


def report(found: list[Found], drained: float, asked: argparse.Namespace) -> int:
    """Print a line of figures, and tell whether the goal is missed."""
    taken_ms = sorted(second * 1000 for each in found for second in each.seconds)
    shares = [len(each.seconds) for each in found]
    slowest = min(shares) / (sum(shares) / len(shares))
    errors = sum(each.errors for each in found)
    p50, p95, p99 = (taken_ms[min(len(taken_ms) * part // 100, len(taken_ms) - 1)] for part in (50, 95, 99))
    print(
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores, "
        f"load average {os.getloadavg()[0]:.1f}, durability {asked.durability}\n"
        f"{asked.clients} clients, {asked.workers} workers, {asked.seconds:.0f} s: {len(taken_ms) / asked.seconds:,.0f} "
        f"enqueued/s, {drained:,.0f} drained/s\n"
        f"enqueue p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms (goal < {GOAL_MS:.0f}), max {taken_ms[-1]:.1f} ms; "
        f"share of the slowest {slowest:.2f} of the mean (goal >= {GOAL_SHARE}); errors {errors}"
    )
    return int(p99 >= GOAL_MS or slowest < GOAL_SHARE or errors > 0)


if __name__ == "__main__":
    sys.exit(main())
