"""What became of a tick, and why there is none at an instant."""

from __future__ import annotations

from datetime import timedelta
from shlex import quote

from jobrun.actions.reasons.words import GapFacts, Reason, Rule, TickFacts, every, first
from jobrun.cron.words import Tick, TickState
from jobrun.model import LIVE, TROUBLED, Job, State
from jobrun.units import distance, format_duration, wall

ENDED = {
    State.SUCCEEDED: "succeeded",
    State.FAILED: "failed",
    State.CRASHED: "crashed",
    State.CANCELLED: "was cancelled",
    State.EXPIRED: "expired",
    State.SKIPPED: "had nothing to do",
}


def of_tick(facts: TickFacts) -> list[Reason]:
    """Return what became of a tick, and what is particular about it."""
    return [*first(TICK, facts), *every(ASIDE, facts)]


def of_gap(facts: GapFacts) -> list[Reason]:
    """Return why there is no tick."""
    return first(GAP, facts)


def ran(facts: TickFacts) -> Reason | None:
    """Say which job it became, and how that stands."""
    tick, job = facts.tick, facts.job
    if tick.state is not TickState.RAN:
        return None
    then = f"`jobrun logs {tick.job_id}` shows what it printed"
    if job is None:
        then = "nothing, it is no longer kept; `--keep` of the workers says for how long jobs are"
    elif job.state in TROUBLED or job.state in LIVE:
        then = f"`jobrun why {tick.job_id}` tells why"
    return Reason(
        code="ran",
        text=f"{_name(facts)} ran for {wall(tick.at, facts.zone)} as job {tick.job_id}, {_fate(job, facts)}.",
        next=then,
    )


def pending(facts: TickFacts) -> Reason | None:
    tick = facts.tick
    if tick.state is not TickState.PENDING:
        return None
    first_one = "the ticks before it" if tick.in_way is None else f"job {tick.in_way}"
    then = "nothing, they run one after the other"
    return Reason(
        code="pending",
        text=f"{_name(facts)} was due at {wall(tick.at, facts.zone)} and waits for the end of {first_one}"
        f"{_doings(facts)}.",
        next=then if tick.in_way is None else f"`jobrun why {tick.in_way}` tells why that has not ended",
    )


def stood_for(facts: TickFacts) -> Reason | None:
    """Tell of a tick that was late and left to a later one."""
    tick = facts.tick
    if tick.state is not TickState.MISSED or "a later tick stands for it" not in (tick.reason or ""):
        return None
    return Reason(
        code="stood-for",
        text=f"{_name(facts)} was missed {_times(facts)}: {tick.reason}.",
        next='nothing; with `catchup = "all"` each one would be made up',
    )


def missed(facts: TickFacts) -> Reason | None:
    """Say that nobody served it in time."""
    tick = facts.tick
    if tick.state is not TickState.MISSED:
        return None
    return Reason(
        code="missed",
        text=f"{_name(facts)} was missed {_times(facts)}{_because(tick)}.",
        next=f"{_trigger(facts)} runs it now; `jobrun systemd cron` prints a unit that keeps a scheduler running",
    )


def overlapped(facts: TickFacts) -> Reason | None:
    """Name the job that was in the way, and what it was doing."""
    tick = facts.tick
    if tick.state is not TickState.SKIPPED or tick.in_way is None:
        return None
    return Reason(
        code="overlapped",
        text=f"{_name(facts)} was skipped {_times(facts)}{_because(tick)}{_doings(facts)}.",
        next=f'`jobrun why {tick.in_way}` tells of that job; with `overlap = "queue"` a tick would wait for its end',
    )


def skipped(facts: TickFacts) -> Reason | None:
    tick = facts.tick
    if tick.state is not TickState.SKIPPED:
        return None
    return Reason(
        code="skipped",
        text=f"{_name(facts)} was skipped {_times(facts)}{_because(tick)}.",
        next=f"{_trigger(facts)} runs it now",
    )


def paused(facts: TickFacts) -> Reason | None:
    if facts.tick.state is not TickState.PAUSED:
        return None
    still = facts.row.is_paused_at(facts.now)
    return Reason(
        code="paused",
        text=f"{_name(facts)} did not run {_times(facts)}, for it was paused{', and still is' * still}.",
        next=f"`jobrun cron resume {facts.row.name}` ends the pause"
        if still
        else f"{_trigger(facts)} runs it now",
    )


def disabled(facts: TickFacts) -> Reason | None:
    if facts.tick.state is not TickState.DISABLED:
        return None
    return Reason(
        code="disabled",
        text=f"{_name(facts)} did not run {_times(facts)}, for it was disabled.",
        next=f"set `enabled = true` in `{facts.row.table}`; {_trigger(facts)} runs it now",
    )


def moved(facts: TickFacts) -> Reason | None:
    """Tell of the local time that a change of the clocks skipped."""
    was = facts.tick.moved_from
    if was is None:
        return None
    return Reason(
        code="moved",
        text=f"It was moved from {was:%H:%M}, for the clocks went forward over that time.",
        next='nothing; with `dst = "skip"` it would not run in such a night',
    )


