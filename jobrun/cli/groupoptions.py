"""The options of those verbs that start a group of workers, besides those they share with others."""

from __future__ import annotations

from typing import Annotated

import typer

from jobrun.cli.readers import whole
from jobrun.units import parse_size

MOST_JOBS = 10**9

MaxJobs = Annotated[
    int | None,
    typer.Option(
        "--max-jobs",
        metavar="N",
        parser=whole("--max-jobs", MOST_JOBS),
        help="Replace each worker after N jobs.",
    ),
]
MaxMemory = Annotated[
    int | None,
    typer.Option(
        "--max-memory",
        metavar="SIZE",
        parser=parse_size,
        help="Replace a worker that has grown over SIZE, as 500M.",
    ),
]
