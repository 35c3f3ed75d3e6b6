"""Which job file a command means, opened."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import typer

from jobrun.paths import default_path
from jobrun.store import Store, open_store


def job_file(ctx: typer.Context) -> Path:
    """Return the file that --db, JOBRUN_DB or the home of the user names."""
    named: Path | None = ctx.obj
    return named or default_path(os.environ, is_root=os.geteuid() == 0)


def opened(ctx: typer.Context) -> Store:
    """Open the job file, which must be there: looking never makes one."""
    return open_store(job_file(ctx))


def utc_now() -> datetime:
    return datetime.now(UTC)
