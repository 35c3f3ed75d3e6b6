"""stats: how often, how long and how well things ran, and what became unusual."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Annotated

import typer

from jobrun.actions.stats import FIGURES, gather
from jobrun.cli import jsonout, options, render, statpages
from jobrun.cli.place import opened, utc_now
from jobrun.cli.readers import glob
from jobrun.units import format_duration, parse_duration

SINCE_S = 7 * 86400.0  # for so long jobs that succeeded are kept, unless a worker is told otherwise
_PATIENCE_S = 1.0  # before a person is shown how far it is

Which = Annotated[
    str | None,
    typer.Argument(metavar="[TASK]", parser=glob, help="An entry, or a pattern of tasks, as `reports.*`."),
]
Span = Annotated[
    float | None,
    typer.Option("--since", metavar="DUR", parser=parse_duration, help="Ended in the last DUR (default 7d)."),
]


def stats(
    ctx: typer.Context, *, which: Which = None, since: Span = None, as_json: options.AsJson = False
) -> int:
    """Show how often, how long and how well tasks and entries ran, and what became unusual."""
    now, span_s = utc_now(), SINCE_S if since is None else since
    begin = now - timedelta(seconds=span_s)
    with opened(ctx) as store:
        jobs = store.history.count(since=begin)
        with _patiently(jobs + jobs // FIGURES) as tell:
            found = gather(store, which=which, since=begin, now=now, tell=tell)
    if as_json:
        render.line(jsonout.array([statpages.stats_object(each) for each in found]))
    elif not found:
        what = "nothing" if which is None else f"nothing that matches `{which}`"
        render.remark(
            f"{what} has ended in the last {format_duration(span_s)}; --since DUR looks further back"
        )
    elif which is not None and len(found) == 1:
        statpages.page(found[0], now)
    else:
        statpages.table(found)
    return 0


@contextmanager
def _patiently(total: int) -> Iterator[Callable[[int], None]]:
    """Yield what takes how much was done since; what lasts is shown to a person who waits."""
    begin, done = time.monotonic(), 0
    with ExitStack() as stack:
        show: Callable[[int], None] | None = None

        def tell(more: int) -> None:
            nonlocal show, done
            done += more
            if show is not None:
                show(more)
            elif time.monotonic() - begin > _PATIENCE_S:
                show = stack.enter_context(render.progress("looking at jobs", total))
                show(done)

        yield tell
