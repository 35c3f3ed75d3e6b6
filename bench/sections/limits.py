"""How near jobrun comes to SQLite itself: its drain rate against a bare loop that says the same to SQLite."""

from __future__ import annotations

import os
import shutil
import sqlite3
import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from bench.peers.catalogue import PEERS
from bench.peers.environments import interpreter
from bench.peers.measure import drain, site, wait_for, workers
from bench.recording import Statement, load, replay
from bench.sections import Plan, Report, at_least, tell
from bench.tables import aligned, whole

HEAD = ("", "jobs", "jobs/s", "of the bare loop")
READING = """
A dispatcher of two workers is recorded while they drain {count:,} jobs: each call of sqlite3 with its statement and its
arguments, and where each transaction begins and ends. That is {commits:,} commits, {group:.0f} jobs each, and {each:.1f}
calls a commit. Then bare sqlite3 in one process makes the same calls on a copy of the file as it was before
(synchronous=FULL, nobody else there); nothing runs the jobs. Drains and loops take turns; medians of {samples}.
"""
DRAINED = 20_000


def measure(plan: Plan) -> Report:
    count = plan.of(DRAINED, 500)
    peer = PEERS["jobrun"]
    python = interpreter(peer.environment)
    tell("limits: a drain is recorded")
    before = plan.folder / "before.db"
    statements = _record(python, plan.folder, before, count)
    drains, loops = [], []
    for number in range(plan.samples):
        tell(f"limits, round {number + 1} of {plan.samples}")
        drains.append(drain(peer, python, plan.folder, count))
        copy = plan.folder / f"copy{number}.db"
        shutil.copy(before, copy)
        _sync(copy)
        loops.append(count / replay(copy, statements))
    ours, bare = statistics.median(drains), statistics.median(loops)
    rows = [
        ("jobrun, drain with 2 workers", f"{count:,}", whole(ours), f"{ours / bare:.2f}"),
        ("the same statements, bare sqlite3", f"{count:,}", whole(bare), "1.00"),
    ]
    commits = _commits(statements)
    reading = READING.format(
        count=count,
        commits=commits,
        group=count / commits,
        each=len(statements) / commits,
        samples=plan.samples,
    )
    goal = at_least(
        "drain, against bare sqlite3 with the same statements in the same groups", ours / bare, 0.5
    )
    return Report(aligned([HEAD, *rows]) + reading, (goal,))


def _record(python: Path, folder: Path, before: Path, count: int) -> list[Statement]:
    """Drain so many jobs; return what the dispatcher said, and keep the file as it was before."""
    notes = folder / "notes"
    notes.mkdir()
    with site(PEERS["jobrun"], python, folder) as place:
        place.client("bulk", str(count))
        with closing(sqlite3.connect(place.folder / "jobs.db")) as connection:  # its client has left a WAL
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        shutil.copy(place.folder / "jobs.db", before)
        [command] = place.client("describe")["commands"]
        recorded = [sys.executable, "-m", "bench.recording", os.fspath(notes), *command[3:], "--burst"]
        with workers(place, [recorded]) as [process]:
            process.wait(120)
            wait_for(place, count, [])
    statements = load(notes)
    assert _ends(statements) == count, f"{_ends(statements)} of {count} ends were recorded"
    return statements


def _ends(statements: Sequence[Statement]) -> int:
    return sum(each.sql.count("(?") for each in statements if "INTO attempts" in each.sql)  # rows of VALUES


def _commits(statements: Sequence[Statement]) -> int:
    return Counter(each.sql for each in statements)["COMMIT"]


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
