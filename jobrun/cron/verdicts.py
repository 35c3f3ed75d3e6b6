"""What becomes of ticks that have fallen due: which run, which wait, and why the others do not.

Nothing here looks at a clock or a file. Each due tick gets exactly one verdict, so that whatever did not
run can be asked about; those that nobody could serve any more share one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from jobrun.cron import jobs
from jobrun.cron.due import Due
from jobrun.cron.words import Catchup, Entry, EntryRow, NewTick, Occurrence, Overlap, TickState

LATE_S = 60.0  # a tick that is served later than this was missed: crond looks once a minute
MOST_CAUGHT_UP = 100
_LARGEST_WINDOW_S = 3600.0  # unless the entry says otherwise
_CATCHUP_S = 10.0  # what is served later than this is told so


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """How things stand when ticks are decided."""

    now: datetime
    row: EntryRow
    live: Sequence[int] = ()  # ids of the entry's jobs that wait or run
    has_pending: bool = False  # a tick waits for the end of such a job


def window_s(entry: Entry, interval_s: float) -> float:
    """Return for how long after its time a tick may still be made up, in seconds.

    `interval_s` is the time to the next tick. What is served within `LATE_S`, and before that, is not late.
    """
    if entry.catchup is Catchup.NONE:
        return LATE_S
    if entry.catchup_window_s is not None:
        return max(entry.catchup_window_s, LATE_S)
    return max(min(interval_s / 2, _LARGEST_WINDOW_S), min(interval_s, LATE_S))


def decide(entry: Entry, due: Due, situation: Situation) -> list[NewTick]:
    """Return the verdicts on all due ticks, oldest first."""
    row = situation.row
    verdicts = [
        _withheld(entry, older, row) or replace(older, reason="no scheduler served it in time")
        for older in due.older
    ]
    served: list[Occurrence] = []
    for tick in due.recent:
        if (verdict := _withheld(entry, _tick(tick, TickState.MISSED), row)) is not None:
            verdicts.append(verdict)
        else:
            served.append(tick)
    chosen = _chosen(entry, served)
    late = [_missed(tick, situation.now) for tick in served if tick not in chosen]
    return sorted([*verdicts, *late, *_started(entry, chosen, due, situation)], key=lambda tick: tick.at)


def is_made_up(at: datetime, *, decided_at: datetime) -> bool:
    """Say whether a tick was decided so late that its job is told so; how long it waited then does not count."""
    return decided_at - at > timedelta(seconds=_CATCHUP_S)


def _withheld(entry: Entry, missed: NewTick, row: EntryRow) -> NewTick | None:
    """Return the verdict on ticks that do not run, however late it is; None on all others."""
    if not entry.is_enabled:
        return replace(missed, state=TickState.DISABLED)
    if row.is_paused_at(missed.at) and row.is_paused_at(missed.end):
        return replace(missed, state=TickState.PAUSED)
    if missed.end < row.since:
        return replace(missed, reason="no scheduler served it before its entry was changed")
    return None


def _chosen(entry: Entry, ticks: Sequence[Occurrence]) -> list[Occurrence]:
    """Return those that are made up: one run stands for all that were missed, unless all were asked for."""
    if entry.catchup is Catchup.ALL:
        return list(ticks[-MOST_CAUGHT_UP:])
    return list(ticks[-1:])


def _missed(tick: Occurrence, now: datetime) -> NewTick:
    late_s = round((now - tick.at).total_seconds())
    return replace(
        _tick(tick, TickState.MISSED), reason=f"served {late_s} s late, a later tick stands for it"
    )


def _started(entry: Entry, ticks: Sequence[Occurrence], due: Due, situation: Situation) -> list[NewTick]:
    """Return the verdicts on ticks that are to run, one after the other where one is in the way."""
    verdicts = []
    live = list(situation.live)
    is_taken = bool(live) or situation.has_pending
    is_alone = len(ticks) == 1  # what is made up of several runs one after the other, whatever overlaps
    for tick in ticks:
        if not is_taken or (entry.overlap is Overlap.ALLOW and is_alone):
            verdicts.append(_run(entry, tick, due, situation))
            is_taken = True
        elif entry.overlap is Overlap.SKIP and is_alone:
            skipped = replace(_tick(tick, TickState.SKIPPED), in_way=live[0] if live else None)
            verdicts.append(replace(skipped, reason=_in_the_way(live)))
        else:
            waits = replace(_tick(tick, TickState.PENDING), in_way=live[0] if live else None)
            verdicts.append(replace(waits, reason=_made_up(tick, situation.now)))
    return verdicts


def _in_the_way(live: Sequence[int]) -> str:
    return f"job {live[0]} was in the way" if live else "an earlier tick still waited"


def _run(entry: Entry, tick: Occurrence, due: Due, situation: Situation) -> NewTick:
    is_catchup = is_made_up(tick.at, decided_at=situation.now)
    if is_catchup:
        window = window_s(entry, due.interval_s)
        wait = jobs.catchup_delay(entry, window_s=window, interval_s=due.interval_s)
        run_at = situation.now + wait
    else:
        run_at = tick.at + jobs.delay(entry, tick.at, interval_s=due.interval_s)
    job = jobs.job_of(entry, at=tick.at, run_at=run_at, is_catchup=is_catchup)
    return replace(_tick(tick, TickState.RAN), job=job, reason=_made_up(tick, situation.now))


def _made_up(tick: Occurrence, now: datetime) -> str | None:
    late_s = round((now - tick.at).total_seconds())
    return f"made up {late_s} s after its time" if is_made_up(tick.at, decided_at=now) else None


def _tick(tick: Occurrence, state: TickState) -> NewTick:
    return NewTick(at=tick.at, state=state, moved_from=tick.moved_from)
