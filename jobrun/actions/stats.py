"""What ran, how often, how long and how well: figures of each work, and what became unusual about it."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from jobrun.measures import STEPS_MS
from jobrun.model import Outcome, State
from jobrun.ranks import percentile
from jobrun.store import Store
from jobrun.store.history import Run
from jobrun.units import from_ms, to_ms
from jobrun.unusual import Change, What, failing_more, shifted

PARTS = 48  # of the span of time, for a curve
CAUSES = 10  # that are told
FIGURES = 4  # figures of so many jobs take as long as a look at one
LEAST_MS, LEAST_BYTES = 100, 1024  # by which duration and output differ before anybody cares
_KEPT_CAUSES = 1000  # that differ; a work may fail in a million words
_CAUSE = 200  # characters
_FAILED = {
    Outcome.ERROR: 1,
    Outcome.TIMEOUT: 1,
    Outcome.CRASHED: 1,
    Outcome.OK: 0,
}  # others say nothing of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Percentiles by the nearest rank: values that were there."""

    count: int
    p50: int
    p95: int
    p99: int
    most: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A cause of failures: how often, when last, and the job that failed so last."""

    cause: str
    count: int
    last_at: datetime
    job_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the span of time."""

    at: datetime  # it begins
    runs: int
    failed: int  # or crashed


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkStats:
    """The figures of one work; durations are milliseconds, sizes bytes. A spread is None when nothing was measured."""

    work: str
    jobs: Mapping[State, int]  # that have ended
    runs: int  # attempts of those jobs
    failed: int  # runs that ended in an error or at a time limit
    crashed: int
    retries: int  # runs that were not the first of their job
    wait: Spread | None
    took: Spread | None
    cpu: Spread | None
    peak_rss: Spread | None
    output_size: Spread | None
    parts: tuple[Part, ...]
    durations: tuple[int, ...]  # runs up to each of `STEPS_MS`, and beyond the last
    changes: tuple[Change, ...]
    causes: tuple[Cause, ...]  # the most frequent first


