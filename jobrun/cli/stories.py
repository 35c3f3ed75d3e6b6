"""Why a job or an entry is as it is, in sentences."""

from __future__ import annotations

from datetime import datetime, tzinfo

from jobrun.actions.why import EntryStory, JobStory
from jobrun.cli import tables
from jobrun.cli.caller import zone_of
from jobrun.cli.human import both, distance, local, wall
from jobrun.cron.words import Neighbours, Tick, TickState
from jobrun.model import TROUBLED, Job, State
from jobrun.units import format_duration, plural

_ENDED = {
    State.SUCCEEDED: "succeeded",
    State.FAILED: "failed",
    State.CRASHED: "crashed",
    State.CANCELLED: "was cancelled",
    State.EXPIRED: "expired",
    State.SKIPPED: "had nothing to do",
}


def of_job(story: JobStory, now: datetime) -> str:
    """Return one paragraph: how a job stands, what it waits for, where it came from and what to do."""
    job = story.job
    if job.state is State.RUNNING:
        told = _running(job, now)
    elif job.state.is_final:
        told = _ended(job, now)
    else:
        told = _waiting(story, now)
    name = f"Job {job.id} ({job.name or job.task})"
    return " ".join([f"{name} {told[0]}", *_origin(story), *told[1:]])


def of_tick(tick: Tick, job: Job | None, zone: tzinfo, now: datetime) -> str:
    """Return what became of a tick, as it follows the name of its entry."""
    at = wall(tick.at, zone)
    because = f": {tick.reason}" if tick.reason else ""
    match tick.state:
        case TickState.RAN:
            return f"ran for {at} as job {tick.job_id}, {_fate(job, now)}{_aside(tick)}"
        case TickState.PENDING:
            return f"was due at {at} and waits for the end of {tables.in_the_way(tick)}{_aside(tick)}"
        case TickState.MISSED | TickState.SKIPPED:
            return f"was {tick.state} {_times(tick, zone)}{_moved(tick)}{because}"
        case TickState.PAUSED | TickState.DISABLED:
            return f"did not run {_times(tick, zone)}{_moved(tick)}, for it was {tick.state}"


def of_no_tick(at: datetime, found: Neighbours, story: EntryStory, now: datetime) -> str:
    """Return why there is no tick of an entry at an instant, as it follows the name of the entry."""
    row, zone = story.row, zone_of(story.row.zone_name)
    if found.there is None:
        near = [
            f"{word} {wall(each.at, zone)}"
            for word, each in (("before it", found.before), ("after it", found.after))
            if each
        ]
        runs = f"; {', '.join(near)}" if near else ""
        return f"is not due at {wall(at, zone)}: its schedule is `{row.schedule_text}`{runs}."
    due = wall(found.there.at, zone)
    if found.there.at > now:
        return f"is due at {due}, {distance(found.there.at, now)}."
    if found.there.at <= row.since:
        return f"did not run at {due}: it is new or was changed at {wall(row.since, zone)}, and nothing before is made up."
    if found.there.at > row.done_until:
        return f"was due at {due}, and no scheduler has served it yet; one did last at {wall(row.done_until, zone)}."
    return f"was due at {due}, and what became of that is no longer kept."


def _running(job: Job, now: datetime) -> list[str]:
    of = f" of at most {job.max_attempts}" if job.max_attempts > 1 else ""
    took = format_duration(max((now - (job.started_at or now)).total_seconds(), 0))
    told = [f"has run for {took}: attempt {job.attempt}{of}, by worker {job.worker}."]
    if job.cancel_at is not None:
        told.append(f"Its end was asked for {distance(job.cancel_at, now)}.")
    return [*told, f"`jobrun logs {job.id} -f` follows what it prints."]


def _ended(job: Job, now: datetime) -> list[str]:
    when = distance(job.finished_at or now, now)
    attempts = f", after {plural(job.attempt, 'attempt')}" if job.attempt > 1 else ""
    cause = f": {tables.why(job)}" if tables.why(job) else ""
    told = [f"{_ENDED[job.state]} {when}{attempts}{cause}."]
    if job.attempt:
        told.append(f"`jobrun logs {job.id}` shows what it printed.")
    if job.state in TROUBLED:
        told.append(f"`jobrun retry {job.id}` queues it again.")
    return told


def _waiting(story: JobStory, now: datetime) -> list[str]:
    job = story.job
    if job.run_at > now:
        told = [f"is due {distance(job.run_at, now)}, at {both(job.run_at, now).partition(' (')[0]}."]
    else:
        told = [f"is ready since {distance(job.run_at, now)}.", _taker(story)]
    if job.attempt and tables.why(job):
        told.append(
            f"It has been tried {'once' if job.attempt == 1 else f'{job.attempt} times'}: {tables.why(job)}."
        )
    if job.expires_at is not None:
        told.append(f"It expires {distance(job.expires_at, now)}.")
    return told


def _taker(story: JobStory) -> str:
    """Return what a job that is due waits for."""
    if not story.workers:
        return "No worker is running; start one with `jobrun worker`."
    if not story.takers:
        queue = story.job.queue
        return f"No worker takes queue `{queue}`; start one with `jobrun worker -Q {queue}`."
    if all(worker.job is not None for worker in story.takers):
        return "Every worker that takes its queue is busy; `jobrun workers` shows them."
    return "A worker is about to take it."


def _origin(story: JobStory) -> list[str]:
    job, tick = story.job, story.tick
    if job.entry is None:
        return []
    if job.scheduled_for is None:
        return [f"A person triggered entry `{job.entry}`."]
    moved = f" (moved from {tick.moved_from:%H:%M})" if tick and tick.moved_from else ""
    late = f", {tick.reason}" if tick and tick.reason else ""
    at = local(job.scheduled_for, timespec="seconds" if job.scheduled_for.second else "minutes")
    return [
        f"It is the run of entry `{job.entry}` for {at}{moved}{late}; `jobrun why {job.entry}` tells more."
    ]


def _fate(job: Job | None, now: datetime) -> str:
    if job is None:
        return "which is no longer kept"
    if job.state is State.RUNNING:
        return "which is running"
    if not job.state.is_final:
        return f"which is {job.state}"
    cause = "" if job.state is State.SUCCEEDED or not tables.why(job) else f": {tables.why(job)}"
    return f"which {_ENDED[job.state]} {distance(job.finished_at or now, now)}{cause}"


def _times(tick: Tick, zone: tzinfo) -> str:
    if tick.last == tick.at:
        return f"at {wall(tick.at, zone)}"
    count = "many times" if tick.count is None else f"{tick.count} times"
    return f"{count}, from {wall(tick.at, zone)} to {wall(tick.last, zone)}"


def _moved(tick: Tick) -> str:
    return f" (moved from {tick.moved_from:%H:%M}: the clocks went forward)" if tick.moved_from else ""


def _aside(tick: Tick) -> str:
    """Return what else is to be said of a tick that runs."""
    return _moved(tick) + (f"; {tick.reason}" if tick.reason else "")
