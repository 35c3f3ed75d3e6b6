"""jobrun and its peers: asking for jobs, running them, picking them up.

A peer that is missing or fails has a line that says why; the others go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.machine import fsync_ms
from bench.peers.catalogue import PEERS
from bench.peers.environments import interpreter
from bench.peers.measure import Broken, describe, pick_up, speed
from bench.peers.report import READING, Figures, settings, table
from bench.peers.servers import Missing, check
from bench.sections import Goal, Plan, Report, at_least, at_most, tell
from bench.tables import at

QUICK, PACED, QUICK_PACED = 100, 200, 20

Found = Mapping[str, Figures]


def measure(plan: Plan) -> Report:
    names = plan.peers or tuple(PEERS)
    found = {name: Figures(jobs=plan.of(PEERS[name].jobs, QUICK)) for name in names}
    try:
        for number in range(plan.samples):
            for name in [name for name in names if not found[name].failed]:
                tell(f"peers, round {number + 1} of {plan.samples}: {name}")
                _sample(name, found[name], plan)
    except BaseException:  # what was found before a run was cut short is shown
        print(table(found), flush=True)
        raise
    parts = [table(found), READING, "What each keeps, and how it was set:\n", settings(found)]
    failed = all(not figures.speeds for figures in found.values())
    return Report("\n".join(parts), _goals(found, plan.folder), has_failed=failed)


def _sample(name: str, figures: Figures, plan: Plan) -> None:
    """Take one more sample of each kind; pick-up is a distribution already, once is enough."""
    peer, top = PEERS[name], plan.folder
    try:
        if peer.server:
            check(peer.server)
        python = interpreter(peer.environment)
        figures.told = figures.told or describe(peer, python, top)
        figures.speeds.append(speed(peer, python, top, figures.jobs))
        figures.waits = figures.waits or pick_up(peer, python, top, plan.of(PACED, QUICK_PACED))
    except (Missing, Broken) as why:
        figures.failed = str(why)
        tell(f"{name}: {why}")


def _goals(found: Found, folder: Path) -> tuple[Goal, ...]:
    ours = found.get("jobrun")
    if ours is None or not ours.speeds:
        return ()
    return (*_drains(found, ours), *_pick_ups(found, ours, folder))


def _drains(found: Found, ours: Figures) -> list[Goal]:
    """Compare with the best of each kind that was measured."""
    others = {name: peer for name, peer in PEERS.items() if peer.module != "jobrun"}
    kinds = (
        ("SQLite, synchronous=FULL", 3.0, [n for n, p in others.items() if not p.server and p.is_durable]),
        ("Redis without persistence", 3.0, [n for n, p in others.items() if p.server == "redis"]),
        ("PostgreSQL", 1.0, [n for n, p in others.items() if p.server == "postgres"]),
    )
    mine = ours.median("drain") or 0.0
    goals = []
    for kind, wanted, names in kinds:
        drains = {name: found[name].median("drain") or 0.0 for name in names if name in found}
        best = max(drains, key=lambda name: drains[name], default=None)
        if best and drains[best]:
            what = f"drain with 2 workers, against the best on {kind}: {best}"
            goals.append(at_least(what, mine / drains[best], wanted))
    if fast := found["jobrun-fast"].median("drain") if "jobrun-fast" in found else None:
        goals.append(at_least("drain with `--durability fast`, against `full`", fast / mine, 1.0))
    return goals


def _pick_ups(found: Found, ours: Figures, folder: Path) -> list[Goal]:
    """Be better than all that are durable, and within two fdatasync of the best of the others."""
    if ours.waits is None:
        return []
    mine, fsync = at(ours.waits.called, 95), fsync_ms(folder)[1]
    p95 = {
        name: at(figures.waits.called, 95)
        for name, figures in found.items()
        if figures.waits and PEERS[name].module != "jobrun"
    }
    goals = []
    for kind, is_durable, more in (
        ("durable peers", True, 0.0),
        ("other peers + 2 fdatasync", False, 2 * fsync),
    ):
        these = {name: wait for name, wait in p95.items() if PEERS[name].is_durable is is_durable}
        if these:
            best = min(these, key=lambda name: these[name])
            goals.append(
                at_most(f"idle pick-up p95, against the best of {kind}: {best}", mine, these[best] + more)
            )
    return goals
