"""The figures of works: a table with one a line, one in full, and what became unusual."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from jobrun.actions.stats import Spread, WorkStats
from jobrun.cli import render
from jobrun.cli.cells import cells
from jobrun.cli.curves import bar, curve
from jobrun.cli.human import distance, local
from jobrun.cli.render import GAP, Column
from jobrun.measures import STEPS_MS
from jobrun.model import State
from jobrun.units import format_duration, format_size, plural, rfc3339
from jobrun.unusual import Change, What

_CURVE = 16  # cells
_WIDEST = 48
_WORK = 24  # cells that a name has before figures give way
_CAUSES = 5


class _Figure(NamedTuple):
    """A column, and how it is filled; where there is no room those of the highest rank go first."""

    title: str
    rank: int
    cell: Callable[[WorkStats], str]
    is_number: bool = True


def table(found: Sequence[WorkStats]) -> None:
    """Print works, one a line, and below them what became unusual."""
    shown = _that_fit(found)
    columns = [
        Column(title=each.title, is_number=each.is_number, may_shrink=each.title == "work") for each in shown
    ]
    render.table(columns, [[each.cell(stats) for each in shown] for stats in found])
    unusual = [(stats.work, change) for stats in found for change in stats.changes]
    if unusual:
        render.heading("became unusual")
        for work, change in unusual:
            render.words([f"{work}:", *in_words(change).split()])


def page(stats: WorkStats, now: datetime) -> None:
    """Print the figures of one work in full."""
    ended = ", ".join(f"{count} {state}" for state, count in stats.jobs.items())
    render.facts(
        [
            ("work", stats.work),
            ("jobs", ended),
            ("runs", f"{stats.runs}: {_run_words(stats)}"),
            ("wait", _spread(stats.wait, _ms)),
            ("run time", _spread(stats.took, _ms)),
            ("CPU time", _spread(stats.cpu, _ms, total=True)),
            ("peak memory", _spread(stats.peak_rss, format_size)),
            ("output", _spread(stats.output_size, format_size)),
        ]
    )
    for change in stats.changes:
        render.facts([("unusual", f"it {in_words(change)}")])
    _over_time(stats)
    _durations(stats)
    _causes(stats, now)


def in_words(change: Change) -> str:
    """Return what changed, as it follows the name of a work."""
    against = f"(last {plural(change.recent, 'run')} against {change.past} before)"
    if change.what is What.FAILURES:
        return f"fails {_share(change.now, change.recent)} of the time, {_share(change.was, change.past)} before {against}"
    if change.what is What.DURATION:
        return f"takes {_ms(change.now)}, {_ms(change.was)} before {against}"
    return f"prints {format_size(change.now)}, {format_size(change.was)} before {against}"


def stats_object(stats: WorkStats) -> dict[str, Any]:
    """Return the figures of a work; spans of time are seconds, sizes bytes."""
    return {
        "work": stats.work,
        "jobs": {state: stats.jobs.get(state, 0) for state in State if state.is_final},
        "runs": stats.runs,
        "failed": stats.failed,
        "crashed": stats.crashed,
        "retries": stats.retries,
        "wait_s": _spread_object(stats.wait, 1000),
        "run_s": _spread_object(stats.took, 1000),
        "cpu_s": _spread_object(stats.cpu, 1000),
        "peak_rss": _spread_object(stats.peak_rss, 1),
        "output_size": _spread_object(stats.output_size, 1),
        "over_time": [
            {"at": rfc3339(part.at), "runs": part.runs, "failed": part.failed} for part in stats.parts
        ],
        "durations": [
            {"up_to_s": up_to, "runs": count}
            for up_to, count in zip([*(step / 1000 for step in STEPS_MS), None], stats.durations, strict=True)
        ],
        "unusual": [_change_object(change) for change in stats.changes],
        "causes": [
            {"cause": each.cause, "count": each.count, "last_at": rfc3339(each.last_at), "job": each.job_id}
            for each in stats.causes
        ],
    }


_FIGURES = (
    _Figure("work", 0, lambda stats: stats.work, is_number=False),
    _Figure("runs", 0, lambda stats: str(stats.runs)),
    _Figure("failed", 0, lambda stats: _some(stats.failed)),
    _Figure("crashed", 1, lambda stats: _some(stats.crashed)),
    _Figure("retries", 3, lambda stats: _some(stats.retries)),
    _Figure("wait p50", 6, lambda stats: _ms(stats.wait.p50) if stats.wait else ""),
    _Figure("wait p95", 2, lambda stats: _ms(stats.wait.p95) if stats.wait else ""),
    _Figure("wait p99", 7, lambda stats: _ms(stats.wait.p99) if stats.wait else ""),
    _Figure("run p50", 0, lambda stats: _ms(stats.took.p50) if stats.took else ""),
    _Figure("run p95", 0, lambda stats: _ms(stats.took.p95) if stats.took else ""),
    _Figure("run p99", 4, lambda stats: _ms(stats.took.p99) if stats.took else ""),
    _Figure("cpu p50", 5, lambda stats: _ms(stats.cpu.p50) if stats.cpu else ""),
    _Figure("memory", 4, lambda stats: format_size(stats.peak_rss.most) if stats.peak_rss else ""),
    _Figure(
        "over time", 1, lambda stats: curve([each.runs for each in stats.parts], _CURVE), is_number=False
    ),
)


def _that_fit(found: Sequence[WorkStats]) -> list[_Figure]:
    """Return the columns that there is room for: on a terminal the less needed give way to the names."""
    shown = [each for each in _FIGURES if any(each.cell(stats) for stats in found)]
    if not render.is_fancy():
        return shown
    edge = shutil.get_terminal_size().columns
    while sum(_width(each, found) for each in shown) - len(GAP) > edge:
        last = max(shown, key=lambda each: each.rank)
        if not last.rank:
            break
        shown = [each for each in shown if each is not last]
    return shown


def _width(figure: _Figure, found: Sequence[WorkStats]) -> int:
    widest = max(cells(text) for text in [figure.title, *map(figure.cell, found)])
    return (min(widest, _WORK) if figure.title == "work" else widest) + len(GAP)


def _some(count: int) -> str:
    return str(count) if count else ""


def _ms(milliseconds: int) -> str:
    return format_duration(milliseconds / 1000)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.3g} %"


def _run_words(stats: WorkStats) -> str:
    parts = [
        f"{count} {word}"
        for word, count in (
            ("failed", stats.failed),
            ("crashed", stats.crashed),
            ("retries of others" if stats.retries != 1 else "retry of another", stats.retries),
        )
        if count
    ]
    return ", ".join(parts) or "none failed"


def _spread(spread: Spread | None, written: Callable[[int], str], *, total: bool = False) -> str:
    if spread is None:
        return ""
    told = f"{written(spread.p50)} p50, {written(spread.p95)} p95, {written(spread.p99)} p99, {written(spread.most)} most"
    return f"{told}; {written(spread.total)} in all" if total else told


def _over_time(stats: WorkStats) -> None:
    """Print how many ran and how many failed in each part of the time."""
    runs, failed = [part.runs for part in stats.parts], [part.failed for part in stats.parts]
    if not any(runs):
        return
    since = local(stats.parts[0].at, timespec="minutes")
    each = format_duration((stats.parts[1].at - stats.parts[0].at).total_seconds())
    render.heading(f"over time, since {since}; each cell is {each}")
    render.line(f"  runs    {curve(runs, _WIDEST)}  up to {max(runs)}".rstrip())
    if any(failed):
        render.line(f"  failed  {curve(failed, _WIDEST)}  up to {max(failed)}".rstrip())


def _durations(stats: WorkStats) -> None:
    """Print how many runs took how long."""
    steps = [f"up to {format_duration(step / 1000)}" for step in STEPS_MS]
    rows = list(zip([*steps, "longer"], stats.durations, strict=True))
    there = [place for place, (_, count) in enumerate(rows) if count]
    if not there:
        return
    render.heading("run time")
    most, digits = max(stats.durations), len(str(max(stats.durations)))
    for title, count in rows[there[0] : there[-1] + 1]:
        render.line(f"  {title:<11}  {count:>{digits}}  {bar(count, most, _WIDEST - digits - 7)}".rstrip())


def _causes(stats: WorkStats, now: datetime) -> None:
    if not stats.causes:
        return
    render.heading("failures by cause")
    columns = (
        Column(title="runs", is_number=True),
        Column(title="last"),
        Column(title="job", is_number=True),
        Column(title="cause", may_shrink=True),
    )
    shown = stats.causes[:_CAUSES]
    render.table(
        columns,
        [[str(each.count), distance(each.last_at, now), str(each.job_id), each.cause] for each in shown],
    )
    render.remark(f"`jobrun why {shown[0].job_id}` tells of the last of the most frequent")


def _spread_object(spread: Spread | None, unit: int) -> dict[str, Any] | None:
    if spread is None:
        return None
    values = {
        "p50": spread.p50,
        "p95": spread.p95,
        "p99": spread.p99,
        "max": spread.most,
        "total": spread.total,
    }
    return {
        "count": spread.count,
        **{name: value / unit if unit > 1 else value for name, value in values.items()},
    }


def _change_object(change: Change) -> dict[str, Any]:
    """Return a change: seconds, bytes, or the part of the runs that failed."""
    was, now = float(change.was), float(change.now)
    if change.what is What.DURATION:
        was, now = was / 1000, now / 1000
    elif change.what is What.FAILURES:
        was, now = was / change.past, now / change.recent
    return {
        "what": change.what,
        "was": was,
        "now": now,
        "runs": change.recent,
        "runs_before": change.past,
        "text": in_words(change),
    }
