"""systemd: unit files, printed and not installed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer

from jobrun.cli import options
from jobrun.cli.render import line
from jobrun.cli.unitfiles import Service, Wanted, unit_file
from jobrun.errors import UsageError


def systemd(
    ctx: typer.Context,
    *,
    service: options.AService,
    file: options.ServiceTable = None,
    is_user: options.OfUser = False,
) -> int:
    """Print a unit file for systemd; `./install.sh --systemd` installs it.

    --db or JOBRUN_DB names the job file of the service, where it is not the usual one.
    """
    if file is not None and service is not Service.CRON:
        raise UsageError(
            f"{service} takes no table", hint="`jobrun systemd cron FILE` is the service that follows one"
        )
    job_file: Path | str | None = ctx.obj or os.environ.get("JOBRUN_DB")
    wanted = Wanted(
        service=service,
        program=_program(sys.argv[0]),
        table=_absolute(file),
        job_file=_absolute(job_file),
        is_user=is_user,
    )
    line(unit_file(wanted).rstrip("\n"))
    return 0


def _program(called: str) -> list[str]:
    """Return how jobrun is called: by the name used now, which may be a link that outlives an update."""
    if called.endswith(".py"):
        return [sys.executable, "-m", "jobrun"]
    return [os.fspath(Path(called).absolute())]


def _absolute(path: Path | str | None) -> str | None:
    return os.fspath(Path(path).absolute()) if path else None
