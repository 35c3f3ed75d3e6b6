"""pause, resume: whole queues rest while somebody mends what their jobs need."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import typer

from jobrun.actions import pausing
from jobrun.actions.pausing import Paused
from jobrun.cli import jsonout, jsonviews, options, pausewords, render
from jobrun.cli.person import me
from jobrun.cli.place import opened, utc_now
from jobrun.cli.readers import queue_name
from jobrun.errors import UsageError, meant
from jobrun.measures import Pause
from jobrun.store import Store

LONGEST_WHY = 500  # characters

QueueNames = Annotated[
    list[str], typer.Argument(metavar="QUEUE...", parser=queue_name, help="The queues, as `default`.")
]
Why = Annotated[str | None, typer.Option("--why", metavar="TEXT", help="The reason, for all who look.")]


def pause(  # noqa: PLR0913 -- each option is a parameter
    ctx: typer.Context,
    *,
    queues: QueueNames,
    span: options.For = None,
    until: options.Until = None,
    why: Why = None,
    as_json: options.AsJson = False,
) -> int:
    """Let no job of a queue begin.

    What runs goes on. It ends by itself with --for or --until, else with `jobrun resume`.
    """
    now = utc_now()
    if why is not None and len(why) > LONGEST_WHY:
        raise UsageError(f"--why has {len(why)} characters, and {LONGEST_WHY} are the most")
    how = Pause(queue="", since=now, until=end_of(span, until, now), by=me(), reason=why or None)
    with opened(ctx) as store:
        done = pausing.pause(store, queues, how)
        remarks = [_unknown(store, queue, done) for queue in done.unknown]
    if as_json:
        render.line(jsonout.array([jsonviews.pause_object(each) for each in done.pauses]))
    for each in done.pauses if not as_json else ():
        render.paragraph(pausewords.begun(each, now))
    render.remark(*remarks)
    return 0


def resume(ctx: typer.Context, *, queues: QueueNames, as_json: options.AsJson = False) -> int:
    """End the pause of a queue: what waits in it begins."""
    now = utc_now()
    with opened(ctx) as store:
        done = pausing.resume(store, queues, now=now)
    if as_json:
        render.line(jsonout.array([jsonviews.pause_object(each) for each in done.pauses]))
    for each in done.pauses if not as_json else ():
        render.line(f"queue {each.queue} goes on")
    for queue in done.others:
        render.remark(f"jobrun: queue {queue} is not paused")
    return int(bool(done.others))


def end_of(span: float | None, until: datetime | None, now: datetime) -> datetime | None:
    """Return when a pause ends by itself; None: it does not. Raises `UsageError`."""
    if span is not None and until is not None:
        raise UsageError("--for and --until both say when it ends; use one")
    end = until if span is None else now + timedelta(seconds=span)
    if end is not None and end <= now:
        raise UsageError("the end of the pause is in the past", hint="nothing was changed")
    return end


def _unknown(store: Store, queue: str, done: Paused) -> str:
    """Return a remark on a queue of no job, which may be mistyped, or an entry of a table."""
    if store.entries.get(queue) is not None:
        return f"no job is known of queue {queue}; of an entry it is `jobrun cron pause {queue}`"
    near = meant(queue, done.known, None)
    return f"no job is known of queue {queue}{f'; {near}' if near else ''}"
