"""Who works here: workers and schedulers, alive by their locks, and the last tick of each table."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from jobrun.actions import looking
from jobrun.actions.checkup.words import Finding, Patient, ok, problem, warning
from jobrun.actions.looking import WorkerView
from jobrun.actions.tables import TableView, tables
from jobrun.cron.words import Tick
from jobrun.store import Store
from jobrun.units import format_duration, plural

SILENT = timedelta(minutes=1)  # a worker without a job beats every few seconds
LATELY = timedelta(days=1)
NAMED = 3  # queues, entries or workers that one line names


def look_at_workers(patient: Patient) -> Iterator[Finding]:
    """Look who runs jobs, and whether somebody listens to each queue in which some wait."""
    if patient.store is None:
        return
    found = looking.workers(patient.store)
    pauses = patient.store.pauses.names(now=patient.now)
    waiting = patient.store.queue.names(but=pauses)
    due_at = patient.store.queue.next_due()
    yield working(found, waiting, None if due_at is None else due_at - patient.now)
    yield from dead_or_silent(found, patient.now)
    yield from paused(patient.store, patient.now)


def working(found: Sequence[WorkerView], waiting: Collection[str], next_due: timedelta | None) -> Finding:
    """Judge who listens to the queues in which jobs are ready; `next_due` is when the next one falls due."""
    alive = [each.row.queues for each in found if each.is_alive and each.serves_queues]
    if not alive and waiting:
        return problem(
            f"no worker is running, and jobs wait in {_few(waiting)}", "`jobrun worker` starts some"
        )
    if not alive and next_due is not None:
        due = f"in {_span(next_due)}" if next_due > timedelta() else "now"
        return warning(f"no worker is running, and a job is due {due}", "`jobrun worker` starts some")
    if not alive:
        return ok("no worker is running, and no job waits")
    heard = {queue for queues in alive for queue in queues}
    unheard = [] if () in alive else sorted(set(waiting) - heard)
    if unheard:
        todo = f"`jobrun worker -Q {unheard[0]}`, or without -Q for all queues"
        return problem(f"no worker listens to {_few(unheard)}, where jobs wait", todo)
    return ok(
        f"{plural(len(alive), 'worker')} for {_few(sorted(heard)) if () not in alive else 'all queues'}"
    )


def dead_or_silent(found: Sequence[WorkerView], now: datetime) -> Iterator[Finding]:
    """Find workers that died and were not cleared away, and those that live but do not beat."""
    if dead := [each.row.name for each in found if not each.is_alive]:
        said = f"{plural(len(dead), 'dead worker')} not yet cleared away"
        yield warning(said, "the next group of workers does that, and settles what they ran: `jobrun worker`")
    for each in found:
        is_due = each.is_alive and each.job is None and each.beat_at is not None
        if is_due and each.beat_at is not None and now - each.beat_at > SILENT:
            said = f"worker {each.row.name} (pid {each.row.pid}) has given no sign of life for {_span(now - each.beat_at)}"
            yield warning(said, f"look whether it is stopped: `ps -o stat,wchan -p {each.row.pid}`")


def paused(store: Store, now: datetime) -> Iterator[Finding]:
    """Find queues that are paused, whose jobs wait for a person."""
    held = [pause.queue for pause in store.pauses.all(now=now) if pause.until is None]
    if held:
        said = f"paused until somebody resumes: {_few(held)}"
        yield warning(said, f"`jobrun status` tells who did it; `jobrun resume {held[0]}`")


def look_at_tables(patient: Patient) -> Iterator[Finding]:
    """Look whether each table is scheduled, and what became of its last tick."""
    if patient.store is None:
        return
    views = [view for view in tables(patient.store) if any(row.removed_at is None for row in view.entries)]
    for view in views:
        last = _last_tick(patient.store, view)
        yield scheduled(view, last, patient.now, is_there=Path(view.path).exists())
    if not views:
        yield ok("no table has entries here")
    if missed := patient.store.measuring.measures(since=patient.now - LATELY, now=patient.now).missed:
        said = f"{plural(missed, 'run')} missed in the last day, while no scheduler was there"
        yield warning(said, "`jobrun why NAME` shows which; was the host or its service down?")


def scheduled(view: TableView, last: Tick | None, now: datetime, *, is_there: bool) -> Finding:
    """Judge who schedules a table; `last` is the tick of it that was decided last."""
    told = f"{view.path}, {plural(len(view.entries), 'entry')}, {_told(last, now)}"
    if view.problem is not None:
        return problem(
            f"{told}; its last change was refused: {view.problem}", f"`jobrun cron check {view.path}`"
        )
    if view.scheduler is not None:
        return ok(f"{told}; scheduled by pid {view.scheduler.pid}")
    if not is_there:
        return warning(f"{told}; the file is gone, and nobody schedules it", "put it back, or forget it")
    return problem(f"{told}; nobody schedules it", f"`jobrun cron {view.path}`, or start its service")


def _last_tick(store: Store, view: TableView) -> Tick | None:
    ticks = [tick for row in view.entries for tick in store.ticks.of(row.name, limit=1)]
    return max(ticks, key=lambda tick: tick.decided_at, default=None)


def _told(last: Tick | None, now: datetime) -> str:
    if last is None:
        return "no tick yet"
    return f"last tick {_span(now - last.decided_at)} ago ({last.entry}: {last.state})"


def _span(time: timedelta) -> str:
    return format_duration(max(round(time.total_seconds()), 0))


def _few(names: Collection[str]) -> str:
    shown = list(names)[:NAMED]
    more = len(names) - len(shown)
    return f"{', '.join(shown)}{f' and {more} more' if more else ''}"
