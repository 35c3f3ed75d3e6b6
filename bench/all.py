"""Measure what jobrun promises of its speed, in one run, and print tables.

When all was measured, in full, the page of results is written too: bench/RESULTS.md unless --to names another.
"""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from bench.machine import machine
from bench.peers import ROOT
from bench.peers.catalogue import PEERS
from bench.peers.measure import Broken
from bench.peers.servers import Missing
from bench.sections import (
    Plan,
    Report,
    console,
    enqueue,
    latency,
    limits,
    peers,
    reserve,
    rest,
    scale,
    shell,
    tell,
    writers,
)
from bench.tables import aligned
from jobrun.errors import JobrunError

RESULTS = ROOT / "bench" / "RESULTS.md"
DOCS = ROOT / "docs"
_FAULTS = (Missing, Broken, OSError, subprocess.SubprocessError, sqlite3.Error, JobrunError, AssertionError)

SECTIONS: dict[str, tuple[str, Callable[[Plan], Report]]] = {
    "peers": ("jobrun and its peers", peers.measure),
    "limits": ("How near to SQLite itself", limits.measure),
    "latency": ("How soon a job begins", latency.measure),
    "reserve": ("Behind a job that hangs", reserve.measure),
    "enqueue": ("Asking for jobs", enqueue.measure),
    "shell": ("Shell commands", shell.measure),
    "rest": ("At rest", rest.measure),
    "writers": ("Many writers", writers.measure),
    "console": ("What it costs to look", console.measure),
    "scale": ("What grows with a job file", scale.measure),
}


def main() -> None:
    wanted = options(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and workers are ended too
    plan = _plan(wanted)
    sections = [name for name in SECTIONS if name in wanted.name or (name == "peers" and plan.peers)]
    sections = sections or list(SECTIONS)
    reports: dict[str, Report] = {}
    with tempfile.TemporaryDirectory(prefix="jobrun-bench-", dir=wanted.folder) as folder:
        top = Path(folder)
        top.chmod(0o711)  # PostgreSQL, as another user, has its own folder in there
        facts = machine(top)
        for name in sections:
            reports[name] = _run(name, replace(plan, folder=top))
            print(_section(name, reports[name]), flush=True)
    print(_goals(reports), flush=True)
    if wanted.quick:
        print("Too short to judge by: a quick run only shows that all of it can be measured.", flush=True)
    if to := page_for(wanted):
        to.write_text(_page(reports, facts, wanted), encoding="utf-8")
        tell(f"written: {to}")
    sys.exit(any(report.has_failed for report in reports.values()))


def page_for(wanted: argparse.Namespace) -> Path | None:
    """Return what is to be written: unless it was named, only a run of all in full is worth it."""
    is_full = not wanted.quick and not wanted.name
    to: Path | None = wanted.to or (RESULTS if is_full else None)
    return to


def _run(name: str, plan: Plan) -> Report:
    """Measure one section in a folder of its own; its failure stops no other."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=plan.folder) as folder:
        Path(folder).chmod(0o711)
        tell(f"section {name}")
        try:
            return SECTIONS[name][1](replace(plan, folder=Path(folder)))
        except _FAULTS as why:
            return Report(f"Not measured: {type(why).__name__}, {why}\n", has_failed=True)
        finally:
            tell(f"section {name} took {time.monotonic() - begin:.0f} s")


def _plan(wanted: argparse.Namespace) -> Plan:
    is_full = not wanted.quick and not wanted.name
    return Plan(
        folder=wanted.folder,
        is_quick=wanted.quick,
        rounds=wanted.rounds,
        peers=tuple(name for name in wanted.name if name in PEERS),
        rows=wanted.rows or (1_000 if wanted.quick else 10_000_000),
        curves=wanted.curves or (DOCS if is_full else None),
    )


def _section(name: str, report: Report) -> str:
    return f"## {SECTIONS[name][0]}\n\n{report.text}"


def _goals(reports: Mapping[str, Report]) -> str:
    """Return all goals of a run in one table."""
    rows = [
        (name, goal.what, goal.seen, goal.wanted, "met" if goal.is_met else "MISSED")
        for name, report in reports.items()
        for goal in report.goals
    ]
    return aligned([("section", "goal", "measured", "wanted", ""), *rows], words=2) if rows else ""


def _page(reports: Mapping[str, Report], facts: str, wanted: argparse.Namespace) -> str:
    """Return the whole page of results."""
    how = (
        f"./install.sh bench{' --quick' if wanted.quick else ''}{''.join(f' {name}' for name in wanted.name)}"
    )
    parts = [
        f"# How fast jobrun is\n\nWritten by `{how}`, which anyone can run.\n",
        f"{facts}- samples of each figure that varies: {1 if wanted.quick else wanted.rounds}\n",
        f"## Goals\n\n{_goals(reports)}",
        *(_section(name, report) for name, report in reports.items()),
    ]
    return "\n".join(parts)


def options(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./install.sh bench", description="Measure jobrun and its peers.")
    known = f"{', '.join(SECTIONS)}; or of the peers {', '.join(PEERS)}"
    parser.add_argument("name", nargs="*", metavar="NAME", help=f"these only, of the sections {known}")
    parser.add_argument(
        "--quick", action="store_true", help="little, once: shows that it works, measures nothing"
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="samples of each figure (3)")
    parser.add_argument("--rows", type=int, metavar="N", help="of the largest job file (10,000,000)")
    parser.add_argument("--to", type=Path, metavar="FILE", help="write the page of results here in any case")
    parser.add_argument("--curves", type=Path, metavar="DIR", help="draw them here in any case (docs/)")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("/var/tmp"),
        metavar="DIR",
        help="on the disk to measure (/var/tmp)",
    )
    given = parser.parse_args(words)
    unknown = [word for word in given.name if word not in PEERS and word not in SECTIONS]
    if unknown:
        parser.error(f"`{unknown[0]}` is none of {', '.join([*SECTIONS, *PEERS])}")
    if not os.access(given.folder, os.W_OK):
        parser.error(f"`{given.folder}` cannot be written")
    return given


if __name__ == "__main__":
    main()
