"""How long jobs wait that were handed to a worker ahead of time, when the one before them hangs."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import jobrun
from bench.group import ended, group, wait_until
from bench.peers import RECORD
from bench.peers.measure import MEMORY
from bench.sections import Plan, Report, at_most, tell
from bench.tables import aligned, at, spread

TASK = "bench.holding:work"
SHORT = 400  # runs that show that the task is short
BEHIND = 100
HEAD = ("rounds", "jobs behind", "p50 ms", "p95 ms", "p99 ms", "max ms")
READING = f"""
Two workers; {SHORT} jobs of a task show that it is short. Then {BEHIND + 1} more are asked for in one call, the first of
which hangs for {{hold:g}} s. Measured is from that call to the begin of each of the others.
"""


def measure(plan: Plan) -> Report:
    rounds, hold_s = plan.of(20, 1), 0.5 if plan.is_quick else 2.0
    path = plan.folder / "jobs.db"
    waits: list[float] = []
    memory = MEMORY if MEMORY.is_dir() else plan.folder
    with (
        tempfile.NamedTemporaryFile(dir=memory, prefix="jobrun-bench-") as tally,
        group(path, variables={"BENCH_TALLY": tally.name}),
        jobrun.open(path) as queue,
    ):
        for number in range(rounds):
            tell(f"reserve, round {number + 1} of {rounds}")
            waits += _hang(queue, path, Path(tally.name), hold_s)
    waits.sort()
    row = (f"{rounds}", f"{len(waits):,}", *spread(waits, 50, 95, 99, 100, digits=1))
    goal = at_most("a job behind one that hangs begins within", at(waits, 100), 50.0)
    return Report(aligned([HEAD, row]) + READING.format(hold=hold_s), (goal,))


def _hang(queue: jobrun.api.Jobs, path: Path, tally: Path, hold_s: float) -> list[float]:
    """Return how many milliseconds each of those behind had to wait."""
    before = ended(path)
    queue.enqueue_many([(TASK, (), {})] * SHORT)
    wait_until(lambda: ended(path) == before + SHORT)
    sent_ns = time.monotonic_ns()
    queue.enqueue_many([(TASK, (0, hold_s), {}), *[(TASK, (sent_ns,), {})] * BEHIND])
    wait_until(lambda: ended(path) == before + SHORT + 1 + BEHIND)
    begun = [at for at, sent in RECORD.iter_unpack(tally.read_bytes()) if sent == sent_ns]
    assert len(begun) == BEHIND, f"{len(begun)} of {BEHIND} jobs began"
    return [(at - sent_ns) / 1e6 for at in begun]