def late(facts: TickFacts) -> Reason | None:
    """Tell of a tick that was decided long after its time."""
    tick = facts.tick
    if tick.state not in (TickState.RAN, TickState.PENDING) or not (tick.reason or "").startswith("made up"):
        return None
    return Reason(
        code="late",
        text=f"It was {tick.reason}: no scheduler ran when it was due, or the host slept.",
        next='nothing; with `catchup = "none"` it would have been missed',
    )


def by_hand(facts: TickFacts) -> Reason | None:
    if facts.tick.reason != "triggered by a person":
        return None
    return Reason(code="by-hand", text="A person triggered it.", next="nothing")


TICK: tuple[Rule[TickFacts], ...] = (
    ran, pending, stood_for, missed, overlapped, skipped, paused, disabled,
)  # fmt: skip
ASIDE: tuple[Rule[TickFacts], ...] = (moved, late, by_hand)


def unreadable_table(facts: GapFacts) -> Reason | None:
    if facts.found is not None:
        return None
    return Reason(
        code="unreadable-table",
        text=f"Nothing is known of `{facts.row.name}` at {wall(facts.at, facts.zone)}, for its table has it no more,"
        " or cannot be read.",
        next=f"`jobrun cron check {quote(facts.row.table)}` tells what is wrong with it",
    )


def not_then(facts: GapFacts) -> Reason | None:
    """Say that its schedule has no run there, and when it has."""
    found, row = facts.found, facts.row
    if found is None or found.there is not None:
        return None
    near = [
        f"{word} {wall(each.at, facts.zone)}"
        for word, each in (("before it", found.before), ("after it", found.after))
        if each
    ]
    runs = f"; {', '.join(near)}" if near else ""
    return Reason(
        code="not-then",
        text=f"`{row.name}` is not due at {wall(facts.at, facts.zone)}: its schedule is `{row.schedule_text}`{runs}.",
        next=f"`jobrun cron next {quote(row.table)} {row.name}` shows when it is due",
    )


def to_come(facts: GapFacts) -> Reason | None:
    there = facts.there
    if there is None or there.at <= facts.now:
        return None
    return Reason(
        code="to-come",
        text=f"`{facts.row.name}` is due at {wall(there.at, facts.zone)}, {distance(there.at, facts.now)}.",
        next="nothing, it runs by itself then",
    )


def too_new(facts: GapFacts) -> Reason | None:
    there, row = facts.there, facts.row
    if there is None or there.at > row.since:
        return None
    return Reason(
        code="too-new",
        text=f"`{row.name}` did not run at {wall(there.at, facts.zone)}: it is new or was changed at"
        f" {wall(row.since, facts.zone)}, and nothing before is made up.",
        next=f"`jobrun cron trigger {quote(row.table)} {row.name}` runs it now",
    )


def unserved(facts: GapFacts) -> Reason | None:
    there, row = facts.there, facts.row
    if there is None or there.at <= row.done_until:
        return None
    return Reason(
        code="unserved",
        text=f"`{row.name}` was due at {wall(there.at, facts.zone)}, and no scheduler has served it yet;"
        f" one did last at {wall(row.done_until, facts.zone)}.",
        next=f"start one with `jobrun cron {quote(row.table)}`",
    )


def forgotten(facts: GapFacts) -> Reason | None:
    there = facts.there
    if there is None:
        return None
    return Reason(
        code="forgotten",
        text=f"`{facts.row.name}` was due at {wall(there.at, facts.zone)}, and what became of that is no longer kept.",
        next=f"`jobrun why {facts.row.name}` shows the ticks that are",
    )


GAP: tuple[Rule[GapFacts], ...] = (unreadable_table, not_then, to_come, too_new, unserved, forgotten)


def _name(facts: TickFacts) -> str:
    return f"`{facts.row.name}`"


def _trigger(facts: TickFacts) -> str:
    return f"`jobrun cron trigger {quote(facts.row.table)} {facts.row.name}`"


def _because(tick: Tick) -> str:
    return f": {tick.reason}" if tick.reason else ""


def _times(facts: TickFacts) -> str:
    tick = facts.tick
    if tick.last == tick.at:
        return f"at {wall(tick.at, facts.zone)}"
    count = "many times" if tick.count is None else f"{tick.count} times"
    return f"{count}, from {wall(tick.at, facts.zone)} to {wall(tick.last, facts.zone)}"


def _fate(job: Job | None, facts: TickFacts) -> str:
    """Return how the job stands that a tick became."""
    if job is None:
        return "which is no longer kept"
    if job.state in LIVE:
        return f"which is {job.state}"
    cause = f": {job.reason}" if job.reason and job.state is not State.SUCCEEDED else ""
    return f"which {ENDED[job.state]} {distance(job.finished_at or facts.now, facts.now)}{cause}"


def _doings(facts: TickFacts) -> str:
    """Return what the job in the way did when the tick was due, and what became of it."""
    job, at = facts.in_way, facts.tick.at
    if job is None:
        return ""
    if job.started_at is None or job.started_at > at:
        then = "which then waited"
    else:
        then = f"which had then run for {format_duration(max((at - job.started_at), timedelta()).total_seconds())}"
    if job.state in LIVE:
        return f", {then} and {'still runs' if job.state is State.RUNNING else f'is now {job.state}'}"
    return f", {then} and {ENDED[job.state]} {distance(job.finished_at or facts.now, facts.now)}"
