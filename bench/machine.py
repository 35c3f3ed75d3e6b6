"""What figures depend on: the machine, its disk, and the versions of what runs."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import jobrun
from bench.peers.servers import SERVERS, version
from bench.tables import at


def machine(folder: Path) -> str:
    """Return it as a list."""
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    cores = model[0].partition(":")[2].strip() if model else "of an unknown kind"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    half, most = fsync_ms(folder)
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, load average before {os.getloadavg()[0]:.1f}",
        f"{len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB, Linux {platform.release()}, {cores}",
        f"files on {_file_system(folder)}: fdatasync after a 4 KiB write p50 {half:.2f} ms, p95 {most:.2f} ms",
        f"jobrun {jobrun.__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}",
        *(f"{server}: {version(server)}" for server in SERVERS),
    ]
    return "\n".join(f"- {line}" for line in lines) + "\n"


def _file_system(folder: Path) -> str:
    with suppress(FileNotFoundError):
        words = ["df", "--output=fstype", os.fspath(folder)]
        if told := subprocess.run(words, capture_output=True, text=True, check=False).stdout.split():
            return told[-1]
    return "an unknown file system"


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
    return at(times, 50), at(times, 95)
