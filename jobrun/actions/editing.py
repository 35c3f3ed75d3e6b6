"""Editing a job that waits: its fields as plain values, and the job that changed values ask for."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from typing import Any

from jobrun.actions.looking import get
from jobrun.errors import NotDone, UsageError, meant
from jobrun.model import Edit, Job, Kind, NewJob, OnCrash, State, Surroundings
from jobrun.payload import parse_json
from jobrun.queues import is_reserved
from jobrun.requests import check
from jobrun.store import Store
from jobrun.store.edits import WAITING
from jobrun.units import format_duration, parse_duration
from jobrun.when import parse_when

Values = Mapping[str, Any]  # by field; one that is missing is at its default
_UNSAID = NewJob(kind=Kind.SHELL, task="")
_SECRET = frozenset({"args", "kwargs", "shell", "command", "stdin"})  # may hold what is not to be told on
_OF_TERMS = ("stdin", "isolate")
_SHOWN = 60  # characters of a value in the record


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Who edits, and what words of theirs refer to: the clock and the zone."""

    by: str
    now: datetime
    zone: tzinfo


def waiting(store: Store, job_id: int) -> Job:
    """Return a job that waits. Raises `NoSuchJob`, or `NotDone` for one that does not wait."""
    job = get(store, job_id)
    if job.state in WAITING and is_reserved(job.queue):
        raise NotDone(
            f"job {job_id} waits for the one process that runs it, so it cannot be edited",
            hint=f"`jobrun cancel {job_id}` ends it",
        )
    if job.state in WAITING:
        return job
    hint = f"`jobrun retry {job_id}` lets it wait again" if job.state.is_final else None
    if job.state is State.RUNNING:
        hint = f"`jobrun cancel {job_id}` stops it"
    raise NotDone(f"job {job_id} is {job.state}, and only a job that waits can be edited", hint=hint)


def fields_of(job: Job, show: Callable[[datetime], str]) -> dict[str, Any]:
    """Return what may be changed about a job, in the order in which people read it; None where it has none."""
    expires_at = job.expires_at if job.expires_at != job.deadline_at else None
    common = {
        "queue": job.queue,
        "priority": job.priority,
        "eta": show(job.run_at),
        "expires": expires_at and show(expires_at),
        "deadline": job.deadline_at and show(job.deadline_at),
        "retries": job.retries,
        "backoff": _span(job.backoff_s),
        "max_backoff": _span(job.max_backoff_s),
        "timeout": None if job.timeout_s is None else _span(job.timeout_s),
        "on_crash": str(job.on_crash),
        "key": job.key,
        "name": job.name,
        "tags": list(job.tags),
    }
    if job.kind is Kind.CALL:
        call = {"task": job.task, "args": json.dumps(job.args), "kwargs": json.dumps(dict(job.kwargs))}
        return {**call, **common, "isolate": job.terms.isolate}
    what: dict[str, Any] = {"shell": job.task} if job.kind is Kind.SHELL else {"command": list(job.args)}
    umask = None if job.umask is None else f"{job.umask:03o}"
    return {**what, **common, "cwd": job.cwd or None, "umask": umask, "stdin": job.terms.stdin}


def changes(before: Values, after: Values) -> dict[str, Any]:
    """Return what is new; None for what is to be at its default. Raises `UsageError` for an unknown field."""
    for name in after:
        if name not in before:
            raise UsageError(
                f"a job has no field `{name}`", hint=meant(name, before, f"one of {', '.join(before)}")
            )
    return {name: after.get(name) for name in before if after.get(name) != before[name]}


def changed(job: Job, new: Values, reader: Reader) -> NewJob:
    """Return the job that changes ask for, checked as a new one is. Raises `UsageError`."""
    told: dict[str, Any] = {"deadline_at": job.deadline_at}
    for name, value in new.items():
        try:
            told |= _READERS[name](value, reader)
        except UsageError as error:
            raise UsageError(f"{name}: {error.message}", hint=error.hint) from None
    deadline_at, expires = told.pop("deadline_at"), told.pop("expires", None)
    terms = replace(job.terms, **{name: told.pop(name) for name in _OF_TERMS if name in told})
    around = {name: told.pop(name, getattr(job, name)) for name in ("cwd", "umask")}
    found = replace(_as_new(job), **told, terms=terms)
    run_at = found.run_at or reader.now
    if isinstance(expires, float):
        found = replace(found, expires_at=max(run_at, reader.now) + timedelta(seconds=expires))
    if deadline_at is not None:
        found = replace(found, deadline_s=(deadline_at - run_at).total_seconds())
    if around != {"cwd": None, "umask": None}:
        surroundings = Surroundings(cwd=around["cwd"] or "", umask=around["umask"], environment={})
        found = replace(found, surroundings=surroundings)
    return check(found, now=reader.now)


def edit(store: Store, job: Job, before: Values, new: Values, reader: Reader) -> None:
    """Let a job be what changes ask for, and keep who asked. Raises `NotDone` or `UsageError`; then nothing is changed."""
    told = "; ".join(_told(name, before[name], value) for name, value in new.items())
    store.edits.make(job, changed(job, new, reader), Edit(at=reader.now, by=reader.by, changes=told))


