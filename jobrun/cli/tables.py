"""Jobs and workers as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo

from jobrun.actions.looking import WorkerView
from jobrun.cli import render
from jobrun.cli.human import distance, wall
from jobrun.cli.render import Column
from jobrun.cron.words import Coming, Tick, TickState
from jobrun.model import DEFAULT_QUEUE, Job, State
from jobrun.units import format_duration

_JOB_COLUMNS = (
    Column(title="id", is_number=True),
    Column(title="state", is_state=True),
    Column(title="task", may_shrink=True),
    Column(title="queue"),
    Column(title="try", is_number=True),
    Column(title="when"),
    Column(title="why", may_shrink=True),
)
_WORKER_COLUMNS = (
    Column(title="worker"),
    Column(title="pid", is_number=True),
    Column(title="group", is_number=True),
    Column(title="queues", may_shrink=True),
    Column(title="alive", is_state=True),
    Column(title="beat"),
    Column(title="job", is_number=True),
    Column(title="task", may_shrink=True),
    Column(title="for"),
)
_COMING_COLUMNS = (
    Column(title="local time"),
    Column(title="in", is_number=True),
    Column(title="entry", may_shrink=True),
    Column(title="task", may_shrink=True),
    Column(title="note", may_shrink=True),
)
_TICK_COLUMNS = (
    Column(title="tick"),
    Column(title="what", is_state=True),
    Column(title="job", is_number=True),
    Column(title="ended", is_state=True),
    Column(title="why", may_shrink=True),
)


def jobs(found: Sequence[Job], now: datetime) -> None:
    """Print jobs, one a line; what all of them leave at its default has no column."""
    render.table(_JOB_COLUMNS, [_job_row(job, now) for job in found])


def workers(found: Sequence[WorkerView], now: datetime) -> None:
    """Print workers, one a line."""
    render.table(_WORKER_COLUMNS, [_worker_row(worker, now) for worker in found])


def coming(found: Sequence[Coming], now: datetime, here: tzinfo) -> None:
    """Print what falls due, one run a line; `here` is the zone that goes without saying."""
    has_seconds = any(each.occurrence.at.second for each in found)
    form = "%a %Y-%m-%d %H:%M:%S %Z" if has_seconds else "%a %Y-%m-%d %H:%M %Z"
    rows = [
        [
            f"{each.occurrence.local:{form}}",
            _until(each.occurrence.at, now),
            each.entry.name,
            each.entry.task,
            note(each, here),
        ]
        for each in found
    ]
    render.table(_COMING_COLUMNS, rows)


def ticks(found: Sequence[Tick], jobs_of: Mapping[int, Job], zone: tzinfo) -> None:
    """Print what became of ticks, one a line."""
    exact = any(tick.at.second for tick in found)
    rows = [
        [wall(tick.at, zone, exact=exact), *_tick_cells(tick, jobs_of.get(tick.job_id or 0), zone)]
        for tick in found
    ]
    render.table(_TICK_COLUMNS, rows)


def note(each: Coming, here: tzinfo) -> str:
    """Return in one line what is particular about a run to come."""
    entry, moved, at = each.entry, each.occurrence.moved_from, each.occurrence.at
    parts = []
    if not entry.is_enabled:
        parts.append("disabled")
    if each.row is not None and each.row.is_paused_at(at):
        until = each.row.paused_until
        parts.append(
            "paused" if until is None else f"paused until {until.astimezone(entry.zone):%d %b %H:%M}"
        )
    if moved is not None:
        form = "%H:%M" if moved.date() == each.occurrence.local.date() else "%Y-%m-%d %H:%M"
        parts.append(f"from {moved:{form}}: the clocks go forward")
    if entry.jitter_s:
        parts.append(f"up to {format_duration(entry.jitter_s)} later")
    if each.occurrence.local.utcoffset() != at.astimezone(here).utcoffset():
        parts.append(entry.zone_name)
    return "; ".join(parts)


def why(job: Job) -> str:
    """Return in one line why a job is as it is: its reason, and the error behind it."""
    if job.state is State.RUNNING:
        return "to be cancelled" if job.cancel_at else ""
    if job.state is State.SUCCEEDED:
        return job.note or ""
    if job.reason or job.error is None:
        return job.reason or ""
    first_line = job.error.message.partition("\n")[0]
    return f"{job.error.type}: {first_line}"


def moment(job: Job, now: datetime) -> str:
    """Return the distance that matters in the job's state: to its start, of its run, since its end."""
    if job.state is State.RUNNING and job.started_at:
        return f"for {format_duration(max((now - job.started_at).total_seconds(), 0))}"
    if job.finished_at:
        return distance(job.finished_at, now)
    return distance(job.run_at, now) if job.run_at > now else f"due {distance(job.run_at, now)}"


def _job_row(job: Job, now: datetime) -> list[str]:
    return [
        str(job.id),
        job.state,
        f"{job.name}: {job.task}" if job.name else job.task,
        _place(job),
        f"{job.attempt}/{job.max_attempts}" if job.max_attempts > 1 else "",
        moment(job, now),
        why(job),
    ]


def _place(job: Job) -> str:
    """Return queue and priority, as `mail +5`; nothing of what is the default."""
    queue = "" if job.queue == DEFAULT_QUEUE else job.queue
    return f"{queue} {job.priority:+}".strip() if job.priority else queue


def _worker_row(worker: WorkerView, now: datetime) -> list[str]:
    job, row = worker.job, worker.row
    alive = "yes" if worker.is_alive else "no"
    return [
        row.name,
        str(row.pid),
        str(row.group_pid),
        ",".join(row.queues) or "all",
        "stopping" if worker.is_alive and row.stopping_at else alive,
        distance(worker.beat_at, now) if worker.beat_at and job is None else "",  # who is busy does not beat
        str(job.id) if job else "",
        job.task if job else "",
        format_duration((now - job.started_at).total_seconds()) if job and job.started_at else "",
    ]


def _until(at: datetime, now: datetime) -> str:
    return distance(at, now).removeprefix("in ")


def _tick_cells(tick: Tick, job: Job | None, zone: tzinfo) -> list[str]:
    return [
        tick.state,
        "" if tick.job_id is None else str(tick.job_id),
        "" if job is None else job.state,
        _tick_why(tick, job, zone),
    ]


def in_the_way(tick: Tick) -> str:
    """Return what a tick waits for: a job, or where several are made up, the one that goes first."""
    return "the ticks before it" if tick.in_way is None else f"job {tick.in_way}"


def _tick_why(tick: Tick, job: Job | None, zone: tzinfo) -> str:
    parts = []
    if tick.last != tick.at:
        count = "many" if tick.count is None else str(tick.count)
        parts.append(f"{count} until {wall(tick.last, zone)}")
    if tick.moved_from is not None:
        parts.append(f"moved from {tick.moved_from:%H:%M}")
    if tick.state is TickState.PENDING:
        parts.append(f"waits for {in_the_way(tick)}")
    if tick.reason:
        parts.append(tick.reason)
    if job is not None and job.state is not State.SUCCEEDED and (cause := why(job)):
        parts.append(cause)
    return "; ".join(parts)
