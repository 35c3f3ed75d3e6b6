"""Deciding due ticks: what `cron.verdicts` says of them and the jobs it asks for are one commit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial

from jobrun.cron.due import Due, between, due_ticks
from jobrun.cron.jobs import job_of
from jobrun.cron.verdicts import MOST_CAUGHT_UP, Situation, decide, is_made_up, window_s
from jobrun.cron.words import Catchup, Entry, EntryRow, NewTick, Occurrence, Overlap, Tick, TickState
from jobrun.scheduler.timetable import Timetable
from jobrun.store import Store


class Serving:
    """The hand of a scheduler: reads how things stand and writes what becomes of ticks."""

    def __init__(self, store: Store, table: str) -> None:
        self._store = store
        self._table = table

    def serve(self, timetable: Timetable, names: Iterable[str], *, now: datetime) -> list[Tick]:
        """Decide all due ticks of these entries in one commit; return those decided here.

        A tick that is in the file already was decided by somebody else, or before the clock was set
        back: it is left as it is, and makes no job unless it was missed then. So is all of an entry that
        another table has by now: it took over when our file was gone.
        """
        with self._store.group():
            return [tick for name in names for tick in self._serve(timetable, name, now)]

    def serve_pending(self, timetable: Timetable, *, now: datetime) -> bool:
        """Let ticks that waited for the end of a job become jobs, one for each entry that is free.

        Return whether any were found.
        """
        ours = {row.name for row in self._store.entries.rows(self._table)}
        names = dict.fromkeys(tick.entry for tick in self._store.ticks.pending() if tick.entry in ours)
        for name in names:
            with self._store.group():
                self._advance(timetable.entries.get(name), name, now)
        return bool(names)

    def serve_boot(self, timetable: Timetable, names: Iterable[str], boot_id: str, *, now: datetime) -> None:
        """Run what is to run once for each boot, unless this boot has seen it."""
        for name in names:
            with self._store.group():
                row = self._store.entries.get(name)
                if row is not None and row.boot_id != boot_id:
                    self._store.entries.saw_boot(name, boot_id)
                    tick = Occurrence(at=now, local=now)
                    self._decide(timetable.entries[name], row, Due(recent=(tick,)), now)

    def _serve(self, timetable: Timetable, name: str, now: datetime) -> list[Tick]:
        entry, row = timetable.entries[name], self._store.entries.get(name)
        assert row is not None, "an entry is loaded before it is served"
        if row.table != self._table:
            return []
        due = due_ticks(
            partial(timetable.after, name),
            since=row.done_until,
            now=now,
            window=partial(window_s, entry),
        )
        return self._decide(entry, row, self._without_told(timetable, name, due), now)

    def _without_told(self, timetable: Timetable, name: str, due: Due) -> Due:
        """Leave out of the older ticks those that have rows, from before the clock was set back."""
        untold: list[NewTick] = []
        for each in due.older:
            told = self._store.ticks.told(name, each.at, each.end)
            untold += between(partial(timetable.after, name), each, told) if told else [each]
        return replace(due, older=tuple(untold))

    def _decide(self, entry: Entry, row: EntryRow, due: Due, now: datetime) -> list[Tick]:
        name = entry.name
        waiting = self._store.ticks.pending(name)
        live = self._store.ticks.live_jobs(name, now=now)
        situation = Situation(now=now, row=row, live=live, has_pending=bool(waiting))
        verdicts = decide(entry, due, situation)
        found = [self._store.ticks.record(name, verdict, now=now) for verdict in verdicts]
        decided = [tick for tick in found if tick is not None]
        pending = sum(tick.state is TickState.PENDING for tick in decided)
        if pending:
            most = MOST_CAUGHT_UP if entry.catchup is Catchup.ALL else 1
            self._drop(waiting[: max(len(waiting) + pending - most, 0)], "a newer tick took its place", now)
            self._end_replaced(entry, live, now)
        if verdicts:
            self._store.entries.advance(name, done_until=max(tick.end for tick in verdicts))
        return decided

    def _end_replaced(self, entry: Entry, live: Iterable[int], now: datetime) -> None:
        if entry.overlap is Overlap.REPLACE:
            for job_id in live:
                self._store.orders.cancel(job_id, now=now)

    def _advance(self, entry: Entry | None, name: str, now: datetime) -> None:
        waiting = self._store.ticks.pending(name)
        row = self._store.entries.get(name)
        if entry is None or not entry.is_enabled:
            self._drop(waiting, "its entry was removed or disabled", now)
        elif row is not None and row.is_paused_at(now):
            self._drop(waiting, "its entry was paused while it waited", now)
        elif waiting and not self._store.ticks.live_jobs(name, now=now):
            first = waiting[0]
            is_catchup = is_made_up(first.at, decided_at=first.decided_at)
            job = job_of(entry, at=first.at, run_at=now, is_catchup=is_catchup)
            self._store.ticks.promote_pending(name, first.at, job, now=now)

    def _drop(self, ticks: Iterable[Tick], reason: str, now: datetime) -> None:
        for tick in ticks:
            self._store.ticks.drop_pending(tick.entry, tick.at, reason=reason, now=now)
