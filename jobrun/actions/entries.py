"""Entries of a table by a person's hand: run one now, let it rest, let it go on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import NoReturn

from jobrun.cron.jobs import job_of
from jobrun.cron.words import Entry, EntryRow, NewTick, Overlap, TickState
from jobrun.errors import NotDone, meant
from jobrun.store import Store
from jobrun.units import MILLISECOND


def trigger(store: Store, entry: Entry, *, now: datetime, expires_at: datetime | None = None) -> int:
    """Add a job of an entry that is due now, and return its id.

    The job and a tick that says who asked for it are one commit. Raises `NotDone` when a job of the
    entry is live, unless the entry allows several.
    """
    job = replace(job_of(entry, at=None, run_at=now), expires_at=expires_at)
    # A schedule falls due at whole seconds, and a tick of a person must not take its place.
    at = max(now, now.replace(microsecond=0) + MILLISECOND)
    asked = NewTick(at=at, state=TickState.RAN, job=job, reason="triggered by a person")
    with store.group():
        live = store.ticks.live_jobs(entry.name, now=now)
        if live and entry.overlap is not Overlap.ALLOW:
            raise NotDone(f"`{entry.name}` runs already as job {live[0]}; not triggered")
        tick = store.ticks.record(entry.name, asked, now=now)
    if tick is None or tick.job_id is None:
        raise NotDone(f"`{entry.name}` was triggered in this millisecond; not triggered again")
    return tick.job_id


def pause(store: Store, name: str, *, until: datetime | None, now: datetime) -> EntryRow:
    """Let the ticks of an entry pass by until an instant, or until somebody resumes it."""
    return store.entries.pause(name, until=until, now=now) or _unknown(store, name)


def resume(store: Store, name: str, *, now: datetime) -> EntryRow:
    """End the pause of an entry. Raises `NotDone` when there is none."""
    if not entry_of(store, name).is_paused_at(now):
        raise NotDone(f"`{name}` is not paused")
    return store.entries.resume(name, now=now) or _unknown(store, name)


def entry_of(store: Store, name: str) -> EntryRow:
    """Return what the job file knows of an entry, also of one that was removed. Raises `NotDone`."""
    return store.entries.get(name) or _unknown(store, name)


def known(store: Store) -> Mapping[str, EntryRow]:
    """Return what the job file knows of the entries of all tables, by their names."""
    return {row.name: row for row in store.entries.rows()}


def no_entry(name: str, names: Iterable[str], place: object, *, otherwise: str | None = None) -> NotDone:
    """Return the error that says there is no such entry, with the name that was meant, if one is near."""
    return NotDone(f"no entry `{name}` in `{place}`", hint=meant(name, names, otherwise))


def _unknown(store: Store, name: str) -> NoReturn:
    hint = "`jobrun cron FILE` loads a table; only then its entries are known here"
    raise no_entry(name, known(store), store.path, otherwise=hint)
