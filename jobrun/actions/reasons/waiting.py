"""Why a job does not run yet."""

from __future__ import annotations

from datetime import timedelta

from jobrun.actions.looking import WorkerView
from jobrun.actions.reasons.words import JobFacts, Reason, Rule, every
from jobrun.queues import is_reserved
from jobrun.store.standing import COUNTED
from jobrun.units import distance, format_duration, listed, plural, wall

_SOON = timedelta(seconds=10)  # by which a free worker has taken what it could take
_NAMED = 3  # queues


def of_waiting(facts: JobFacts) -> list[Reason]:
    """Return all that a job waits for, in the order in which it has to come."""
    return every(WAITING, facts) or [next_up(facts)]


def not_due(facts: JobFacts) -> Reason | None:
    job = facts.job
    if facts.is_due or job.attempt:
        return None
    return Reason(
        code="not-due",
        text=f"It is not due before {wall(job.run_at, facts.zone)}, {distance(job.run_at, facts.now)}.",
        next=f"nothing, it begins by itself then; `jobrun edit {job.id}` changes when",
    )


def retry_wait(facts: JobFacts) -> Reason | None:
    """Say what the job waits for whose last attempt has failed."""
    job = facts.job
    if facts.is_due or not job.attempt:
        return None
    cause = f": {job.reason}" if job.reason else ""
    return Reason(
        code="retry-wait",
        text=f"It is tried again {distance(job.run_at, facts.now)}, at {wall(job.run_at, facts.zone)}{cause}.",
        next=f"nothing, or see what went wrong: `jobrun logs {job.id}` shows what it printed",
    )


def too_late(facts: JobFacts) -> Reason | None:
    job = facts.job
    if job.expires_at is None or job.expires_at > facts.now:
        return None
    return Reason(
        code="too-late",
        text=f"It was to begin before {wall(job.expires_at, facts.zone)}, so it will expire and not run.",
        next=f"once it has expired, `jobrun retry {job.id}` runs it all the same",
    )


def reserved(facts: JobFacts) -> Reason | None:
    if not is_reserved(facts.job.queue):
        return None
    pid = facts.job.queue[1:].partition(".")[0]
    return Reason(
        code="reserved",
        text=f"Only process {pid} may run it, a command in the foreground.",
        next=f"look at its terminal; `jobrun cancel {facts.job.id}` ends it",
    )


def paused(facts: JobFacts) -> Reason | None:
    """Tell of a pause that holds the job, or will still hold it when it is due."""
    pause, job = facts.pause, facts.job
    if pause is None or (not facts.is_due and pause.until is not None and pause.until <= job.run_at):
        return None
    ends = (
        "until somebody resumes it"
        if pause.until is None
        else f"until {wall(pause.until, facts.zone)} ({distance(pause.until, facts.now)})"
    )
    because = f": {pause.reason}" if pause.reason else ""
    return Reason(
        code="paused",
        text=f"Queue `{pause.queue}` was paused by {pause.by} {distance(pause.since, facts.now)}, {ends}{because}.",
        next=f"`jobrun resume {pause.queue}` ends the pause",
    )


def no_worker(facts: JobFacts) -> Reason | None:
    if not _looks_for_worker(facts) or any(each.is_alive for each in facts.workers):
        return None
    return Reason(code="no-worker", text="No worker is running.", next="start one with `jobrun worker`")


def unserved_queue(facts: JobFacts) -> Reason | None:
    """Say that workers live, but none that listens to the queue."""
    alive = [each for each in facts.workers if each.is_alive]
    if not _looks_for_worker(facts) or not alive or facts.takers:
        return None
    queue = facts.job.queue
    queues = [f"`{name}`" for name in sorted({name for each in alive for name in each.row.queues})]
    who = "the one that lives takes" if len(alive) == 1 else f"the {len(alive)} that live take"
    return Reason(
        code="unserved-queue",
        text=f"No worker takes queue `{queue}`; {who} {listed(queues, most=_NAMED)}.",
        next=f"start one with `jobrun worker -Q {queue}`",
    )


