"""health: one line and an exit code for monitors and probes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from jobrun.actions import health as actions
from jobrun.cli import jsonout, options, plugin, render
from jobrun.cli.place import opened, table_at, utc_now
from jobrun.cli.readers import queue_name, whole
from jobrun.errors import UsageError
from jobrun.health import Thresholds, judge
from jobrun.units import parse_duration

MOST = 10**9
OF_THE_FILE = ("max_failed", "warn_failed", "max_missed", "warn_missed", "min_schedulers", "since")


def _number(name: str, told: str) -> Any:
    return typer.Option(name, metavar="N", parser=whole(name, MOST, least=0), help=told)


def _span(name: str, told: str) -> Any:
    return typer.Option(name, metavar="DUR", parser=parse_duration, help=told)


Number = int | None
Span = float | None

MaxDepth = Annotated[Number, _number("--max-depth", "Critical: more than N jobs ready.")]
WarnDepth = Annotated[Number, _number("--warn-depth", "Warning: more than N jobs ready.")]
MaxWait = Annotated[Span, _span("--max-wait", "Critical: a job that could run has waited longer than DUR.")]
WarnWait = Annotated[Span, _span("--warn-wait", "Warning: it has waited longer than DUR.")]
MaxFailed = Annotated[Number, _number("--max-failed", "Critical: more than N failed or crashed jobs kept.")]
WarnFailed = Annotated[Number, _number("--warn-failed", "Warning: more than N of them.")]
MaxMissed = Annotated[Number, _number("--max-missed", "Critical: more than N ticks missed.")]
WarnMissed = Annotated[Number, _number("--warn-missed", "Warning: more than N of them.")]
Since = Annotated[Span, _span("--since", "Ticks missed in the last DUR (default 1d).")]
MinWorkers = Annotated[
    Number,
    _number("--min-workers", "Critical: fewer than N workers live; 0: jobs may wait without any."),
]
WarnWorkers = Annotated[Number, _number("--warn-workers", "Warning: fewer than N workers live.")]
MinSchedulers = Annotated[
    Number,
    _number("--min-schedulers", "Critical: fewer than N tables are scheduled; 0: any table may lie idle."),
]
OneQueue = Annotated[
    str | None,
    typer.Option(
        "--queue",
        "-Q",
        metavar="QUEUE",
        parser=queue_name,
        help="This queue alone: its depth, wait and workers.",
    ),
]
TableFile = Annotated[
    Path | None,
    typer.Option(
        "--table",
        metavar="FILE",
        help="Thresholds of this table, not those that schedulers took from theirs.",
    ),
]


def health(  # noqa: PLR0913 -- each option is a parameter
    ctx: typer.Context,
    *,
    max_depth: MaxDepth = None,
    warn_depth: WarnDepth = None,
    max_wait: MaxWait = None,
    warn_wait: WarnWait = None,
    max_failed: MaxFailed = None,
    warn_failed: WarnFailed = None,
    max_missed: MaxMissed = None,
    warn_missed: WarnMissed = None,
    since: Since = None,
    min_workers: MinWorkers = None,
    warn_workers: WarnWorkers = None,
    min_schedulers: MinSchedulers = None,
    queue: OneQueue = None,
    table: TableFile = None,
    as_json: options.AsJson = False,
) -> int:
    """Say in one line whether all is well, for monitors and probes.

    The exit code is 0 for OK, 1 for a warning, 2 for critical and 3 for any error of jobrun itself.
    It is critical that jobs have waited a minute while no worker serves their queue, and that nobody
    schedules a table. All else needs a threshold: an option, or else [health] in the table.
    """
    given = Thresholds(
        max_depth=max_depth,
        warn_depth=warn_depth,
        max_wait=max_wait,
        warn_wait=warn_wait,
        max_failed=max_failed,
        warn_failed=warn_failed,
        max_missed=max_missed,
        warn_missed=warn_missed,
        min_workers=min_workers,
        warn_workers=warn_workers,
        min_schedulers=min_schedulers,
        since=since,
    )
    if queue is not None:
        _refuse_of_the_file(given)
    if table is not None:
        given = given.over(actions.of_section(table_at(table).sections.get(actions.SECTION, {})))
    return _answer(ctx, given, queue, is_all=table is not None, as_json=as_json)


def _answer(ctx: typer.Context, given: Thresholds, queue: str | None, *, is_all: bool, as_json: bool) -> int:
    """Print the verdict by these thresholds; unless they are all, by those that schedulers took, too."""
    with opened(ctx) as store:
        limits = given if is_all else given.over(actions.thresholds(store))
        now = utc_now()
        found = judge(actions.vitals(store, since_s=limits.since_s, now=now), limits, queue=queue)
    if as_json:
        render.line(jsonout.dump(plugin.health_object(found, queue=queue, at=now)))
    elif sys.stdout.isatty():
        render.paragraph(plugin.verdict(found))
    else:
        render.line(plugin.line(found))
    return int(found.level)


def _refuse_of_the_file(given: Thresholds) -> None:
    for name in OF_THE_FILE:
        if getattr(given, name) is not None:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} is about the whole job file, so -Q does not go with it")
