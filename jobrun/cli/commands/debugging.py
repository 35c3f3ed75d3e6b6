"""debug: run a job again before one's eyes, with all that its attempt had, and without a trace in the job file."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from jobrun.actions import looking
from jobrun.actions.reordering import order_again
from jobrun.cli import options, render
from jobrun.cli.place import job_file, opened
from jobrun.errors import UsageError
from jobrun.model import Job, Kind, State
from jobrun.run.again import Debugger, Trial, argv
from jobrun.run.trust import check_import_paths
from jobrun.units import parse_duration
from jobrun.wire.messages import Run
from jobrun.wire.packing import pack

OnError = Annotated[
    bool, typer.Option("--pdb", help="Look at an error of a call in pdb, where it was raised.")
]
AtStart = Annotated[bool, typer.Option("--break", help="Stop in pdb at the first line of the function.")]
TimeLimit = Annotated[
    float | None,
    typer.Option(
        "--timeout", metavar="DUR", parser=parse_duration, help="Stop it after DUR (default: never)."
    ),
]


def debug(  # noqa: PLR0913 -- each option is a parameter
    ctx: typer.Context,
    *,
    job_id: options.AJobId,
    on_error: OnError = False,
    at_start: AtStart = False,
    timeout: TimeLimit = None,
    paths: options.ImportPaths = None,
) -> int:
    """Run a job again, here and now, and leave its record as it is.

    It has the arguments, directory and variables of its attempt, and your terminal. The exit code is 0
    if it went well, else 1.
    """
    if on_error and at_start:
        raise UsageError("--pdb and --break exclude each other", hint="--break is a debugger, too")
    with opened(ctx) as store:
        job = looking.get(store, job_id)
        order = order_again(store, job)
    order = replace(order, variables={**order.variables, "JOBRUN_DEBUG": "1"})
    debugger = Debugger.AT_START if at_start else Debugger.ON_ERROR if on_error else Debugger.NEVER
    if job.kind is not Kind.CALL and debugger is not Debugger.NEVER:
        raise UsageError(f"job {job.id} is no Python call, so there is nothing for pdb")
    trial = Trial(
        job_file=job_file(ctx).absolute(),
        debugger=debugger,
        timeout_s=timeout,
        import_paths=_import_paths(job, paths),
    )
    now = f"is {job.state} meanwhile, and " if job.state is State.RUNNING else ""
    render.remark(f"[job {job.id} {now}runs here again; its record stays as it is]")
    return _become(order, trial)


def _import_paths(job: Job, asked: list[Path] | None) -> tuple[str, ...]:
    if job.kind is not Kind.CALL:
        return ()
    return check_import_paths([os.fspath(path) for path in asked or ()], warn=render.remark)


def _become(order: Run, trial: Trial) -> int:
    """Turn this process, whose store is closed, into one that runs what users wrote."""
    fd = os.memfd_create("order", 0)  # inherited
    os.write(fd, pack(order))
    os.lseek(fd, 0, os.SEEK_SET)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.execv(sys.executable, argv(fd, trial))  # noqa: S606 -- no shell is wanted
    raise AssertionError("a process that has become another one does not return")
