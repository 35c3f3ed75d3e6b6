"""The options of those verbs that start a group of workers, besides those they share with others."""

from __future__ import annotations

from typing import Annotated

import typer

from jobrun.cli.readers import whole
from jobrun.errors import UsageError
from jobrun.log import Form
from jobrun.units import parse_size

MOST_JOBS = 10**9


def _form(text: str) -> Form:
    try:
        return Form(text)
    except ValueError:
        raise UsageError(f"bad form of the log `{text}`", hint="forms: text, json") from None


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
LogForm = Annotated[
    Form | None,
    typer.Option("--log", metavar="FORM", parser=_form, help="Write the log as text or json."),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log the begin and the end of every job.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Log troubles only.")]
