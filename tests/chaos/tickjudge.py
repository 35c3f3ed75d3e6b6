"""The judge of tables, invariant I6: each tick is decided once, has at most one job, and none is missing.

It reads with SQLite alone. When an entry is due it counts itself, from the entry's anchor on.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from tests.chaos.ledger import Papers
from tests.chaos.timetables import ALL, OFF, Line

SECOND = 1000  # ms; every steady entry is due once in it
DECIDED = {ALL: {"ran"}, OFF: {"disabled"}}


class TickRow(NamedTuple):
    entry: str
    at: int  # ms
    last: int
    number: int | None  # of ticks in it
    state: str
    job: int | None
    in_way: int | None


class EntryRow(NamedTuple):
    name: str
    anchor: int  # ms
    done_until: int


class JobRow(NamedTuple):
    id: int
    entry: str
    scheduled_for: int | None
    state: str


class Ticks(NamedTuple):
    """What the judge looks at."""

    of_entry: dict[str, list[TickRow]]
    entries: dict[str, EntryRow]
    jobs: dict[int, JobRow]
    ran: list[tuple[str, int, int]]  # entry, ms, job: as the jobs themselves noted it


def gather(job_file: Path, papers: Papers) -> Ticks:
    """Read the job file and what the jobs noted."""
    of_entry: defaultdict[str, list[TickRow]] = defaultdict(list)
    with closing(sqlite3.connect(job_file, timeout=30)) as reader:
        for row in reader.execute(
            "SELECT entry, at, last, count, state, job_id, in_way FROM ticks ORDER BY entry, at"
        ):
            tick = TickRow(*row)
            of_entry[tick.entry].append(tick)
        entries = [EntryRow(*row) for row in reader.execute("SELECT name, anchor, done_until FROM entries")]
        jobs = [
            JobRow(*row)
            for row in reader.execute(
                "SELECT id, entry, scheduled_for, state FROM jobs WHERE entry IS NOT NULL"
            )
        ]
    return Ticks(
        of_entry=dict(of_entry),
        entries={entry.name: entry for entry in entries},
        jobs={job.id: job for job in jobs},
        ran=[_noted(line) for line in papers.lines(papers.ticks)],
    )


def faults(seen: Ticks, steady: Sequence[Line], calm_at: int) -> list[str]:
    """Say what did not hold, once no scheduler runs any more; only ticks of the calm, in ms, may still wait."""
    of_steady = (fault for line in steady for fault in _steady(seen, line, calm_at))
    return [*_jobs(seen), *_effects(seen), *of_steady]


def all_served(seen: Ticks, steady: Sequence[Line], until: int) -> bool:
    """Say whether every entry has come to an instant, in ms, and has decided a tick."""
    return all(line.name in seen.of_entry and seen.entries[line.name].done_until >= until for line in steady)


def waiting(seen: Ticks, steady: Sequence[Line], before: int) -> int:
    """Return how many ticks from before an instant, in ms, have yet to become jobs."""
    ticks = [tick for line in steady for tick in seen.of_entry.get(line.name, [])]
    return sum(tick.state == "pending" and tick.at < before for tick in ticks)


def _jobs(seen: Ticks) -> Iterator[str]:
    """A tick that ran has a job of its own, and a job of an entry has a tick."""
    ran = [tick for ticks in seen.of_entry.values() for tick in ticks if tick.state == "ran"]
    for number, times in Counter(tick.job for tick in ran).items():
        if times > 1:
            yield f"job {number} stands for {times} ticks"
    for tick in ran:
        job = seen.jobs.get(tick.job or 0)
        if job is None or (job.entry, job.scheduled_for) != (tick.entry, tick.at):
            yield f"the job is of another tick: {tick}, {job}"
    known = {tick.job for tick in ran}
    for job in seen.jobs.values():
        if job.id not in known:
            yield f"a job of an entry without a tick: {job}"
    for (entry, at), times in Counter((job.entry, job.scheduled_for) for job in seen.jobs.values()).items():
        if times > 1:
            yield f"{times} jobs of one tick: {entry} {at}"


def _effects(seen: Ticks) -> Iterator[str]:
    """The same, as the jobs noted it: one tick is the work of one job."""
    by_tick: defaultdict[tuple[str, int], set[int]] = defaultdict(set)
    for entry, at, job in seen.ran:
        by_tick[entry, at].add(job)
    for (entry, at), jobs in by_tick.items():
        if len(jobs) > 1:
            yield f"jobs {sorted(jobs)} ran for one tick: {entry} {at}"
        for job in jobs:
            if job not in seen.jobs:
                yield f"job {job} ran for tick {entry} {at}, and has no row"


def _steady(seen: Ticks, line: Line, calm_at: int) -> Iterator[str]:
    """Every second of an entry that stays as it is, is in one row, and that says what its rule asks for."""
    entry, ticks = seen.entries.get(line.name), seen.of_entry.get(line.name, [])
    if entry is None or not ticks:
        yield f"no tick of {line.name} was decided"
        return
    if ticks[0].at > entry.anchor + SECOND:
        yield f"{line.name} began late: {ticks[0]}, {entry}"
    for before, after in pairwise(ticks):
        if after.at - before.last != SECOND:
            yield f"a gap or an overlap of ticks: {before}, {after}"
    if ticks[-1].last != entry.done_until:
        yield f"decided until another instant than its last tick: {ticks[-1]}, {entry}"
    yield from _ruled(seen, line, ticks, calm_at)


def _ruled(seen: Ticks, line: Line, ticks: Sequence[TickRow], calm_at: int) -> Iterator[str]:
    newest = ticks[-1]
    if newest.state == "missed":
        yield f"the newest of missed ticks was not made up: {newest}"
    for tick in ticks:
        if tick.state == "skipped" and tick.in_way is not None and tick.in_way not in seen.jobs:
            yield f"skipped for a job that is not there: {tick}"
        if tick.number is not None and tick.last - tick.at != (tick.number - 1) * SECOND:
            yield f"a row counts wrong: {tick}"
        is_waiting = tick.state == "pending" and tick.at >= calm_at
        if tick.state not in DECIDED.get(line.rule, {tick.state}) and not is_waiting:
            yield f"is to be {sorted(DECIDED[line.rule])}: {tick}"


def _noted(line: str) -> tuple[str, int, int]:
    entry, instant, job = line.split()
    return entry, round(datetime.fromisoformat(instant).timestamp() * 1000), int(job)
