"""Shell commands: `true` many times, two at once, by jobrun and by tools that run commands."""

from __future__ import annotations

import os
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

from bench.group import JOBRUN, ended
from bench.peers.servers import Missing
from bench.sections import Goal, Plan, Report, at_least, tell
from bench.tables import aligned, whole

HEAD = ("`true`, 2 at once", "commands", "commands/s", "with start/s", "asked for/s", "jobrun : it")
READING = """
- commands/s of jobrun: from the first begin of a command to the last end, with output kept, accounting and control of
  the whole tree of each command; jobs are there before. "with start" counts from the start of `jobrun worker --burst` to
  its end. Asked for by one `jobrun enqueue --batch -`.
- Of the others: from the start of the tool to the end of the last command. task-spooler has a process for each command
  asked for, which belongs to it, and keeps output; GNU parallel keeps output apart; xargs keeps nothing.
- Medians of {samples}, in turns.
"""
COUNT = 2_000
OURS = {"jobrun, command": "-x -- true", "jobrun, --shell": "--shell true"}
XARGS, SPOOLER, PARALLEL = "xargs -P2 -n1", "task-spooler, 2 slots", "GNU parallel -j2"


def measure(plan: Plan) -> Report:
    count = plan.of(COUNT, 20)
    tools: dict[str, Callable[[Path, int], tuple[float, ...]]] = {
        **{name: partial(_jobrun, line=line) for name, line in OURS.items()},
        XARGS: _xargs,
        SPOOLER: _spooler,
        PARALLEL: _parallel,
    }
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in tools}
    missing: dict[str, str] = {}
    for number in range(plan.samples):
        for name in [name for name in tools if name not in missing]:
            tell(f"shell, round {number + 1} of {plan.samples}: {name}")
            try:
                with tempfile.TemporaryDirectory(dir=plan.folder) as folder:
                    found[name].append(tools[name](Path(folder), count))
            except Missing as why:
                missing[name] = str(why)
    medians = {
        name: [statistics.median(figures) for figures in zip(*samples, strict=True)]
        for name, samples in found.items()
        if samples
    }
    notes = "".join(f"- Not measured: {name}: {why}\n" for name, why in missing.items())
    return Report(_table(medians, count) + READING.format(samples=plan.samples) + notes, _goals(medians))


def _table(medians: Mapping[str, list[float]], count: int) -> str:
    ours = medians[next(iter(OURS))][0]
    rows = [
        (
            name,
            f"{count:,}",
            whole(rate),
            *[whole(more) for more in rest],
            *["-"] * (2 - len(rest)),
            f"{ours / rate:.2f}",
        )
        for name, (rate, *rest) in medians.items()
    ]
    return aligned([HEAD, *rows])


def _goals(medians: Mapping[str, list[float]]) -> tuple[Goal, ...]:
    wanted = {XARGS: 0.5, SPOOLER: 1.0, PARALLEL: 1.0}
    return tuple(
        at_least(f"{ours}, against {tool}", medians[ours][0] / medians[tool][0], ratio)
        for ours in OURS
        for tool, ratio in wanted.items()
        if tool in medians
    )


def _jobrun(folder: Path, count: int, *, line: str) -> tuple[float, float, float]:
    """Return commands a second: running, with the start of the workers, asked for."""
    path = folder / "jobs.db"
    command = [*JOBRUN, "--db", os.fspath(path)]
    begin = time.perf_counter()
    _call([*command, "enqueue", "--batch", "-"], folder, text=f"{line}\n" * count)
    asked = time.perf_counter()
    _call([*command, "worker", "-n", "2", "--burst"], folder)
    end = time.perf_counter()
    assert ended(path) == count, f"{ended(path)} of {count} commands succeeded"
    with closing(sqlite3.connect(path)) as connection:
        [(ms,)] = connection.execute("SELECT max(finished_at) - min(started_at) FROM attempts").fetchall()
    return count * 1e3 / max(ms, 1), count / (end - asked), count / (asked - begin)


def _xargs(folder: Path, count: int) -> tuple[float]:
    return (count / _timed([_program("xargs"), "-P2", "-n1", "true"], folder, count),)


def _parallel(folder: Path, count: int) -> tuple[float]:
    program = _program("parallel")
    told = subprocess.run(
        [program, "--version"], capture_output=True, text=True, check=False, cwd=folder
    ).stdout
    if "GNU parallel" not in told:
        raise Missing(f"`{program}` is not GNU parallel")
    own = {"PARALLEL_HOME": os.fspath(folder), "TMPDIR": os.fspath(folder)}
    return (count / _timed([program, "-j2", "true"], folder, count, own),)


def _spooler(folder: Path, count: int) -> tuple[float]:
    """Ask a server of its own, with a shell's loop, as people do; then wait for all."""
    program = shutil.which("tsp") or _program("ts")
    if (
        "Task Spooler"
        not in subprocess.run([program, "-V"], capture_output=True, text=True, check=False).stdout
    ):
        raise Missing(f"`{program}` is not task-spooler")
    # The name of a socket may not be long, so it is named from the folder that all of them start in.
    own = {"TS_SOCKET": "socket", "TMPDIR": os.fspath(folder), "TS_MAXFINISHED": "10"}
    script = 'while read -r _; do "$0" true >/dev/null; done; until [ -z "$("$0" | grep -E "queued|running")" ]; do "$0" -w; done'
    _call([program, "-S", "2"], folder, own)
    try:
        return (count / _timed(["sh", "-c", script, program], folder, count, own),)
    finally:
        _call([program, "-K"], folder, own)


def _timed(words: list[str], folder: Path, count: int, own: Mapping[str, str] | None = None) -> float:
    """Return the seconds that a tool takes; it reads a line for each command."""
    lines = "".join(f"{number}\n" for number in range(count))
    begin = time.perf_counter()
    _call(words, folder, own, text=lines)
    return time.perf_counter() - begin


def _call(words: list[str], folder: Path, own: Mapping[str, str] | None = None, *, text: str = "") -> None:
    environ = {**os.environ, **(own or {})}
    with (folder / "out").open("wb") as out:  # no pipe: a server that is started would keep it open
        subprocess.run(
            words,
            input=text.encode(),
            cwd=folder,
            env=environ,
            check=True,
            timeout=180,
            stdout=out,
            stderr=out,
        )


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise Missing(f"`{name}` is not installed")
    return found
