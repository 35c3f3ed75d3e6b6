"""list, inspect, status, workers: looking changes nothing, and never makes a job file."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import typer

from jobrun.actions import looking
from jobrun.cli import jsonout, jsonviews, nextrun, options, pages, pausewords, render, tables
from jobrun.cli.place import job_file, opened, utc_now
from jobrun.cli.readers import MAX_LIMIT
from jobrun.errors import UsageError
from jobrun.model import JobFilter, State
from jobrun.units import plural

SHOWN = 50  # jobs that a list shows unless told otherwise


def list_(  # noqa: PLR0913 -- each option is a parameter
    ctx: typer.Context,
    *,
    words: options.StateWords = None,
    states: options.States = None,
    queue: options.Queue = None,
    task: options.Task = None,
    tag: options.Tag = None,
    since: options.Since = None,
    limit: options.Limit = None,
    as_json: options.AsJson = False,
) -> int:
    """Show jobs, the newest first."""
    which = job_filter(states=[*(words or ()), *(states or ())], queue=queue, task=task, tag=tag, since=since)
    now = utc_now()
    with opened(ctx) as store:
        found = looking.listing(store, which, limit=capped(limit))
        pauses = [] if as_json else store.pauses.all(now=now)
    show_jobs(found, as_json=as_json)
    waiting = {job.queue for job in found.jobs if job.state in {State.READY, State.SCHEDULED}}
    render.remark(*(pausewords.paused(pause, now) for pause in pauses if pause.queue in waiting))
    return 0


def inspect(  # noqa: PLR0913 -- each option is a parameter
    ctx: typer.Context,
    *,
    job_id: options.AJobId,
    show_env: options.ShowEnv = False,
    show_secrets: options.ShowSecrets = False,
    as_script: options.AsScript = False,
    as_json: options.AsJson = False,
) -> int:
    """Show all about a job: its settings, each attempt and its cause."""
    if as_script and (as_json or show_env):
        raise UsageError("--sh prints a script, and takes neither --json nor --show-env")
    if as_script:
        from jobrun.cli.commands.scripting import print_script  # noqa: PLC0415 -- hardly ever asked for

        print_script(job_file(ctx), job_id, show_secrets=show_secrets)
        return 0
    with opened(ctx) as store:
        found = looking.inspect(store, job_id)
    if as_json:
        render.line(jsonout.dump(jsonviews.inspection_object(found, show_env=show_env)))
    else:
        pages.job(found, utc_now(), show_env=show_env, show_secrets=show_secrets)
    return 0


def status(ctx: typer.Context, *, as_json: options.AsJson = False) -> int:
    """Show the whole job file at a glance (so does `jobrun` alone)."""
    path = job_file(ctx)
    if _is_absent(path):
        return _nothing_yet(str(path), as_json=as_json)
    now = utc_now()
    with opened(ctx) as store:
        found = looking.overview(store, now=now)
    if as_json:
        render.line(jsonout.dump(jsonviews.overview_object(found, now)))
        return 0
    pages.overview(found, [nextrun.next_run(view.path, view.entries, now) for view in found.tables], now)
    waiting = found.counts[State.READY] + found.counts[State.SCHEDULED]
    if waiting and not found.living:
        render.remark(
            f"no worker is running; {plural(waiting, 'job')} waiting; start one with `jobrun worker`"
        )
    return 0


def workers(ctx: typer.Context, *, as_json: options.AsJson = False) -> int:
    """Show the workers, what they run and whether they live."""
    now = utc_now()
    with opened(ctx) as store:
        found = looking.workers(store)
        pauses = [] if as_json else store.pauses.all(now=now)
    if as_json:
        render.line(jsonout.array([jsonviews.worker_object(worker) for worker in found]))
    elif found:
        tables.workers(found, now)
    else:
        render.remark("no worker is running; start one with `jobrun worker`")
    render.remark(*(pausewords.paused(pause, now) for pause in pauses))
    return 0


def job_filter(  # noqa: PLR0913 -- the filters people may give
    *,
    ids: Iterable[int] | None = None,
    states: Iterable[State] = (),
    queue: str | None = None,
    task: str | None = None,
    tag: str | None = None,
    since: float | None = None,
    older_than: float | None = None,
) -> JobFilter:
    """Return the filter that options mean; spans of time end now."""
    now = utc_now()
    return JobFilter(
        ids=None if ids is None else tuple(ids),
        states=frozenset(states),
        queue=queue,
        task=task,
        tag=tag,
        since=None if since is None else now - timedelta(seconds=since),
        before=None if older_than is None else now - timedelta(seconds=older_than),
    )


def capped(limit: int | None) -> int:
    """Return how many jobs to show, and say so when that is fewer than was asked for."""
    if limit is None:
        return SHOWN
    if limit > MAX_LIMIT:
        render.remark(f"--limit {limit} is more than can be shown at once: {MAX_LIMIT}")
    return min(limit, MAX_LIMIT)


def show_jobs(found: looking.Listing, *, as_json: bool) -> None:
    """Print jobs, and say how many more there are."""
    if as_json:
        render.line(jsonout.array([jsonout.job_object(job) for job in found.jobs]))
    elif found.jobs:
        tables.jobs(found.jobs, utc_now())
    else:
        render.remark("no jobs match")
    if found.total > len(found.jobs):
        most = max(looking.COUNTED, len(found.jobs))
        total = f"more than {most}" if found.total > most else found.total
        render.remark(f"the newest {len(found.jobs)} of {total}; --limit N shows more")


def _is_absent(path: Path) -> bool:
    """Say whether there is no such file; where we may not look, opening it tells."""
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _nothing_yet(path: str, *, as_json: bool) -> int:
    if as_json:
        render.line(jsonout.dump({"counts": dict.fromkeys(State, 0), "workers": 0}))
    else:
        render.line("nothing here yet")
    render.remark(
        f"no job file at `{path}`; try: jobrun enqueue --shell 'echo hello', then: jobrun worker --burst"
    )
    return 0