def _as_new(job: Job) -> NewJob:
    same = (
        "kind",
        "task",
        "args",
        "kwargs",
        "queue",
        "priority",
        "run_at",
        "retries",
        "backoff_s",
        "max_backoff_s",
    )
    more = ("timeout_s", "key", "tags", "name", "on_crash", "entry", "scheduled_for", "terms")
    expires_at = job.expires_at if job.expires_at != job.deadline_at else None
    return NewJob(**{name: getattr(job, name) for name in (*same, *more)}, expires_at=expires_at)


def _told(name: str, old: Any, new: Any) -> str:
    if name in _SECRET:
        return f"{name} changed"
    return f"{name} {_short(old)} to {_short(new)}"


def _short(value: Any) -> str:
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _span(seconds: float) -> str:
    """Return a duration that is read back as it is; people's form where that is exact."""
    told = format_duration(seconds).replace(" ", "")
    return told if parse_duration(told) == seconds else f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"


def _text(value: Any, least: int = 0) -> str:
    if not isinstance(value, str) or len(value) < least:
        raise UsageError(f"text was expected, not `{value}`")
    return value


def _task(value: Any, _: Reader) -> dict[str, Any]:
    return {"task": _text(value, 1)}


def _args(value: Any, _: Reader) -> dict[str, Any]:
    found = parse_json(value, "the text") if isinstance(value, str) else [] if value is None else value
    if not isinstance(found, list):
        raise UsageError("a JSON list was expected", hint="as '[1, \"a\"]'")
    return {"args": tuple(found)}


def _kwargs(value: Any, _: Reader) -> dict[str, Any]:
    found = parse_json(value, "the text") if isinstance(value, str) else {} if value is None else value
    if not isinstance(found, dict):
        raise UsageError("a JSON object was expected", hint="as '{\"name\": 1}'")
    return {"kwargs": found}


def _command(value: Any, _: Reader) -> dict[str, Any]:
    words = _texts(value)
    return {"args": words, "task": shlex.join(words)}


def _tags(value: Any, _: Reader) -> dict[str, Any]:
    return {"tags": () if value is None else _texts(value)}


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise UsageError(f"a list of texts was expected, not `{value}`", hint='as ["a", "b"]')
    return tuple(value)


def _own_text(field: str) -> Callable[[Any, Reader], dict[str, Any]]:
    return lambda value, _: {field: getattr(_UNSAID, field, None) if value is None else _text(value)}


def _whole(field: str) -> Callable[[Any, Reader], dict[str, Any]]:
    def read(value: Any, _: Reader) -> dict[str, Any]:
        if value is not None and type(value) is not int:
            raise UsageError(f"a whole number was expected, not `{value}`")
        return {field: getattr(_UNSAID, field) if value is None else value}

    return read


def _duration(field: str) -> Callable[[Any, Reader], dict[str, Any]]:
    return lambda value, _: {
        field: getattr(_UNSAID, field) if value is None else parse_duration(_text(value))
    }


def _instant(field: str) -> Callable[[Any, Reader], dict[str, Any]]:
    return lambda value, reader: {field: None if value is None else _when(value, reader)}


def _when(value: Any, reader: Reader) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=reader.zone)
    return parse_when(_text(value), reader.now, reader.zone)


def _expires(value: Any, reader: Reader) -> dict[str, Any]:
    if isinstance(value, str) and ":" not in value:
        return {"expires": parse_duration(value)}
    return {"expires_at": None if value is None else _when(value, reader)}


def _on_crash(value: Any, _: Reader) -> dict[str, Any]:
    if value is not None and value not in set(OnCrash):
        raise UsageError(f"`{value}` is not one of {', '.join(OnCrash)}")
    return {"on_crash": OnCrash(value or OnCrash.RETRY)}


def _isolate(value: Any, _: Reader) -> dict[str, Any]:
    if not isinstance(value, bool | None):
        raise UsageError(f"true or false was expected, not `{value}`")
    return {"isolate": bool(value)}


def _cwd(value: Any, _: Reader) -> dict[str, Any]:
    if not _text(value).startswith("/"):
        raise UsageError(f"`{value}` is not an absolute path")
    return {"cwd": value}


def _umask(value: Any, _: Reader) -> dict[str, Any]:
    try:
        return {"umask": None if value is None else int(_text(value), 8)}
    except ValueError:
        raise UsageError(f"`{value}` is not octal", hint="as 022") from None


_READERS: dict[str, Callable[[Any, Reader], dict[str, Any]]] = {
    "task": _task,
    "shell": _task,
    "command": _command,
    "args": _args,
    "kwargs": _kwargs,
    "queue": _own_text("queue"),
    "priority": _whole("priority"),
    "eta": _instant("run_at"),
    "expires": _expires,
    "deadline": _instant("deadline_at"),
    "retries": _whole("retries"),
    "backoff": _duration("backoff_s"),
    "max_backoff": _duration("max_backoff_s"),
    "timeout": _duration("timeout_s"),
    "on_crash": _on_crash,
    "key": _own_text("key"),
    "name": _own_text("name"),
    "tags": _tags,
    "isolate": _isolate,
    "cwd": _cwd,
    "umask": _umask,
    "stdin": _own_text("stdin"),
}
