"""db export, db import: job files as lines of JSON."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from jobrun.actions import exchange, saving
from jobrun.actions.exchange import Imported, Source
from jobrun.cli import jsonout, options, render
from jobrun.cli.caller import check_input
from jobrun.cli.commands.looking import job_filter
from jobrun.cli.place import job_file, opened, utc_now
from jobrun.cli.safe import safe_line
from jobrun.errors import UsageError
from jobrun.model import JobFilter
from jobrun.store import Store, copying
from jobrun.store.exporting import Wanted
from jobrun.store.importing import Choice
from jobrun.units import plural

STDIO = "-"
_encode = json.JSONEncoder(separators=(",", ":")).encode


class Running(StrEnum):
    """What becomes of jobs that ran when they were exported."""

    PARK = "park"
    READY = "ready"


def _running(text: str) -> Running:
    try:
        return Running(text)
    except ValueError:
        raise UsageError(f"--running is park or ready, not `{text}`") from None


Target = Annotated[
    str, typer.Argument(metavar="[FILE]", show_default=False, help="What to write (default: -, stdout).")
]
Replace = Annotated[bool, typer.Option("--replace", help="Write it anew if it is there.")]
WithEnvironments = Annotated[
    bool,
    typer.Option(
        "--with-environments", help="What jobs have in their environment, too: secrets, as they are."
    ),
]
From = Annotated[str, typer.Argument(metavar="FILE", help="What to read; - for stdin.")]
Merge = Annotated[bool, typer.Option("--merge", help="Into a file that has jobs: add these, with new ids.")]
WhatRan = Annotated[
    Running,
    typer.Option(
        "--running",
        metavar="park|ready",
        parser=_running,
        show_default=False,
        help="Jobs that ran there: park them as crashed, or let them wait again (default park).",
    ),
]
WithoutEnvironments = Annotated[
    bool,
    typer.Option(
        "--without-environments",
        help="Jobs that wait may lose theirs, and have that of their worker.",
    ),
]


def export(  # noqa: PLR0913 -- each option is a parameter
    ctx: typer.Context,
    *,
    target: Target = STDIO,
    states: options.States = None,
    since: options.Since = None,
    with_environments: WithEnvironments = False,
    replace: Replace = False,
    as_json: options.AsJson = False,
) -> int:
    """Write jobs, attempts, entries and ticks as lines of JSON.

    For `jobrun db import`, and for other programs. Workers go on meanwhile.
    """
    if as_json and target == STDIO:
        raise UsageError("--json tells of a FILE that was written", hint="the lines are JSON in any case")
    which = None if states is None and since is None else job_filter(states=states or (), since=since)
    wanted = Wanted(which=which, with_environments=with_environments)
    with opened(ctx) as store:
        if target == STDIO:
            sys.stdout.flush()
            _write(store, wanted, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            return 0
        saving.check_target(store, Path(target))
        with copying.written(Path(target), replaces=replace) as file:
            counts = _write(store, wanted, file)
    if as_json:
        render.line(jsonout.dump({"path": target, "counts": counts}))
    else:
        jobs = plural(counts.get("job", 0), "job")
        render.line(f"exported {jobs} to `{safe_line(target)}`")
    return 0


def _write(store: Store, wanted: Wanted, file: BinaryIO) -> dict[str, int]:
    """Write all lines, and return how many there are of each kind."""
    with render.progress("exporting", store.ledger.count(wanted.which or JobFilter())) as tell:
        last: list[dict[str, Any]] = []
        for page in exchange.lines(store, wanted, now=utc_now(), tell=tell):
            file.write(_encoded(page))
            last = page
    [end] = last
    counts: dict[str, int] = end["end"]
    return counts


def _encoded(page: Iterable[dict[str, Any]]) -> bytes:
    return "".join(f"{_encode(line)}\n" for line in page).encode("ascii")


def import_(  # noqa: PLR0913 -- each option is a parameter
    ctx: typer.Context,
    *,
    source: From,
    merge: Merge = False,
    running: WhatRan = Running.PARK,
    without_environments: WithoutEnvironments = False,
    as_json: options.AsJson = False,
) -> int:
    """Read what `jobrun db export` wrote into a job file.

    A new one is made of it, with the ids that jobs had. Nothing is read in unless all lines are right.
    """
    choice = Choice(
        runs_again=running is Running.READY, without_environments=without_environments, merges=merge
    )
    with ExitStack() as stack:
        stream, name = _opened(source, stack)
        tell = stack.enter_context(render.progress("reading", _lines_in(stream)))
        done = exchange.take_in(job_file(ctx), Source(stream=stream, name=name), choice, tell)
    if as_json:
        render.line(jsonout.dump(_object(done)))
    else:
        _tell(done)
    return 0


def _opened(source: str, stack: ExitStack) -> tuple[BinaryIO, str]:
    """Open what is to be read, and say what to call it."""
    if source == STDIO:
        check_input()
        return sys.stdin.buffer, "stdin"
    try:
        return stack.enter_context(Path(source).open("rb")), f"`{source}`"
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read `{source}`: {getattr(error, 'strerror', None) or error}") from None


def _lines_in(stream: BinaryIO) -> int | None:
    """Guess how many lines there are, from the size and the length of the first ones; None: not of a pipe."""
    about = os.fstat(stream.fileno())
    if not stat.S_ISREG(about.st_mode):
        return None
    some = os.pread(stream.fileno(), 1 << 20, 0)
    return max(some.count(b"\n") * about.st_size // max(len(some), 1), 1)


def _object(done: Imported) -> dict[str, Any]:
    return {
        "jobs": done.merged.jobs,
        "skipped": done.merged.skipped,
        "were_running": done.read.was_running,
        "lost_environment": done.read.lost_environment,
        "counts": {kind: count for kind, count in done.read.lines.items() if count},
    }


def _tell(done: Imported) -> None:
    render.line(f"imported {plural(done.merged.jobs, 'job')}")
    for count, what in (
        (done.read.was_running, "not running any more"),
        (done.read.lost_environment, "waiting, with the environment of their worker now"),
        (done.merged.skipped, "skipped, as jobs here have their keys"),
    ):
        if count:
            render.remark(f"{what}: {plural(count, 'job')}")
