"""trigger, pause, resume: what a person does about entries of a table."""

from __future__ import annotations

import os

import typer

from jobrun.actions import entries
from jobrun.cli import jsonout, jsonviews, options, render
from jobrun.cli.answers import answer_with, uninterrupted
from jobrun.cli.commands.pausing import end_of
from jobrun.cli.enqueue import describe, tell_created
from jobrun.cli.human import both
from jobrun.cli.place import entry_in, job_file, opened, table_at, utc_now
from jobrun.cli.waiting import wait_and_exit
from jobrun.cron.jobs import job_of
from jobrun.cron.words import Entry, EntryRow
from jobrun.errors import UsageError
from jobrun.store import Store, open_store


def trigger(  # noqa: PLR0913 -- each option is a parameter
    ctx: typer.Context,
    *,
    file: options.TableFile,
    name: options.EntryName,
    foreground: options.Foreground = False,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
    wait: options.Wait = False,
    paths: options.ImportPaths = None,
) -> int:
    """Run an entry now, whatever its schedule says.

    A job of it that still waits or runs is in the way, unless the entry has overlap = "allow".
    """
    if foreground and (quiet or as_json or wait):
        raise UsageError("--fg shows what the job prints, and takes no --quiet, --json or --wait")
    if paths and not foreground:
        raise UsageError("--path is for --fg; otherwise workers run the job, each with its own")
    if quiet and as_json:
        raise UsageError("--quiet and --json are two answers; choose one")
    entry = entry_in(table_at(file), name)
    if foreground:
        from jobrun.cli.foreground import run_here  # noqa: PLC0415 -- only here a group of workers is needed

        return run_here(job_file(ctx), entry, import_paths=tuple(map(os.fspath, paths or ())))
    with uninterrupted(), open_store(job_file(ctx), create=True) as store:
        tell_created(store)
        job_id = entries.trigger(store, entry, now=utc_now())
        answer_with(_answer(store, entry, job_id, quiet=quiet, as_json=as_json), f"job {job_id} is queued")
    return wait_and_exit(job_file(ctx), job_id, follow=False) if wait else 0


def pause(
    ctx: typer.Context,
    *,
    name: options.EntryName,
    span: options.For = None,
    until: options.Until = None,
    as_json: options.AsJson = False,
) -> int:
    """Let the runs of an entry pass by.

    It ends by itself with --for or --until, else with `jobrun cron resume`. What runs goes on.
    """
    now = utc_now()
    end = end_of(span, until, now)
    with opened(ctx) as store:
        row = entries.pause(store, name, until=end, now=now)
    how = f"until {both(end, now)}" if end else f"until `jobrun cron resume {name}`"
    return _report(row, f"{name} is paused {how}", as_json=as_json)


def resume(ctx: typer.Context, *, name: options.EntryName, as_json: options.AsJson = False) -> int:
    """End the pause of an entry; nothing that passed by is made up."""
    with opened(ctx) as store:
        row = entries.resume(store, name, now=utc_now())
    return _report(row, f"{name} goes on", as_json=as_json)


def _answer(store: Store, entry: Entry, job_id: int, *, quiet: bool, as_json: bool) -> str:
    if quiet:
        return str(job_id)
    if as_json:
        job = store.ledger.get(job_id)
        return "null" if job is None else jsonout.dump(jsonout.job_object(job))
    told = describe(job_of(entry, at=None, run_at=None))
    return f"job {job_id} queued: {entry.name}: {told} on {entry.queue}, due now"


def _report(row: EntryRow, text: str, *, as_json: bool) -> int:
    render.line(jsonout.dump(jsonviews.entry_object(row, utc_now())) if as_json else text)
    return 0
