"""edit: another queue, time or argument for a job that still waits."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from jobrun.actions import editing, looking
from jobrun.actions.editing import Reader
from jobrun.cli import editpage, jsonout, options, render
from jobrun.cli.caller import zone
from jobrun.cli.editor import Sheet, sheet
from jobrun.cli.human import local
from jobrun.cli.person import me
from jobrun.cli.place import opened, utc_now
from jobrun.errors import JobrunError, UsageError
from jobrun.model import Job
from jobrun.store import Store
from jobrun.units import plural

Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Set this field, without an editor (repeatable)."),
]


def edit(
    ctx: typer.Context, *, job_id: options.AJobId, given: Assignments = None, as_json: options.AsJson = False
) -> int:
    """Change a job that waits, in your editor or with --set.

    It is checked as `enqueue` checks it, and changed only if it still waits as it was read.
    """
    with opened(ctx) as store:
        job = editing.waiting(store, job_id)
        before = editing.fields_of(job, _shown)
        new = _set(store, job, before, given) if given else _edited(store, job, before)
        after = looking.get(store, job_id)
    if as_json:
        render.line(jsonout.dump(jsonout.job_object(after)))
    elif new:
        render.line(f"job {job_id}: {plural(len(new), 'field')} changed: {', '.join(new)}")
    if not new:
        render.remark("nothing was changed")
    return 0


def _set(store: Store, job: Job, before: Mapping[str, Any], given: Sequence[str]) -> dict[str, Any]:
    asked = dict(editpage.assignment(each, before) for each in given)
    new = editing.changes(before, {**before, **asked})
    if new:
        editing.edit(store, job, before, new, _reader())
    return new


def _edited(store: Store, job: Job, before: Mapping[str, Any]) -> dict[str, Any]:
    """Let a person edit; what they wrote is kept in a file if it came to nothing, and not by their will."""
    if not (render.can_ask() or os.environ.get("VISUAL") or os.environ.get("EDITOR")):
        raise UsageError("there is no terminal to edit on", hint="use --set name=value")
    with sheet(f"jobrun-{job.id}", os.environ) as paper:
        try:
            return _until_right(store, job, before, paper)
        except JobrunError as error:
            if not paper.is_kept:
                raise
            error.hint = f"what you wrote is kept in `{paper.path}`"
            raise


def _until_right(store: Store, job: Job, before: Mapping[str, Any], paper: Sheet) -> dict[str, Any]:
    """Show the page again, with what is wrong at its top, until it is right or left as it is."""
    shown, fault = editpage.page(job.id, before), None
    while True:
        written = paper.edit(shown)
        is_empty = editpage.is_empty(written)
        if is_empty or editpage.without_fault(written) == editpage.without_fault(shown):
            if fault is None:
                return {}
            paper.is_kept = not is_empty
            raise fault
        paper.is_kept = True  # until that was done
        try:
            new = editing.changes(before, editpage.read(written))
            if new:
                editing.edit(store, job, before, new, _reader())
        except UsageError as error:
            fault, shown = error, editpage.with_fault(written, error)
        else:
            paper.is_kept = False
            return new


def _reader() -> Reader:
    return Reader(by=me(), now=utc_now(), zone=zone())


def _shown(at: datetime) -> str:
    return local(at, timespec="milliseconds")
