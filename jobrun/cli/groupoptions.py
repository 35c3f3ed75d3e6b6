"""The options of those verbs that start a group of workers, besides those they share with others."""

from __future__ import annotations

from typing import Annotated

import typer

from jobrun.cli.readers import whole
from jobrun.errors import UsageError
from jobrun.log import Form
from jobrun.units import parse_size

MOST_JOBS = 10**9
MOST_CRASHES = 1000  # more than a job has attempts


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
MaxCrashes = Annotated[
    int | None,
    typer.Option(
        "--max-crashes",
        metavar="N",
        parser=whole("--max-crashes", MOST_CRASHES),
        help="Park a job whose worker died N times in a row; default: 3.",
    ),
]
LogForm = Annotated[
    Form | None,
    typer.Option("--log", metavar="FORM", parser=_form, help="Write the log as text or json."),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log the begin and the end of every job.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Log troubles only.")]
