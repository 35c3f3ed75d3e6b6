"""Deciding due ticks: what `cron.verdicts` says of them and the jobs it asks for are one commit."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial

from jobrun.cron.due import Due, due_ticks
from jobrun.cron.jobs import job_of
from jobrun.cron.verdicts import Situation, decide, window_s
from jobrun.cron.words import Catchup, Entry, EntryRow, Occurrence, Overlap, Tick, TickState
from jobrun.scheduler.timetable import Timetable
from jobrun.store import Store


class Serving:
    """The hand of a scheduler: reads how things stand and writes what becomes of ticks."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def serve(self, timetable: Timetable, names: Iterable[str], *, now: datetime) -> list[Tick]:
        """Decide all due ticks of these entries in one commit; return those decided here.

        A tick that is in the file already was decided by somebody else, or before the clock was set
        back: it is left as it is, and makes no job.
        """
        with self._store.group():
            return [tick for name in names for tick in self._serve(timetable, name, now)]

    def serve_pending(self, timetable: Timetable, table: str, *, now: datetime) -> bool:
        """Let ticks that waited for the end of a job become jobs, one for each entry that is free.

        Return whether any were found.
        """
        ours = {row.name for row in self._store.entries.rows(table)} | timetable.entries.keys()
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
        due = due_ticks(
            partial(timetable.after, name),
            since=row.done_until,
            now=now,
            window=partial(window_s, entry),
        )
        return self._decide(entry, row, due, now)

    def _decide(self, entry: Entry, row: EntryRow, due: Due, now: datetime) -> list[Tick]:
        name = entry.name
        waiting = self._store.ticks.pending(name)
        live = self._store.ticks.live_jobs(name)
        situation = Situation(now=now, row=row, live=live, has_pending=bool(waiting))
        verdicts = decide(entry, due, situation)
        found = [self._store.ticks.record(name, verdict, now=now) for verdict in verdicts]
        decided = [tick for tick in found if tick is not None]
        if any(tick.state is TickState.PENDING for tick in decided):
            self._make_way(entry, waiting, live, now)
        if verdicts:
            self._store.entries.advance(name, done_until=max(tick.last or tick.at for tick in verdicts))
        return decided

    def _make_way(self, entry: Entry, waiting: Iterable[Tick], live: Iterable[int], now: datetime) -> None:
        """Let the newest tick alone wait; end what it is to replace."""
        if entry.catchup is not Catchup.ALL:
            for tick in waiting:
                self._store.ticks.drop_pending(
                    entry.name, tick.at, reason="a newer tick took its place", in_way=tick.in_way, now=now
                )
        if entry.overlap is Overlap.REPLACE:
            for job_id in live:
                self._store.orders.cancel(job_id, now=now)

    def _advance(self, entry: Entry | None, name: str, now: datetime) -> None:
        waiting = self._store.ticks.pending(name)
        if entry is None or not entry.is_enabled:
            for tick in waiting:
                self._store.ticks.drop_pending(
                    name, tick.at, reason="its entry was removed or disabled", in_way=tick.in_way, now=now
                )
        elif waiting and not self._store.ticks.live_jobs(name):
            job = job_of(entry, at=waiting[0].at, run_at=now)
            self._store.ticks.promote_pending(name, waiting[0].at, job, now=now)
