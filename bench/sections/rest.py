"""What a group costs that has nothing to do: CPU time and memory of all its processes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import jobrun
from bench.group import ended, group, wait_until
from bench.peers.usage import family, pss_mib, run_s
from bench.sections import Plan, Report, at_most, tell
from bench.tables import aligned

HEAD = ("", "processes", "idle for s", "CPU, % of a core", "PSS of all, MiB")
READING = """
Each worker has run jobs before (`builtins:abs`). CPU time is what the scheduler counted for all threads of all
processes. PSS counts a page that n processes share as 1/n for each. Each worker from {few} to {many} adds {each:.1f} MiB.
"""
WARM_UP, SETTLE_S = 400, 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cost:
    """`percent` is of one core."""

    processes: int
    seconds: float
    percent: float
    mib: float


def measure(plan: Plan) -> Report:
    few, many = plan.of(4, 1), plan.of(8, 2)
    seconds = 0.2 if plan.is_quick else 20.0
    costs = {count: _cost(plan.folder / f"{count}.db", count, seconds) for count in (few, many)}
    each = (costs[many].mib - costs[few].mib) / (many - few)
    rows = [
        (
            f"worker -n {count}",
            f"{cost.processes}",
            f"{cost.seconds:g}",
            f"{cost.percent:.3f}",
            f"{cost.mib:.1f}",
        )
        for count, cost in costs.items()
    ]
    goals = (
        at_most(f"worker -n {few}, idle", costs[few].percent, 0.1, "% of a core"),
        at_most(f"worker -n {few}, PSS of all processes", costs[few].mib, 60.0, "MiB"),
        at_most("each further worker", each, 6.0, "MiB"),
    )
    return Report(aligned([HEAD, *rows]) + READING.format(few=few, many=many, each=each), goals)


def _cost(path: Path, workers: int, seconds: float) -> _Cost:
    tell(f"rest: {workers} workers")
    with group(path, workers=workers) as process:
        with jobrun.open(path) as queue:
            queue.enqueue_many([("builtins:abs", (1,), {})] * WARM_UP)
            wait_until(lambda: ended(path) == WARM_UP)
        time.sleep(min(SETTLE_S, seconds))
        pids = family(process.pid)
        before = run_s(pids)
        time.sleep(seconds)
        used = run_s(pids) - before
        return _Cost(processes=len(pids), seconds=seconds, percent=100 * used / seconds, mib=pss_mib(pids))
