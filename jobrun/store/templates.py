"""Jobs to be added later, as JSON in a column."""

from __future__ import annotations

import json
from dataclasses import asdict, fields

from jobrun.model import Kind, NewJob, Surroundings
from jobrun.store.rows import compact


def template_text(job: NewJob | None) -> str | None:
    """Return JSON of what is not common in a job; `template_of` reads it back.

    For a job without terms, instants and a choice on crashes: a notice has none of them.
    """
    if job is None:
        return None
    common = NewJob(kind=job.kind, task=job.task)
    given = {field.name: getattr(job, field.name) for field in fields(job)}
    kept = {name: value for name, value in given.items() if value != getattr(common, name)}
    if job.surroundings is not None:
        kept["surroundings"] = asdict(job.surroundings)
    return compact({"kind": job.kind, "task": job.task, **kept})


def template_of(text: str | None) -> NewJob | None:
    """Return the job that `template_text` turned into JSON; None for a text that is no such job."""
    try:
        kept = json.loads(text or "null")
        kept["kind"] = Kind(kept["kind"])
        if "args" in kept:
            kept["args"] = tuple(kept["args"])
        if "surroundings" in kept:
            kept["surroundings"] = Surroundings(**kept["surroundings"])
        return NewJob(**kept)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
