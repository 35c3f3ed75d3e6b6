"""metrics: all numbers of the job file for Prometheus."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from jobrun.actions import metrics as actions
from jobrun.actions import saving, writing
from jobrun.cli.place import opened, utc_now
from jobrun.errors import NotDone

TextFile = Annotated[
    Path | None,
    typer.Option("--textfile", metavar="FILE", help="Write FILE in one step, for node_exporter to collect."),
]


def metrics(ctx: typer.Context, *, textfile: TextFile = None) -> int:
    """Print all numbers of the job file in the text format of Prometheus.

    Counters go on over all that is purged. A file of --textfile can be read by everybody; if it cannot be
    written, the old one stays.
    """
    try:
        from jobrun.cli import prometheus  # noqa: PLC0415 -- its library is an extra
    except ModuleNotFoundError as error:
        if error.name != "prometheus_client":
            raise
        hint = f"`{sys.executable} -m pip install prometheus_client` adds it to this jobrun"
        raise NotDone("the Python library prometheus_client is not installed", hint=hint) from None
    with opened(ctx) as store:
        if textfile is not None:
            saving.check_is_not_ours(store, textfile)
        text = prometheus.text(actions.snapshot(store, now=utc_now()))
    if textfile is not None:
        writing.put(textfile, text)
    else:
        sys.stdout.buffer.write(text)  # UTF-8 by its definition, whatever the locale
    return 0
