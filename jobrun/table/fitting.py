"""What must fit together: keys and the kind of a job, a value and the limits of every job, jitter and interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from jobrun.cron.jobs import job_of
from jobrun.cron.schedule import shortest_s
from jobrun.cron.words import Entry, Errand, Schedule
from jobrun.errors import UsageError
from jobrun.model import Kind, NewJob, Surroundings, Terms
from jobrun.requests import MAX_BACKOFF_S
from jobrun.table.keys import CALLS, KEYS
from jobrun.table.problems import Spot
from jobrun.table.values import check_job
from jobrun.units import format_duration

# Jobs that may be asked for, to try single keys on.
_CALL = NewJob(kind=Kind.CALL, task="module:function")
_LINE = NewJob(kind=Kind.SHELL, task="true")
_JOB_FIELDS = frozenset(field.name for field in fields(NewJob))


def check_kinds(spot: Spot, own: Mapping[str, Any], kind: Kind) -> None:
    """Refuse keys that mean nothing for this kind of job."""
    for name in own:
        if kind not in KEYS[name].kinds:
            fitting = "`call`" if KEYS[name].kinds == CALLS else "`shell` and `command`"
            spot.add(name, UsageError(f"is for {fitting}, not for `{kind}`"))


def check_jitter(spot: Spot, own: Mapping[str, Any], schedule: Schedule) -> None:
    """Refuse a jitter that could bring a run closer to the next one than to its own time."""
    if "jitter" in own and own["jitter"] * 2 > (interval_s := shortest_s(schedule)):
        most = format_duration(interval_s / 2)
        spot.add("jitter", UsageError(f"is longer than half the interval, `{most}`"))


def check_whole(spot: Spot, entry: Entry, own: Mapping[str, Any]) -> None:
    """Check the job that every tick becomes; blame single keys where one alone is wrong."""
    try:
        check_job(job_of(entry, at=None, run_at=None))
    except UsageError as error:
        check_each(spot, own)
        if spot.is_clean:
            spot.add("", error)


def check_each(spot: Spot, own: Mapping[str, Any]) -> None:
    """Check each key as if it were the only one of a job."""
    for name, value in own.items():
        try:
            check_job(_alone(name, value))
        except UsageError as error:
            spot.add(name, error)


def _alone(name: str, value: Any) -> NewJob:
    """Return a job that has this key and no other."""
    field = KEYS[name].field
    if isinstance(value, Errand):
        return NewJob(kind=value.kind, task=value.task, args=value.args)
    given: dict[str, Any] = {}
    if field.startswith("terms."):
        given = {"terms": Terms(**{field.removeprefix("terms."): value})}
    elif name in ("backoff", "max_backoff"):
        given = {"backoff_s": 0.0, "max_backoff_s": MAX_BACKOFF_S, field: value}
    elif name == "env":
        given = {"surroundings": Surroundings(cwd="", umask=None, environment=value)}
    elif name == "cwd":
        given = {"surroundings": Surroundings(cwd=value, umask=None, environment={})}
    elif field in _JOB_FIELDS:
        given = {field: value}
    return replace(_CALL if KEYS[name].kinds == CALLS else _LINE, **given)
