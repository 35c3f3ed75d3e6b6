"""How soon a job begins: on idle workers, and under half of the load that they could take at most."""

from __future__ import annotations

import statistics

from bench.machine import fsync_ms
from bench.peers.catalogue import PEERS
from bench.peers.environments import interpreter
from bench.peers.measure import Waits, drain, pick_up, steady
from bench.sections import Plan, Report, at_most, tell
from bench.tables import aligned, at, spread

HEAD = ("two workers", "jobs", "jobs/s", "from", "p50 ms", "p95 ms", "p99 ms", "max ms")
READING = """
- idle: one job each 30 to 50 ms. Half the load: {rate:,.0f} jobs/s are asked for, each 5 ms those that are due, which
  is half of the {most:,.0f}/s that two workers drain when nobody asks meanwhile (median of {samples}).
- from the call: from the call that asks for a job to the first line of the function. From its return: from when the
  job was acknowledged; it may have begun before.
- fdatasync after a 4 KiB write on the same file system, in the same minute: p50 {fsync[0]:.2f} ms, p95 {fsync[1]:.2f} ms.
"""
IDLE, LOAD_S, DRAINED = 400, 12, 20_000


def measure(plan: Plan) -> Report:
    peer = PEERS["jobrun"]
    python = interpreter(peer.environment)
    tell("latency: idle")
    idle = pick_up(peer, python, plan.folder, plan.of(IDLE, 20))
    fsync = fsync_ms(plan.folder)
    tell("latency: the largest load, and half of it")
    drains = [drain(peer, python, plan.folder, plan.of(DRAINED, 200)) for _ in range(plan.samples)]
    most = statistics.median(drains)
    count = round(most / 2 * LOAD_S) if not plan.is_quick else 200
    load = steady(peer, python, plan.folder, count, most / 2)
    text = aligned([HEAD, *_rows("idle", idle), *_rows("half the load", load)], words=1)
    goals = (
        at_most("idle pick-up p50", at(idle.called, 50), 1.2),
        at_most("idle pick-up p95", at(idle.called, 95), 2.0),
        at_most("pick-up under half the load p99", at(load.called, 99), 20.0),
    )
    return Report(
        text + READING.format(rate=most / 2, most=most, samples=len(drains), fsync=fsync),
        goals,
    )


def _rows(name: str, waits: Waits) -> list[tuple[str, ...]]:
    return [
        (name, f"{len(found):,}", f"{waits.rate:,.0f}", since, *spread(found, 50, 95, 99, 100))
        for since, found in (("the call", waits.called), ("its return", waits.answered))
    ]
