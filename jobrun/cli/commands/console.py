"""top: the job file on a live screen."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from jobrun.cli import jsonout, options, render
from jobrun.cli.place import job_file, utc_now
from jobrun.errors import UsageError
from jobrun.units import parse_duration

INTERVAL_S = 2.0
LEAST_S = 0.5

Once = Annotated[bool, typer.Option("--once", help="Print everything once, and leave.")]
Interval = Annotated[
    float | None,
    typer.Option(
        "--interval", metavar="DUR", parser=parse_duration, help="Look again after DUR (default 2s)."
    ),
]


def top(
    ctx: typer.Context, *, interval: Interval = None, once: Once = False, as_json: options.AsJson = False
) -> int:
    """Show on a live screen what runs, waits, failed and comes next.

    Keys move, open what a job prints, cancel, retry, pause a queue; ? names them, q leaves. It is no
    burden to the job file: what is long to count is counted seldom.
    """
    from jobrun.cli.top import glance, session  # noqa: PLC0415 -- only this verb needs rich before it prints

    if interval is not None and interval < LEAST_S:
        raise UsageError(f"--interval is {LEAST_S:g}s at least")
    if once or as_json:
        sight = glance.look(job_file(ctx), utc_now())
        if as_json:
            render.line(jsonout.dump(glance.picture_object(sight.picture, sight.coming)))
        else:
            sys.stdout.write(glance.text(sight))
        return 0
    return session.watch(job_file(ctx), INTERVAL_S if interval is None else interval)
