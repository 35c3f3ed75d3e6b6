"""Which job file and which table a command means, opened."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from jobrun.actions import entries
from jobrun.cli.caller import zone
from jobrun.cron.words import Entry, EntryRow
from jobrun.paths import default_path
from jobrun.store import Store, open_store, store_exists

if TYPE_CHECKING:
    from jobrun.table import Table


def job_file(ctx: typer.Context) -> Path:
    """Return the file that --db, JOBRUN_DB or the home of the user names."""
    named: Path | None = ctx.obj
    return named or default_path(os.environ, is_root=os.geteuid() == 0)


def opened(ctx: typer.Context) -> Store:
    """Open the job file, which must be there: looking never makes one."""
    return open_store(job_file(ctx))


def table_at(file: Path) -> Table:
    """Read a table as a scheduler of this caller would. Raises `UsageError` with all that is wrong."""
    from jobrun.table import read_table  # noqa: PLC0415 -- most commands need no table

    here = zone()
    return read_table(file, local=here, local_name=str(here), environ=os.environ)


def entry_in(table: Table, name: str) -> Entry:
    """Return the entry of a table that has this name. Raises `NotDone`."""
    by_name = {entry.name: entry for entry in table.entries}
    if name not in by_name:
        raise entries.no_entry(name, by_name, table.path)
    return by_name[name]


def known_entries(ctx: typer.Context) -> Mapping[str, EntryRow]:
    """Return what the job file knows of entries; nothing when there is no such file."""
    if not store_exists(job_file(ctx)):
        return {}
    with opened(ctx) as store:
        return entries.known(store)


def utc_now() -> datetime:
    return datetime.now(UTC)
