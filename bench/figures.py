"""Print the figures of the main job: pick-up, cost at rest, enqueue, claims in a full file.

    python bench/figures.py [pickup] [idle] [enqueue] [claims]      (all of them without a word)

Each line is taken in this one run, on this machine, in a temporary folder below the working directory
(not in memory: durability is part of what is measured). Compare ratios, not runs.
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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jobrun
from jobrun.lifecycle import settle
from jobrun.model import Ending, JobFilter, Kind, NewJob, Outcome, State
from jobrun.store import Store, open_store

TASK = "import time\n\ndef now():\n    return time.monotonic_ns()\n"
JOBRUN = [sys.executable, "-m", "jobrun"]


def main() -> None:
    """Run the parts that were asked for."""
    parts: dict[str, Callable[[Path], None]] = {
        "pickup": pickup,
        "idle": idle,
        "enqueue": enqueue,
        "claims": claims,
    }
    print(
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores, "
        f"Linux {platform.release()}, synchronous=FULL"
    )
    for name in sys.argv[1:] or parts:
        with tempfile.TemporaryDirectory(dir=".", prefix="bench-") as folder:
            parts[name](Path(folder).absolute())


def pickup(folder: Path) -> None:
    """Time from the start of `enqueue` in a Python client to the first line of the function."""
    with group(folder, workers=2) as path, jobrun.open(path) as queue:
        started: dict[int, int] = {}
        for _ in range(220):
            begin = time.monotonic_ns()
            started[queue.enqueue("bench_task:now")] = begin
            time.sleep(0.02)
        wait_until_done(path)
        with open_store(path) as store:
            jobs = store.ledger.select(JobFilter(), limit=1000, newest_first=False)
    waits = sorted((int(job.result or 0) - started[job.id]) / 1e6 for job in jobs[20:])
    report(
        "pick-up by an idle worker",
        f"p50 {at(waits, 50):.2f} ms, p95 {at(waits, 95):.2f} ms, max {waits[-1]:.2f} ms, {len(waits)} jobs",
        "p95 <= 5 ms",
    )


def idle(folder: Path, seconds: float = 20.0) -> None:
    """CPU time of everything that `worker -n 2` starts, while there is nothing to do."""
    with group(folder, workers=2) as path:
        with jobrun.open(path) as queue:
            queue.enqueue("bench_task:now")
        wait_until_done(path)
        time.sleep(1)
        pids = group_pids(path)
        before = sum(map(cpu_s, pids))
        time.sleep(seconds)
        used = sum(map(cpu_s, pids)) - before
    report("idle, worker -n 2", f"{100 * used / seconds:.3f} % of a core, {len(pids)} processes", "< 0.2 %")


def enqueue(folder: Path) -> None:
    """Whole process of `jobrun enqueue mod:func` against `python -c pass`."""
    path = folder / "jobs.db"
    program = Path(sys.executable).with_name("jobrun")
    command = [os.fspath(program), "--db", os.fspath(path), "enqueue", "mod:func"]
    subprocess.run(command, check=True, capture_output=True)
    bare, whole, full = [], [], []
    with group(folder, workers=1):  # as in use: somebody has the file open
        for _ in range(30):
            bare.append(timed([sys.executable, "-c", "pass"]))
            whole.append(timed(command))
            full.append(timed([os.fspath(program), "--db", os.fspath(path), "status"]))
    ratio = statistics.median(whole) / statistics.median(bare)
    report(
        "jobrun enqueue, whole process",
        f"{ratio:.1f} x python -c pass "
        f"({statistics.median(whole):.0f} ms / {statistics.median(bare):.0f} ms; "
        f"jobrun status {statistics.median(full):.0f} ms)",
        "<= 4 x",
    )


def claims(folder: Path) -> None:
    """Median of a claim, with 1,000 and with 1,000,000 other jobs in the file."""
    medians = {}
    for count in (1_000, 1_000_000):
        path = folder / f"{count}.db"
        with open_store(path, create=True) as store:
            fill(store, path, count)
            medians[count] = statistics.median(claim_times(store, 400)) * 1e3
    few, many = medians.values()
    report(
        "claim with 10^6 other jobs",
        f"{many / few:.2f} x that with 10^3 ({many:.3f} ms / {few:.3f} ms)",
        "<= 1.5 x",
    )


def fill(store: Store, path: Path, count: int) -> None:
    """Add jobs of four kinds: queued behind, future, future of higher priority, finished."""
    now = datetime.now(UTC)
    later = now + timedelta(days=1)
    kinds = [
        NewJob(kind=Kind.CALL, task="mod:behind", priority=-5),
        NewJob(kind=Kind.CALL, task="mod:future", run_at=later),
        NewJob(kind=Kind.CALL, task="mod:urgent", run_at=later, priority=9),
        NewJob(kind=Kind.CALL, task="mod:finished", queue="finished"),
    ]
    for _ in range(max(count // 40_000, 1)):
        store.intake.add(kinds * (min(count, 40_000) // 4), now=now)
    with sqlite3.connect(path) as raw:  # by hand, since running 250,000 jobs is not what is measured
        raw.execute("UPDATE jobs SET state = 'cancelled', finished_at = run_at WHERE queue = 'finished'")
    raw.close()
    store.checkpoint()


def claim_times(store: Store, count: int) -> Iterator[float]:
    """Yield the seconds of one claim each; every job is settled before the next one."""
    now = datetime.now(UTC)
    tokens = iter(range(10**9))
    for _ in range(count):
        store.intake.add([NewJob(kind=Kind.CALL, task="mod:now")], now=now)
        begin = time.perf_counter()
        [job] = store.queue.claim(
            lambda _task: "w1", limit=1, queues=(), now=now, new_token=lambda: f"t{next(tokens)}"
        )
        yield time.perf_counter() - begin
        ending = Ending(outcome=Outcome.OK, result="null")
        store.endings.settle(job, ending, settle(job, ending, now, 0.5), now=now, pid=1)


@contextmanager
def group(folder: Path, *, workers: int) -> Iterator[Path]:
    """Run a group of workers in a folder of its own."""
    (folder / "bench_task.py").write_text(TASK)
    path = folder / "jobs.db"
    command = [*JOBRUN, "--db", os.fspath(path), "worker", "-n", str(workers), "--path", os.fspath(folder)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stderr=log, stdout=log)
        try:
            wait_for(lambda: path.exists() and len(group_pids(path)) == workers + 2)
            yield path
        finally:
            process.terminate()
            process.wait(30)


def group_pids(path: Path) -> list[int]:
    """Return the supervisor, the dispatcher and the workers of the one group on a file."""
    with open_store(path) as store:
        rows = store.workers.all()
    if not rows:
        return []
    top = rows[0].group_pid
    text = Path(f"/proc/{top}/task/{top}/children").read_text()
    return [top, *map(int, text.split())]


def wait_until_done(path: Path) -> None:
    """Wait until no job is live."""

    def is_done() -> bool:
        with open_store(path) as store:
            counts = store.ledger.counts()
        return not any(counts[state] for state in (State.READY, State.RUNNING, State.SCHEDULED))

    wait_for(is_done)


def wait_for(condition: Callable[[], bool], limit_s: float = 30.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.05)


def timed(command: Sequence[str]) -> float:
    """Return the milliseconds that a whole process takes."""
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return (time.perf_counter() - begin) * 1e3


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process, from its scheduler statistics: ticks are too coarse."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def at(values: Sequence[float], percent: int) -> float:
    """Return a percentile of sorted values."""
    return values[min(len(values) * percent // 100, len(values) - 1)]


def report(what: str, figure: str, goal: str) -> None:
    print(f"{what:32} {figure}   (goal {goal})", flush=True)


if __name__ == "__main__":
    main()
