"""worker and cron run: run jobs, make them from a table, or both."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from jobrun.cli import options
from jobrun.cli.groupoptions import LogForm, MaxCrashes, MaxJobs, MaxMemory, Quiet, Verbose
from jobrun.cli.place import job_file
from jobrun.durability import FULL
from jobrun.errors import UsageError
from jobrun.log import Form, Level, Style, adopt, is_journal
from jobrun.model import MAX_CRASHES

DRAIN_S = 30.0
GRACE_S = 10.0


def worker(  # noqa: PLR0913 -- each option is a parameter
    ctx: typer.Context,
    *,
    workers: options.Workers = None,
    queues: options.Queues = None,
    burst: options.Burst = False,
    cron: options.CronTable = None,
    drain: options.Drain = None,
    grace: options.Grace = None,
    keep: options.Keep = None,
    durability: options.Durability = FULL,
    max_jobs: MaxJobs = None,
    max_memory: MaxMemory = None,
    max_crashes: MaxCrashes = None,
    log: LogForm = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    paths: options.ImportPaths = None,
) -> int:
    """Run jobs until told to stop.

    TERM or INT lets the running jobs end (--drain), a second one hurries, QUIT prints stacks. With
    --cron, HUP reads the table again.
    """
    if burst and cron is not None:
        raise UsageError("--burst leaves when nothing is due, and a table always has something to come")
    _adopt(log, verbose=verbose, quiet=quiet)
    return _run(
        ctx,
        workers=workers,
        queues=queues,
        burst=burst,
        table=cron,
        times=(drain, grace, keep),
        span=(max_jobs, max_memory),
        max_crashes=max_crashes,
        durability=durability,
        paths=paths,
    )


def cron(  # noqa: PLR0913 -- each option is a parameter
    ctx: typer.Context,
    *,
    file: options.TableFile,
    workers: options.CronWorkers = None,
    queues: options.Queues = None,
    drain: options.Drain = None,
    grace: options.Grace = None,
    keep: options.Keep = None,
    durability: options.Durability = FULL,
    max_jobs: MaxJobs = None,
    max_memory: MaxMemory = None,
    max_crashes: MaxCrashes = None,
    log: LogForm = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    paths: options.ImportPaths = None,
) -> int:
    """Make jobs of a table when they fall due, and run them, until told to stop.

    The table is read again when it changes, and on HUP; with any error in it, it is kept as it was.
    """
    _adopt(log, verbose=verbose, quiet=quiet)
    return _run(
        ctx,
        workers=workers,
        queues=queues,
        burst=False,
        table=file,
        times=(drain, grace, keep),
        span=(max_jobs, max_memory),
        max_crashes=max_crashes,
        durability=durability,
        paths=paths,
    )


def _adopt(form: Form | None, *, verbose: bool, quiet: bool) -> None:
    """Let the group write its log as asked."""
    if verbose and quiet:
        raise UsageError("--verbose and --quiet exclude each other")
    most = Level.DEBUG if verbose else Level.WARNING if quiet else Level.INFO
    adopt(Style(form=form or Form.TEXT, most=most, is_journal=is_journal(os.environ)))


def _run(  # noqa: PLR0913 -- what both verbs have
    ctx: typer.Context,
    *,
    workers: int | None,
    queues: list[str] | None,
    burst: bool,
    table: Path | None,
    times: tuple[float | None, float | None, float | None],
    span: tuple[int | None, int | None],
    max_crashes: int | None,
    durability: str,
    paths: list[Path] | None,
) -> int:
    from jobrun.supervisor import Settings, run  # noqa: PLC0415 -- only these verbs need the house
    from jobrun.worker.wear import Span  # noqa: PLC0415

    drain, grace, keep = times
    settings = Settings(
        path=job_file(ctx).absolute(),
        workers=(os.cpu_count() or 1) if workers is None else workers,
        queues=tuple(dict.fromkeys(queues or ())),
        burst=burst,
        drain_s=DRAIN_S if drain is None else drain,
        grace_s=GRACE_S if grace is None else grace,
        keep_s=keep,
        import_paths=tuple(os.fspath(path) for path in paths or ()),
        table=None if table is None else table.absolute(),
        durability=durability,
        max_crashes=MAX_CRASHES if max_crashes is None else max_crashes,
        good_for=Span(jobs=span[0], memory=span[1]),
    )
    if settings.table is None:
        return run(settings)
    from jobrun.supervisor.clock import scheduler_of  # noqa: PLC0415 -- croniter is for tables alone

    return run(settings, scheduler_of(settings.table, settings.path, durability=durability))
