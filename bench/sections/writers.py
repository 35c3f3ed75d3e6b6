"""Many writers at one job file: how long each enqueue takes, who gets how much, and what drains meanwhile."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import jobrun
from bench import writing
from bench.group import ended, group
from bench.sections import Goal, Plan, Report, at_least, at_most, tell
from bench.tables import aligned, at, spread

HEAD = (
    *("clients", "workers", "seconds", "enqueued/s", "drained/s", "p50 ms", "p95 ms", "p99 ms", "max ms"),
    *("slowest : mean", "errors"),
)
READING = """
Each client is a process that keeps the job file open and enqueues one call after the other, without a pause, while a
group of workers runs them (`builtins:abs`); synchronous=FULL for all.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Who is let loose, and for how long."""

    clients: int = 32
    workers: int = 4
    seconds: float = 60.0


def measure(plan: Plan) -> Report:
    crowd = Crowd(clients=3, workers=1, seconds=1.0) if plan.is_quick else Crowd()
    tell(f"writers: {crowd.clients} of them, for {crowd.seconds:.0f} s")
    found, drained = _let_loose(plan.folder / "jobs.db", crowd)
    taken_ms = sorted(second * 1000 for each in found for second in each.seconds)
    shares = [len(each.seconds) for each in found]
    share = min(shares) / (sum(shares) / len(shares))
    errors = sum(each.errors for each in found)
    row = (
        f"{crowd.clients}",
        f"{crowd.workers}",
        f"{crowd.seconds:.0f}",
        f"{len(taken_ms) / crowd.seconds:,.0f}",
        f"{drained:,.0f}",
        *spread(taken_ms, 50, 95, 99, 100, digits=1),
        f"{share:.2f}",
        f"{errors}",
    )
    goals = (
        at_most("many writers: enqueue p99", at(taken_ms, 99), 50.0),
        at_least("many writers: share of the slowest, of the mean", share, 0.5),
        Goal("many writers: errors", f"{errors}", "0", errors == 0),
    )
    return Report(aligned([HEAD, row]) + READING, goals)


def _let_loose(path: Path, crowd: Crowd) -> tuple[list[writing.Found], float]:
    """Run clients and workers on a new job file; return what was seen, and the jobs ended a second."""
    jobrun.open(path).close()
    with ExitStack() as stack:
        stack.enter_context(group(path, "--drain", "1s", workers=crowd.workers))
        clients = [stack.enter_context(writing.client(path, "full")) for _ in range(crowd.clients)]
        for client in clients:
            assert client.stdout is not None
            client.stdout.read(1)  # it has the file open, and waits to begin
        before = ended(path)
        for client in clients:
            assert client.stdin is not None
            client.stdin.write(b".")
            client.stdin.flush()
        time.sleep(crowd.seconds)
        rate = (ended(path) - before) / crowd.seconds
        for client in clients:
            client.send_signal(signal.SIGTERM)
        return [writing.result(client) for client in clients], rate