def gather(
    store: Store, *, which: str | None, since: datetime, now: datetime, tell: Callable[[int], None]
) -> list[WorkStats]:
    """Return the figures of each work whose jobs have ended since an instant, the most troubled first.

    `tell` hears how many more jobs were looked at, and then a part of that again, for the figures.
    """
    pasts: dict[str, _Past] = {}
    for looked_at, runs in store.history.runs(since=since, which=which):
        _add(pasts, runs)
        tell(looked_at)
    every = []
    for work, past in pasts.items():
        every.append(_figures(work, past, since, now))
        tell(past.jobs.total() // FIGURES)
    return sorted(
        every, key=lambda each: (not each.changes, -(each.failed + each.crashed), -each.runs, each.work)
    )


class _Past:
    """The runs of one work, a column each: a million of them take 50 MB."""

    def __init__(self) -> None:
        self.jobs: Counter[str] = Counter()
        self.outcomes: list[str] = []  # the words are the same few objects
        self.ended, self.took = array("q"), array("q")
        self.output, self.wait = array("q"), array("q")
        self.cpu, self.rss = array("q"), array("q")
        self.retries = 0
        self.causes: dict[str, list[int]] = {}  # count, last time, job


def _add(pasts: dict[str, _Past], runs: Iterable[Run]) -> None:
    words = {str(outcome): str(outcome) for outcome in Outcome}
    for run in runs:
        past = pasts.get(run.work)
        if past is None:
            past = pasts[run.work] = _Past()
        if run.number is None or run.number == 1:
            past.jobs[run.state] += 1
        else:
            past.retries += 1
        if run.outcome is None or run.ended_ms is None or run.took_ms is None or run.output_size is None:
            continue
        past.outcomes.append(words[run.outcome])
        past.ended.append(run.ended_ms)
        past.took.append(run.took_ms)
        past.output.append(run.output_size)
        if run.wait_ms is not None:
            past.wait.append(run.wait_ms)
        if run.cpu_ms is not None:
            past.cpu.append(run.cpu_ms)
        if run.peak_rss is not None:
            past.rss.append(run.peak_rss)
        if run.cause is not None:
            _add_cause(past.causes, run.cause[:_CAUSE], run.ended_ms, run.job_id)


def _add_cause(causes: dict[str, list[int]], cause: str, ended_ms: int, job_id: int) -> None:
    known = causes.get(cause)
    if known is not None:
        known[0] += 1
        if ended_ms >= known[1]:
            known[1:] = [ended_ms, job_id]
    elif len(causes) < _KEPT_CAUSES:
        causes[cause] = [1, ended_ms, job_id]


def _figures(work: str, past: _Past, since: datetime, now: datetime) -> WorkStats:
    outcomes = Counter(past.outcomes)
    return WorkStats(
        work=work,
        jobs={State(state): count for state, count in sorted(past.jobs.items())},
        runs=len(past.outcomes),
        failed=outcomes[Outcome.ERROR] + outcomes[Outcome.TIMEOUT],
        crashed=outcomes[Outcome.CRASHED],
        retries=past.retries,
        wait=_spread(past.wait),
        took=_spread(past.took),
        cpu=_spread(past.cpu),
        peak_rss=_spread(past.rss),
        output_size=_spread(past.output),
        parts=_parts(past, since, now),
        durations=_durations(past.took),
        changes=_changes(past),
        causes=_causes(past.causes),
    )


def _spread(values: Sequence[int]) -> Spread | None:
    if not values:
        return None
    ascending = sorted(values)
    return Spread(
        count=len(ascending),
        p50=percentile(ascending, 50),
        p95=percentile(ascending, 95),
        p99=percentile(ascending, 99),
        most=ascending[-1],
        total=sum(ascending),
    )


def _parts(past: _Past, since: datetime, now: datetime) -> tuple[Part, ...]:
    """Return how many runs ended in each part of the span; what ended before it is in the first."""
    begin, span = to_ms(since), max(to_ms(now) - to_ms(since), 1)
    runs, failed = [0] * PARTS, [0] * PARTS
    for ended, outcome in zip(past.ended, past.outcomes, strict=True):
        place = min(max((ended - begin) * PARTS // span, 0), PARTS - 1)
        runs[place] += 1
        failed[place] += _FAILED.get(outcome, 0)  # type: ignore[call-overload]
    starts = [from_ms(begin + span * place // PARTS) for place in range(PARTS)]
    return tuple(
        Part(at=at, runs=all_, failed=bad) for at, all_, bad in zip(starts, runs, failed, strict=True)
    )


def _durations(took: Sequence[int]) -> tuple[int, ...]:
    counts = [0] * (len(STEPS_MS) + 1)
    for value, count in Counter(took).items():
        counts[bisect_left(STEPS_MS, value)] += count
    return tuple(counts)


def _changes(past: _Past) -> tuple[Change, ...]:
    """Return what became unusual; how long runs take and what they print is told by those that ended well."""
    order = sorted(range(len(past.ended)), key=past.ended.__getitem__)
    well = [place for place in order if past.outcomes[place] == Outcome.OK]
    judged = [place for place in order if past.outcomes[place] in _FAILED]
    found = (
        shifted(What.DURATION, [past.took[place] for place in well], least=LEAST_MS),
        shifted(What.OUTPUT, [past.output[place] for place in well], least=LEAST_BYTES),
        failing_more([int(past.outcomes[place] != Outcome.OK) for place in judged]),
    )
    return tuple(change for change in found if change is not None)


def _causes(causes: Mapping[str, Sequence[int]]) -> tuple[Cause, ...]:
    most = sorted(causes.items(), key=lambda each: (-each[1][0], -each[1][1]))[:CAUSES]
    return tuple(
        Cause(cause=cause, count=count, last_at=from_ms(last), job_id=job_id)
        for cause, (count, last, job_id) in most
    )
