"""What is looked at, as JSON for other programs; the fields of jobs and attempts stand in `jsonout`."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Any

from jobrun.actions.acting import Changed
from jobrun.actions.looking import Inspection, Overview, WorkerView
from jobrun.actions.tables import TableView
from jobrun.cli import tables
from jobrun.cli.jsonout import attempt_object, job_object
from jobrun.cron.monitor import host_of
from jobrun.cron.words import Coming, EntryRow, Tick
from jobrun.measures import Pause
from jobrun.model import Job, Terms
from jobrun.units import rfc3339


def inspection_object(found: Inspection, *, show_env: bool) -> dict[str, Any]:
    """Return a job object with all that is known of it besides.

    `environment` holds names, or with `show_env` names and values; `moved_from` is the local time that the
    clocks skipped.
    """
    variables, tick = found.environment, found.tick
    names = None if variables is None else dict(variables) if show_env else sorted(variables)
    return {
        **job_object(found.job),
        "moved_from": tick and _moved_from(tick),
        "deadline_at": _time(found.job.deadline_at),
        "terms": _terms_object(found.job.terms),
        "attempts": [attempt_object(attempt) for attempt in found.attempts],
        "edits": [{"at": rfc3339(each.at), "by": each.by, "changes": each.changes} for each in found.edits],
        "environment": names,
    }


def _moved_from(tick: Tick) -> str | None:
    return None if tick.moved_from is None else tick.moved_from.isoformat()


def _terms_object(terms: Terms) -> dict[str, Any]:
    """Return the rarer terms; of its monitor the host alone, for the address is as good as a password."""
    return {
        "stdin": terms.stdin,
        "ok_exit": list(terms.ok_exit),
        "skip_exit": list(terms.skip_exit),
        "no_retry_exit": list(terms.no_retry_exit),
        "discards_output": terms.discards_output,
        "leftovers": terms.leftovers,
        "is_catchup": terms.is_catchup,
        "isolate": terms.isolate,
        "monitor": None if terms.ping is None else host_of(terms.ping),
    }


def log_object(job: Job, attempt: int | None, data: bytes) -> dict[str, Any]:
    """Return what an attempt printed; bytes that are no UTF-8 are escaped, `logs --raw` has them as they are."""
    text = data.decode("utf-8", "backslashreplace")
    return {"id": job.id, "state": job.state, "attempt": attempt or job.attempt, "output": text}


def overview_object(found: Overview, now: datetime) -> dict[str, Any]:
    return {
        "counts": {state: found.counts[state] for state in found.counts},
        "workers": found.living,
        "dead_workers": found.dead,
        "next_due": rfc3339(found.next_due) if found.next_due else None,
        "running": [job_object(job) for job in found.running],
        "ready": [job_object(job) for job in found.ready],
        "troubled": [job_object(job) for job in found.troubled],
        "tables": [_table_object(view, now) for view in found.tables],
        "pauses": [pause_object(pause) for pause in found.pauses],
        "firing": [row.alert.name for row in found.firing],
    }


def pause_object(pause: Pause) -> dict[str, Any]:
    """Return the pause of a queue; `until` is null for one that does not end by itself."""
    return {
        "queue": pause.queue,
        "since": rfc3339(pause.since),
        "until": _time(pause.until),
        "by": pause.by,
        "reason": pause.reason,
    }


def worker_object(worker: WorkerView) -> dict[str, Any]:
    row, job = worker.row, worker.job
    return {
        "name": row.name,
        "number": row.number,
        "pid": row.pid,
        "group_pid": row.group_pid,
        "queues": list(row.queues),
        "started_at": rfc3339(row.started_at),
        "stopping_at": rfc3339(row.stopping_at) if row.stopping_at else None,
        "is_alive": worker.is_alive,
        "beat_at": rfc3339(worker.beat_at) if worker.beat_at else None,
        "job": job.id if job else None,
        "task": job.task if job else None,
        "running_since": rfc3339(job.started_at) if job and job.started_at else None,
    }


def changed_object(verb: str, changed: Changed) -> dict[str, Any]:
    """Return what was done: `{verb: how many, "ids": those that were named, "refused": [{id, state, why}]}`."""
    return {
        verb: changed.count,
        "ids": list(changed.ids),
        "refused": [
            {"id": each.job.id, "state": each.job.state, "why": each.why} for each in changed.refused
        ],
    }


def coming_object(each: Coming, here: tzinfo) -> dict[str, Any]:
    """Return a run to come: `at` in UTC, `local` with the offset of the entry's zone."""
    return {
        "entry": each.entry.name,
        "at": rfc3339(each.occurrence.at),
        "local": each.occurrence.local.isoformat(timespec="seconds"),
        "task": each.entry.task,
        "note": tables.note(each, here) or None,
    }


def entry_object(row: EntryRow, now: datetime) -> dict[str, Any]:
    """Return what is known of an entry; `paused_until` is null in a pause that does not end by itself."""
    is_paused = row.is_paused_at(now)
    return {
        "entry": row.name,
        "table": row.table,
        "schedule": row.schedule_text,
        "timezone": row.zone_name,
        "is_enabled": row.is_enabled,
        "is_paused": is_paused,
        "paused_until": _time(row.paused_until) if is_paused else None,
        "failing_since": _time(row.failing_since),
        "failed_runs": row.failed_runs,
        "last_success_at": _time(row.last_success_at),
        "removed_at": _time(row.removed_at),
    }


def tick_object(tick: Tick, job: Job | None) -> dict[str, Any]:
    """Return a tick; `last` and `count` are of several in a row, `job_state` is null if it is not kept."""
    return {
        "at": rfc3339(tick.at),
        "last": rfc3339(tick.last),
        "count": tick.count,
        "state": tick.state,
        "reason": tick.reason,
        "moved_from": _moved_from(tick),
        "job": tick.job_id,
        "job_state": job and job.state,
        "in_way": tick.in_way,
        "decided_at": rfc3339(tick.decided_at),
    }


def _table_object(view: TableView, now: datetime) -> dict[str, Any]:
    return {
        "table": view.path,
        "entries": len(view.entries),
        "paused": view.paused(now),
        "scheduler_pid": view.scheduler and view.scheduler.pid,
        "problem": view.problem,
    }


def _time(instant: datetime | None) -> str | None:
    return None if instant is None else rfc3339(instant)
