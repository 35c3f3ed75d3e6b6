"""alerts: what the tables of a job file watch over, and what is wrong just now."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from jobrun.actions import alerts as acts
from jobrun.cli import alertpages, jsonout, options, render
from jobrun.cli.place import job_file, opened, utc_now
from jobrun.cli.readers import entry_name
from jobrun.errors import UsageError
from jobrun.model import DEFAULT_QUEUE
from jobrun.store import Store

Test = Annotated[
    str | None,
    typer.Option("--test", metavar="NAME", parser=entry_name, help="Tell this alert once, here and now."),
]


def alerts(
    ctx: typer.Context,
    *,
    test: Test = None,
    paths: options.ImportPaths = None,
    as_json: options.AsJson = False,
) -> int:
    """Show the alerts: which fire, what is measured, and what was told last.

    A table asks for them, each in a section [alerts.NAME].
    """
    if test is not None:
        if as_json:
            raise UsageError("--test shows what the alert prints, and takes no --json")
        return _test(ctx, test, tuple(map(os.fspath, paths or ())))
    if paths:
        raise UsageError("--path is for --test; otherwise workers run what tells, each with its own")
    now = utc_now()
    with opened(ctx) as store:
        found = acts.alerts(store, now=now)
    if as_json:
        render.line(jsonout.array([alertpages.alert_object(view) for view in found]))
        return 0
    if not found:
        render.remark(
            "no table that is scheduled here has alerts; `man jobrun.toml` says how to ask for them"
        )
        return 0
    alertpages.alerts(found, now)
    _tell_unwatched(found)
    return 0


def _tell_unwatched(found: Sequence[acts.AlertView]) -> None:
    for table in sorted({view.row.table for view in found if not view.has_scheduler}):
        render.remark(f"nobody looks at them: no scheduler serves `{table}`; start one with `jobrun cron`")


def _test(ctx: typer.Context, name: str, import_paths: tuple[str, ...]) -> int:
    from jobrun.cli.foreground import run_added  # noqa: PLC0415 -- only here a group of workers is needed

    path: Path = job_file(ctx)
    with opened(ctx) as store:
        row = acts.check_can_test(store, name)

    def add(store: Store, queue: str, expires_at: datetime) -> int:
        return acts.test(store, row, queue=queue, expires_at=expires_at, now=utc_now())

    return run_added(path, DEFAULT_QUEUE, add, import_paths=import_paths)
