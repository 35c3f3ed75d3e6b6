"""worker: run jobs."""

from __future__ import annotations

import os

import typer

from jobrun.cli import options
from jobrun.cli.place import job_file

DRAIN_S = 30.0
GRACE_S = 10.0


def worker(  # noqa: PLR0913 -- each option is a parameter
    ctx: typer.Context,
    *,
    workers: options.Workers = None,
    queues: options.Queues = None,
    burst: options.Burst = False,
    drain: options.Drain = None,
    grace: options.Grace = None,
    paths: options.ImportPaths = None,
) -> int:
    """Run jobs until told to stop.

    TERM or INT lets the running jobs end (--drain), a second one hurries, QUIT prints stacks.
    """
    from jobrun.supervisor import Settings, run  # noqa: PLC0415 -- only this verb needs the house

    return run(
        Settings(
            path=job_file(ctx),
            workers=workers or os.cpu_count() or 1,
            queues=tuple(dict.fromkeys(queues or ())),
            burst=burst,
            drain_s=DRAIN_S if drain is None else drain,
            grace_s=GRACE_S if grace is None else grace,
            import_paths=tuple(os.fspath(path) for path in paths or ()),
        )
    )
