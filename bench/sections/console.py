"""What it costs to look: whole commands on a large job file, and the live screen beside a group that works."""

from __future__ import annotations

import fcntl
import os
import pty
import resource
import signal
import statistics
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.filling import fill
from bench.group import JOBRUN, group
from bench.peers.usage import run_s
from bench.sections import Plan, Report, at_most, tell
from bench.tables import aligned

ROWS = 1_000_000
RUNS = 10
GOAL_MS, GOAL_PERCENT = 300.0, 2.0
LOOKS = (
    ("status",),
    ("list",),
    ("failed",),
    ("list", "failed"),
    ("list", "--task", "shop.*"),
    ("inspect", "1"),
    ("why", "1"),
    ("health",),
    ("stats", "--since", "1h"),
    ("top", "--once"),
)
HEAD = ("command", "wall ms, median", "wall ms, slowest", "CPU ms, median")
READING = """
Whole processes, from their start to their end, {runs} of each, on a file of {rows:,} rows; one in ten is ready, one in a
hundred failed. `jobrun --version` is what any of them costs before it does anything. The screen of `top` is 200 columns
by 50 lines, for {seconds:g} s.
"""


def measure(plan: Plan) -> Report:
    path = plan.folder / "console.db"
    rows, runs, seconds = plan.of(ROWS, 1_000), plan.of(RUNS, 1), plan.of(40, 1)
    fill(path, rows=rows)
    took = {}
    for words in (("--version",), *LOOKS):
        tell(f"console: {' '.join(words)}")
        took[words] = [_run(path, words) for _ in range(runs)]
    cells = [
        (
            " ".join(words),
            f"{statistics.median(wall for wall, _ in each):.0f}",
            f"{max(wall for wall, _ in each):.0f}",
            f"{statistics.median(cpu for _, cpu in each):.0f}",
        )
        for words, each in took.items()
    ]
    shares = [(what, f"{percent:.2f}") for what, percent in _top(path, float(seconds))]
    goals = [
        at_most(f"{' '.join(words)}, {rows:,} rows", statistics.median(w for w, _ in took[words]), GOAL_MS)
        for words in LOOKS[:3]
    ]
    goals += [
        at_most(f"top, {what}", float(percent), GOAL_PERCENT, "% of a core") for what, percent in shares
    ]
    text = aligned([HEAD, *cells]) + "\n" + aligned([("top beside", "CPU, % of a core"), *shares])
    return Report(text + READING.format(runs=runs, rows=rows, seconds=seconds), tuple(goals))


def _run(path: Path, words: tuple[str, ...]) -> tuple[float, float]:
    """Return wall and CPU milliseconds of a command."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([*JOBRUN, "--db", str(path), *words], stdout=subprocess.DEVNULL, check=False)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall * 1e3, (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3


def _top(path: Path, seconds: float) -> Iterator[tuple[str, float]]:
    """Yield the share of a core that the screen takes beside nothing, and beside two busy workers."""
    yield "nothing", _share(path, seconds)
    with group(path):
        yield "two workers, as busy as they can be", _share(path, seconds)


def _share(path: Path, seconds: float) -> float:
    tell("console: top")
    with _screen(path) as pid:
        time.sleep(seconds / 4)  # its first picture costs most
        before = run_s([pid])
        time.sleep(seconds)
        return 100 * (run_s([pid]) - before) / seconds


@contextmanager
def _screen(path: Path) -> Iterator[int]:
    """Run `top` on a terminal that takes all it writes."""
    pid, end = pty.fork()
    if pid == 0:
        os.execvpe(JOBRUN[0], [*JOBRUN, "--db", str(path), "top"], {**os.environ, "TERM": "xterm-256color"})
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    drain = subprocess.Popen(["cat"], stdin=end, stdout=subprocess.DEVNULL)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
        os.close(end)
        drain.wait()
