"""failed, retry, cancel, purge: what a person does about jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import typer

from jobrun.actions import acting, looking
from jobrun.actions.acting import Changed, Refusal
from jobrun.cli import jsonout, jsonviews, options, render
from jobrun.cli.commands.looking import capped, job_filter, show_jobs
from jobrun.cli.place import opened, utc_now
from jobrun.cli.readers import MAX_LIMIT
from jobrun.errors import NotDone, UsageError
from jobrun.model import TROUBLED, JobFilter, State
from jobrun.store import Store
from jobrun.units import format_size, plural

ASK_ABOVE = 20  # jobs that a filter of `purge` may remove without a question


def failed(  # noqa: PLR0913 -- each option is a parameter
    ctx: typer.Context,
    *,
    ids: options.SomeJobIds = None,
    retry_them: options.AndRetry = False,
    purge_them: options.AndPurge = False,
    task: options.Task = None,
    queue: options.Queue = None,
    tag: options.Tag = None,
    since: options.Since = None,
    all_: options.All = False,
    yes: options.Yes = False,
    limit: options.Limit = None,
    as_json: options.AsJson = False,
) -> int:
    """Show what failed or crashed; queue it again, or remove it."""
    if retry_them and purge_them:
        raise UsageError("--retry and --purge exclude each other", hint="choose one; nothing was changed")
    if limit is not None and (retry_them or purge_them):
        hint = "name ids or give a filter; nothing was changed"
        raise UsageError("--limit says how many to show, not which to change", hint=hint)
    which = job_filter(ids=ids or None, states=TROUBLED, queue=queue, task=task, tag=tag, since=since)
    is_filtered = any(value is not None for value in (task, queue, tag, since))
    with opened(ctx) as store:
        refused = _others(store, ids or (), TROUBLED)
        if retry_them:
            return _report("retried", _retry_troubled(store, which, refused), as_json=as_json)
        if purge_them:
            if not (ids or is_filtered or all_):
                raise UsageError(
                    "--purge removes nothing by itself", hint="name ids, give a filter, or say --all"
                )
            _confirm(store, which, yes=yes, ask_above=len(ids or ()))
            return _report("purged", _purge(store, which, refused), as_json=as_json)
        found = looking.listing(store, which, limit=capped(limit))
    if not ids and not found.jobs and not as_json:
        render.remark("no job has failed" if not is_filtered else "no failed job matches")
        return 0
    show_jobs(found, as_json=as_json)
    return _explain("failed", refused)


def retry(ctx: typer.Context, *, ids: options.JobIds, as_json: options.AsJson = False) -> int:
    """Queue ended jobs again.

    Jobs that failed, crashed, were cancelled or expired; all their retries count afresh.
    """
    with opened(ctx) as store:
        changed = acting.retry(store, ids, now=utc_now())
    return _report("retried", changed, as_json=as_json)


def cancel(ctx: typer.Context, *, ids: options.JobIds, as_json: options.AsJson = False) -> int:
    """End jobs that wait or run.

    One that waits ends at once; one that runs is stopped by its worker.
    """
    with opened(ctx) as store:
        changed = acting.cancel(store, ids, now=utc_now())
    return _report("cancelled", changed, as_json=as_json)


def purge(  # noqa: PLR0913 -- each option is a parameter
    ctx: typer.Context,
    *,
    ids: options.SomeJobIds = None,
    states: options.States = None,
    older_than: options.OlderThan = None,
    task: options.Task = None,
    queue: options.Queue = None,
    tag: options.Tag = None,
    all_: options.All = False,
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    as_json: options.AsJson = False,
) -> int:
    """Remove ended jobs with all that is known about them.

    A filter removes failed and crashed jobs only with --state or --all.
    """
    if live := [state for state in states or () if not state.is_final]:
        raise UsageError(f"jobs that are {live[0]} are not removed", hint="cancel them first")
    if not (ids or all_ or any(value is not None for value in (states, older_than, task, queue, tag))):
        raise UsageError("purge of what?", hint="name ids, give a filter, or say --all; nothing was changed")
    chosen = states or (acting.FINAL if all_ or ids else acting.DISPOSABLE)
    which = job_filter(ids=ids or None, states=chosen, queue=queue, task=task, tag=tag, older_than=older_than)
    with opened(ctx) as store:
        refused = _others(store, ids or (), acting.FINAL)
        if dry_run:
            _show_weight(store, which, as_json=as_json)
            return _explain("purged", refused)
        _confirm(store, which, yes=yes, ask_above=max(ASK_ABOVE, len(ids or ())))
        return _report("purged", _purge(store, which, refused), as_json=as_json)


def _show_weight(store: Store, which: JobFilter, *, as_json: bool) -> None:
    """Name what would be removed: the jobs, and the bytes that they and their attempts hold."""
    found = looking.listing(store, which, limit=MAX_LIMIT)
    if as_json:
        sizes = acting.sizes(store, [job.id for job in found.jobs])
        objects = [
            {**jsonout.job_object(job), "attempts": sizes[job.id].attempts, "bytes": sizes[job.id].size}
            for job in found.jobs
            if job.id in sizes
        ]
        render.line(jsonout.array(objects))
    else:
        show_jobs(found, as_json=False)
    weight = acting.weigh(store, which)
    about = "about " if weight.is_reckoned else ""
    render.remark(
        f"{plural(weight.jobs, 'job')} would be removed with {about}{plural(weight.attempts, 'attempt')}, "
        f"{about}{format_size(weight.size)}; nothing was changed"
    )


def _retry_troubled(store: Store, which: JobFilter, refused: Sequence[Refusal]) -> Changed:
    with render.progress("retrying", store.ledger.count(which)) as tell:
        changed = acting.retry_all(store, which, now=utc_now(), tell=tell)
    return Changed(count=changed.count, refused=(*refused, *changed.refused))


def _purge(store: Store, which: JobFilter, refused: Sequence[Refusal]) -> Changed:
    with render.progress("removing", store.ledger.count(which)) as tell:
        return Changed(count=acting.purge_all(store, which, tell=tell), refused=tuple(refused))


def _confirm(store: Store, which: JobFilter, *, yes: bool, ask_above: int) -> None:
    """Ask before much is removed. Raises `NotDone` when the answer is not yes."""
    if yes or (count := store.ledger.count(which)) <= ask_above:
        return
    if not render.can_ask():
        raise UsageError(
            f"{plural(count, 'job')} would be removed, and there is no terminal to ask on",
            hint="--yes removes them without a question; nothing was changed",
        )
    if not render.ask(f"remove {plural(count, 'job')} for good?"):
        raise NotDone("nothing was removed")


def _others(store: Store, ids: Iterable[int], states: frozenset[State]) -> list[Refusal]:
    """Refuse the named jobs that are in none of these states. Raises `NoSuchJob`."""
    jobs = [looking.get(store, job_id) for job_id in dict.fromkeys(ids)]
    return [acting.refusal(job) for job in jobs if job.state not in states]


def _report(verb: str, changed: Changed, *, as_json: bool) -> int:
    if as_json:
        render.line(jsonout.dump(jsonviews.changed_object(verb, changed)))
    elif changed.count or not changed.refused:
        render.line(f"{plural(changed.count, 'job')} {verb}" if changed.count else f"nothing to be {verb}")
    return _explain(verb, changed.refused)


def _explain(verb: str, refused: Sequence[Refusal]) -> int:
    """Say of each job why nothing was done to it; return the exit code."""
    for each in refused:
        advice = "; cancel it first" if verb == "purged" and not each.job.state.is_final else ""
        what = " already" if verb == each.job.state else f": not {verb}{advice}"
        render.remark(f"jobrun: {each.why}{what}")
    return int(bool(refused))