def dead_workers(facts: JobFacts) -> Reason | None:
    """Tell of workers that would have taken it and died, when none is left and nobody has cleared up."""
    if not _looks_for_worker(facts) or facts.takers or not facts.dead:
        return None
    beats = [each.beat_at for each in facts.dead if each.beat_at is not None]
    seen = f", the last sign of life was {distance(max(beats), facts.now)}" if beats else ""
    return Reason(
        code="dead-workers",
        text=f"{plural(len(facts.dead), 'worker')} that took its queue died without a farewell{seen}.",
        next="`jobrun doctor` looks for the cause; a worker that starts clears up after them",
    )


def stopping(facts: JobFacts) -> Reason | None:
    if not facts.is_due or not facts.takers or _staying(facts):
        return None
    number = len(facts.takers)
    who = (
        "The worker that takes its queue is"
        if number == 1
        else f"All {number} workers that take its queue are"
    )
    return Reason(
        code="stopping",
        text=f"{who} shutting down, and will take no other job.",
        next="start others with `jobrun worker`, or wait until the service has started again",
    )


def behind(facts: JobFacts) -> Reason | None:
    """Tell of the jobs that are claimed before it."""
    ahead = facts.ahead
    if not facts.is_due or not ahead.total:
        return None
    number = f"More than {COUNTED}" if ahead.total > COUNTED else f"{ahead.total}"
    parts = [
        f"{ahead.urgent} of a higher priority" if ahead.urgent else "",
        f"{ahead.older} older" * bool(ahead.older),
    ]
    told = "" if ahead.total > COUNTED else f": {' and '.join(filter(None, parts))}"
    return Reason(
        code="behind",
        text=f"{number} ready {'job goes' if ahead.total == 1 else 'jobs go'} before it{told}.",
        next=f"wait, or `jobrun edit {facts.job.id}` gives it a higher priority than {facts.job.priority}",
    )


def busy(facts: JobFacts) -> Reason | None:
    """Say that each worker that could take it has a job, and which one has lasted longest."""
    staying = _staying(facts)
    jobs = [each.job for each in staying if each.job is not None]
    if not facts.is_due or not staying or len(jobs) < len(staying):
        return None
    longest = min(jobs, key=lambda job: job.started_at or facts.now)
    lasted = format_duration(max((facts.now - (longest.started_at or facts.now)).total_seconds(), 0))
    which = f"job {longest.id} ({longest.name or longest.task}) for {lasted}"
    who = (
        "The worker that takes its queue is"
        if len(jobs) == 1
        else f"All {len(jobs)} workers that take its queue are"
    )
    return Reason(
        code="busy",
        text=f"{who} busy, {'' if len(jobs) == 1 else 'the longest '}with {which}.",
        next=f"`jobrun workers` shows them, `jobrun why {longest.id}` tells of that job; `jobrun worker` starts more",
    )


def next_up(facts: JobFacts) -> Reason:
    """Say that nothing is in its way, which is odd when it lasts."""
    job, waited = facts.job, facts.now - facts.job.run_at
    if waited < _SOON:
        return Reason(
            code="next-up",
            text="A worker is free and about to take it.",
            next=f"`jobrun logs {job.id} -f` follows what it prints",
        )
    return Reason(
        code="untaken",
        text=f"A worker is free, and has not taken it for {format_duration(waited.total_seconds())}.",
        next="`jobrun workers` shows when each last gave a sign of life, `jobrun doctor` looks further",
    )


WAITING: tuple[Rule[JobFacts], ...] = (
    not_due,
    retry_wait,
    too_late,
    reserved,
    paused,
    no_worker,
    unserved_queue,
    dead_workers,
    stopping,
    behind,
    busy,
)


def _looks_for_worker(facts: JobFacts) -> bool:
    return facts.is_due and not is_reserved(facts.job.queue)


def _staying(facts: JobFacts) -> list[WorkerView]:
    return [each for each in facts.takers if each.row.stopping_at is None]
