"""Asking for a job, against what that stands on: bare sqlite3, and a Python that does nothing."""

from __future__ import annotations

import os
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jobrun
from bench.group import JOBRUN
from bench.sections import Goal, Plan, Report, at_least, at_most, tell
from bench.tables import aligned
from jobrun.store.insertion import INSERT, PLAIN, values_of

BLOCK = 200  # jobs of one side before the other side's turn
ROUNDS = 20
STARTS = 60
LINES = 60_000
WORK = ("shop.mail:send", 42)
API_HEAD = (
    "from Python, one call a job",
    "jobs/s",
    "CPU µs/job",
    "bare sqlite3: jobs/s",
    "CPU µs/job",
    "ratio",
)
START_HEAD = ("whole process", "ms", "CPU ms", "python -c pass: ms", "CPU ms", "ratio", "of CPU")
LINES_HEAD = ("jobrun enqueue --batch -", "lines", "lines/s")
READING = """
- From Python: `jobrun.open(...).enqueue` against BEGIN IMMEDIATE, INSERT and COMMIT of the same row by bare sqlite3.
- Whole process: `jobrun enqueue shop.mail:send 42`, when nobody else has the job file open, and beside a process that
  keeps it open, as workers do.
- Samples of what is compared alternate, so that whatever else runs hits both; medians.
"""
NAMES = {"full": "synchronous=FULL", "fast": "--durability fast (NORMAL)"}


class _Cost(NamedTuple):
    """Seconds of one job or one process."""

    wall: float
    cpu: float


def measure(plan: Plan) -> Report:
    parts = (_from_python, _whole_process, _batch)
    reports = []
    for part in parts:
        tell(f"enqueue:{part.__name__.replace('_', ' ')}")
        reports.append(part(plan))
    text = "\n".join(report.text for report in reports) + READING
    return Report(text, tuple(goal for report in reports for goal in report.goals))


def _from_python(plan: Plan) -> Report:
    rows: list[tuple[str, ...]] = [API_HEAD]
    goals = []
    for durability, name in NAMES.items():
        ours, bare = _api(plan, durability)
        ratio = bare.wall / ours.wall
        cells = [f"{value:,.0f}" for cost in (ours, bare) for value in (1 / cost.wall, cost.cpu * 1e6)]
        rows.append((name, *cells, f"{ratio:.2f}"))
        goals.append(at_least(f"enqueue from Python, {name}, against bare sqlite3", ratio, 0.8))
    return Report(aligned(rows), tuple(goals[:1]))


def _api(plan: Plan, durability: str) -> list[_Cost]:
    """Return the costs of a job, ours and the bare one."""
    ours, bare = (plan.folder / f"{name}-{durability}.db" for name in ("ours", "bare"))
    jobrun.open(bare).close()
    connection = sqlite3.connect(bare, isolation_level=None)
    connection.execute(f"PRAGMA synchronous = {'FULL' if durability == 'full' else 'NORMAL'}")
    connection.execute("PRAGMA wal_autocheckpoint = 0")

    def insert() -> None:
        now_ms = time.time_ns() // 1_000_000
        row = {**PLAIN, "task": WORK[0], "args": "[42]", "run_at": now_ms, "created_at": now_ms}
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(INSERT, values_of(row))
        connection.execute("COMMIT")

    with jobrun.open(ours, durability=durability) as queue:
        costs = _alternately(plan.of(ROUNDS, 2), lambda: queue.enqueue(*WORK), insert)
    connection.close()
    return costs


def _alternately(rounds: int, *works: Callable[[], object]) -> list[_Cost]:
    """Return the median cost of each, taken in turns."""
    taken: list[list[_Cost]] = [[] for _ in works]
    for _ in range(rounds):
        for work, samples in zip(works, taken, strict=True):
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(BLOCK):
                work()
            samples.append(_Cost((time.perf_counter() - wall) / BLOCK, (time.process_time() - cpu) / BLOCK))
    return [_median(samples) for samples in taken]


def _whole_process(plan: Plan) -> Report:
    path = plan.folder / "jobs.db"
    command = Path(sys.executable).with_name("jobrun")
    enqueue = [os.fspath(command), "enqueue", *map(str, WORK)]
    environ = {**os.environ, "JOBRUN_DB": os.fspath(path)}
    for words in (["-q"], ["-q", "--queue", "mail"]):  # makes the file; warms the files of Python
        subprocess.run([*enqueue, *words], env=environ, check=True, capture_output=True)
    commands = {"bare": [sys.executable, "-c", "pass"], "ours": enqueue}
    count = plan.of(STARTS, 3)
    alone = _starts(count, commands, environ)
    with jobrun.open(path):  # as a group does, this keeps the WAL in place
        shared = _starts(count, commands, environ)
    rows: list[tuple[str, ...]] = [START_HEAD]
    goals: list[Goal] = []
    for name, found in (("alone", alone), ("beside workers", shared)):
        ours, bare = found["ours"], found["bare"]
        cells = [f"{value * 1e3:.1f}" for cost in (ours, bare) for value in cost]
        ratio = ours.wall / bare.wall
        rows.append((f"jobrun enqueue, {name}", *cells, f"{ratio:.2f}", f"{ours.cpu / bare.cpu:.2f}"))
        goals.append(at_most(f"`jobrun enqueue`, {name}, against `python -c pass`", ratio, 4.0, "x"))
    return Report(aligned(rows), tuple(goals))


def _starts(count: int, commands: dict[str, list[str]], environ: dict[str, str]) -> dict[str, _Cost]:
    """Return the median cost of each command as a whole process, taken in turns."""
    taken: dict[str, list[_Cost]] = {name: [] for name in commands}
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    for _ in range(count):
        for name, words in commands.items():
            begin = time.perf_counter()
            pid = os.posix_spawn(words[0], words, environ, file_actions=quiet)
            _, status, usage = os.wait4(pid, 0)
            taken[name].append(_Cost(time.perf_counter() - begin, usage.ru_utime + usage.ru_stime))
            assert status == 0, f"`{' '.join(words)}` failed"
    return {name: _median(samples) for name, samples in taken.items()}


def _batch(plan: Plan) -> Report:
    """Time the whole command, for lines of words and for lines of JSON."""
    rows, goals, count = [LINES_HEAD], [], plan.of(LINES, 600)
    for name, line in (
        ("words", "shop.mail:send {} subject=Hello\n"),
        ("JSON", '{{"task": "shop.mail:send", "args": [{}], "kwargs": {{"subject": "Hello"}}}}\n'),
    ):
        text = "".join(line.format(n) for n in range(count))
        rates = []
        for number in range(plan.samples):
            path = plan.folder / f"{name}{number}.db"
            command = [*JOBRUN, "--db", os.fspath(path), "enqueue", "--batch", "-"]
            begin = time.perf_counter()
            subprocess.run(command, input=text, text=True, check=True, capture_output=True)
            rates.append(count / (time.perf_counter() - begin))
        rate = statistics.median(rates)
        rows.append((f"lines of {name}", f"{count:,}", f"{rate:,.0f}"))
        goals.append(at_least(f"`jobrun enqueue --batch -`, lines of {name}", rate, 30_000, "lines/s"))
    return Report(aligned(rows), tuple(goals))


def _median(samples: list[_Cost]) -> _Cost:
    return _Cost(statistics.median(s.wall for s in samples), statistics.median(s.cpu for s in samples))
