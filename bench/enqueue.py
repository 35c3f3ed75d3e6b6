"""Compare asking for a job with what it stands on, in one run each.

    python bench/enqueue.py [api] [process] [batch]      (all of them without a word)

    api      jobrun.open(...).enqueue against INSERT and COMMIT of the same row by bare sqlite3
    process  `jobrun enqueue` against `python -c pass`; run it from an environment in which jobrun is
             installed as users do, since what an editable install loads counts as well
    batch    lines a second of `jobrun enqueue --batch -`

Samples alternate, so that whatever else runs hits both. Files lie in a temporary folder below the working
directory (not in memory: durability is part of what is measured), with synchronous=FULL.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import jobrun
from jobrun.store.insertion import INSERT, PLAIN, values_of

BLOCK = 200  # jobs of one side before the other side's turn
ROUNDS = 20
STARTS = 60
LINES = 60_000
WORK = ("shop.mail:send", 42)


def main() -> None:
    """Run the parts that were asked for."""
    parts: dict[str, Callable[[Path], None]] = {"api": api, "process": process, "batch": batch}
    print(
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores, "
        f"Linux {platform.release()}, synchronous=FULL"
    )
    for name in sys.argv[1:] or parts:
        with tempfile.TemporaryDirectory(dir=".", prefix="bench-") as folder:
            parts[name](Path(folder).absolute())


def api(folder: Path) -> None:
    """Wall and CPU time of a job, both ways."""
    ours, bare = folder / "ours.db", folder / "bare.db"
    jobrun.open(bare).close()
    connection = sqlite3.connect(bare, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")

    def insert() -> None:
        now_ms = time.time_ns() // 1_000_000
        row = {**PLAIN, "task": WORK[0], "args": "[42]", "run_at": now_ms, "created_at": now_ms}
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(INSERT, values_of(row))
        connection.execute("COMMIT")

    with jobrun.open(ours) as queue:
        times = alternately(lambda: queue.enqueue(*WORK), insert)
    connection.close()
    (wall, cpu), (bare_wall, bare_cpu) = times
    report(
        "enqueue from Python",
        f"{1 / wall:,.0f}/s ({cpu * 1e6:.0f} µs CPU), bare sqlite3 {1 / bare_wall:,.0f}/s ({bare_cpu * 1e6:.0f} µs): "
        f"{bare_wall / wall:.2f} x",
        ">= 0.8 x bare",
    )


def alternately(*works: Callable[[], object]) -> list[tuple[float, float]]:
    """Return the median wall and CPU seconds of each, taken in turns."""
    taken: list[list[tuple[float, float]]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, samples in zip(works, taken, strict=True):
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(BLOCK):
                work()
            samples.append(
                ((time.perf_counter() - wall) / BLOCK, (time.process_time() - cpu) / BLOCK),
            )
    return [
        (statistics.median(wall for wall, _ in samples), statistics.median(cpu for _, cpu in samples))
        for samples in taken
    ]


def process(folder: Path) -> None:
    """Wall and CPU time of a whole process, with nobody else at the job file and with a group of workers."""
    command = Path(sys.executable).with_name("jobrun")
    enqueue = [os.fspath(command), "enqueue", *map(str, WORK)]
    environ = {**os.environ, "JOBRUN_DB": os.fspath(folder / "jobs.db")}
    for words in (["-q"], ["-q", "--queue", "mail"]):  # makes the file; warms the files of Python
        subprocess.run([*enqueue, *words], env=environ, check=True, capture_output=True)
    commands = {"python -c pass": [sys.executable, "-c", "pass"], "alone": enqueue}
    alone = starts(commands, environ)
    with jobrun.open(folder / "jobs.db"):  # as a group does, this keeps the WAL in place
        shared = starts(commands, environ)
    for name, found in (("alone", alone), ("beside workers", shared)):
        (base, base_cpu), (wall, cpu) = found["python -c pass"], found["alone"]
        report(
            f"jobrun enqueue, {name}",
            f"{wall * 1e3:.1f} ms ({cpu * 1e3:.1f} ms CPU), python -c pass {base * 1e3:.1f} ms "
            f"({base_cpu * 1e3:.1f} ms): {wall / base:.2f} x, CPU {cpu / base_cpu:.2f} x",
            "<= 4 x",
        )


def starts(commands: dict[str, list[str]], environ: dict[str, str]) -> dict[str, tuple[float, float]]:
    """Return the median wall and CPU seconds of each command as a whole process, taken in turns."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    for _ in range(STARTS):
        for name, words in commands.items():
            begin = time.perf_counter()
            pid = os.posix_spawn(words[0], words, environ, file_actions=quiet)
            _, status, usage = os.wait4(pid, 0)
            taken[name].append((time.perf_counter() - begin, usage.ru_utime + usage.ru_stime))
            assert status == 0, f"`{' '.join(words)}` failed"
    return {
        name: (statistics.median(wall for wall, _ in samples), statistics.median(cpu for _, cpu in samples))
        for name, samples in taken.items()
    }


def batch(folder: Path) -> None:
    """Time of the whole command, for lines of words and for lines of JSON."""
    for name, line in (
        ("words", "shop.mail:send {} subject=Hello\n"),
        ("JSON", '{{"task": "shop.mail:send", "args": [{}], "kwargs": {{"subject": "Hello"}}}}\n'),
    ):
        text = "".join(line.format(n) for n in range(LINES))
        command = [
            sys.executable,
            "-m",
            "jobrun",
            "--db",
            os.fspath(folder / f"{name}.db"),
            "enqueue",
            "--batch",
            "-",
        ]
        begin = time.perf_counter()
        subprocess.run(command, input=text, text=True, check=True, capture_output=True)
        rate = LINES / (time.perf_counter() - begin)
        report(f"enqueue --batch, {name}", f"{rate:,.0f} lines/s, {LINES:,} lines", ">= 30,000 lines/s")


def report(what: str, figure: str, goal: str) -> None:
    """Print one line of the table."""
    print(f"{what:32}  {figure}   (goal: {goal})")


if __name__ == "__main__":
    main()
