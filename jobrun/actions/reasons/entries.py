"""Why an entry of a table does not run, or how it stands."""

from __future__ import annotations

from shlex import quote

from jobrun.actions.reasons.words import EntryFacts, Reason, Rule, every
from jobrun.cron.words import Special, TickState
from jobrun.units import distance, format_duration, plural, wall


def of_entry(facts: EntryFacts) -> list[Reason]:
    """Return all that keeps an entry from running, or else when it runs."""
    return every(STANDING, facts) or [comes(facts)]


def removed(facts: EntryFacts) -> Reason | None:
    row = facts.row
    if row.removed_at is None:
        return None
    return Reason(
        code="removed",
        text=f"It was removed from its table {distance(row.removed_at, facts.now)}, and runs no more.",
        next=f"put it into `{row.table}` again, if it is missed",
    )


def disabled(facts: EntryFacts) -> Reason | None:
    row = facts.row
    if row.is_enabled or row.removed_at is not None:
        return None
    return Reason(
        code="disabled",
        text="It is disabled in its table.",
        next=f"set `enabled = true` in `{row.table}`",
    )


def paused(facts: EntryFacts) -> Reason | None:
    row = facts.row
    if not row.is_paused_at(facts.now) or row.paused_at is None:
        return None
    until = "until somebody resumes it"
    if row.paused_until is not None:
        until = f"until {wall(row.paused_until, facts.zone)} ({distance(row.paused_until, facts.now)})"
    return Reason(
        code="paused",
        text=f"It was paused {distance(row.paused_at, facts.now)}, {until}.",
        next=f"`jobrun cron resume {row.name}` ends the pause",
    )


def no_scheduler(facts: EntryFacts) -> Reason | None:
    if facts.table.scheduler is not None or facts.row.removed_at is not None:
        return None
    return Reason(
        code="no-scheduler",
        text=f"No scheduler serves its table; all that was due until {wall(facts.row.done_until, facts.zone)}"
        " is decided.",
        next=f"start one with `jobrun cron {quote(facts.row.table)}`",
    )


def table_refused(facts: EntryFacts) -> Reason | None:
    """Say that the scheduler goes on with an older table."""
    if facts.table.problem is None:
        return None
    return Reason(
        code="table-refused",
        text="The last change of its table was refused, and the table before it is in force.",
        next=f"`jobrun cron check {quote(facts.row.table)}` tells what is wrong with it",
    )


def waits(facts: EntryFacts) -> Reason | None:
    """Tell of a tick that waits for the end of a job."""
    tick = next((each for each in reversed(facts.ticks) if each.state is TickState.PENDING), None)
    if tick is None:
        return None
    way = "the ticks before it" if tick.in_way is None else f"job {tick.in_way}"
    return Reason(
        code="pending",
        text=f"Its tick of {wall(tick.at, facts.zone)} waits for the end of {way}.",
        next="nothing, they run one after the other"
        if tick.in_way is None
        else f"`jobrun why {tick.in_way}` tells why that has not ended",
    )


def failing(facts: EntryFacts) -> Reason | None:
    row = facts.row
    if row.failing_since is None:
        return None
    lasts = format_duration(max((facts.now - row.failing_since).total_seconds(), 0))
    last = next((tick.job_id for tick in facts.ticks if tick.job_id is not None), None)
    return Reason(
        code="failing",
        text=f"It has failed for {lasts}, {plural(row.failed_runs, 'run')} in a row.",
        next=f"`jobrun stats {row.name}` groups its failures by cause"
        + ("" if last is None else f", `jobrun why {last}` tells of the last run"),
    )


def by_hand_alone(facts: EntryFacts) -> Reason | None:
    if facts.entry is None or facts.entry.schedule is not Special.MANUAL:
        return None
    return Reason(
        code="manual",
        text="It has no time of its own: it runs when a person triggers it.",
        next=f"`jobrun cron trigger {quote(facts.row.table)} {facts.row.name}` runs it now",
    )


def comes(facts: EntryFacts) -> Reason:
    """Say that nothing is in its way."""
    at, row = facts.next_at, facts.row
    if at is None:
        return Reason(
            code="unknown",
            text="When it runs next cannot be told from its table.",
            next=f"`jobrun cron check {quote(row.table)}` tells what is wrong with it",
        )
    return Reason(
        code="to-come",
        text=f"It runs next at {wall(at, facts.zone)}, {distance(at, facts.now)}.",
        next=f"nothing; `jobrun cron trigger {quote(row.table)} {row.name}` runs it at once",
    )


STANDING: tuple[Rule[EntryFacts], ...] = (
    removed,
    disabled,
    paused,
    no_scheduler,
    table_refused,
    waits,
    failing,
    by_hand_alone,
)
