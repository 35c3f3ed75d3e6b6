"""What a screen shows of a picture: one sheet a panel, all of it text that no terminal obeys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from jobrun.actions.looking import WorkerView
from jobrun.actions.watching import Picture, QueueView, RunView
from jobrun.cli import tables
from jobrun.cli.caller import zone_to_show
from jobrun.cli.human import distance
from jobrun.cli.render import STATE_STYLES
from jobrun.cli.safe import safe_line
from jobrun.cron.words import Coming
from jobrun.measures import Pause, Usual
from jobrun.model import Job
from jobrun.units import format_duration

BAR = 8  # cells
LONG = 1.25  # times the median: below that a run is as usual, however little they differ
FAR = 2.0  # times the usual: a run is far longer than that


class Panel(StrEnum):
    """A part of the screen; its word is its heading."""

    RUNNING = "running"
    QUEUES = "queues"
    FAILED = "failed"
    WORKERS = "workers"
    NEXT = "next"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A column of a sheet."""

    title: str
    is_number: bool = False
    may_shrink: bool = False
    from_width: int = 0  # of the panel; a narrower one goes without it


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    style: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What stands for one thing; by its key the selection stays on it wherever it moves."""

    key: str
    cells: tuple[Cell, ...]
    job_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    panel: Panel
    heads: tuple[Head, ...]
    rows: tuple[Row, ...]
    nothing: str  # what an empty one says


def sheets(picture: Picture, coming: Sequence[Coming]) -> tuple[Sheet, ...]:
    """Return all panels, in the order in which one goes from one to the next."""
    return (
        _running(picture),
        _queues(picture),
        _failed(picture),
        _workers(picture),
        _next(coming, picture.at),
    )


def _running(picture: Picture) -> Sheet:
    return Sheet(
        panel=Panel.RUNNING,
        heads=(
            Head(title=f"running {len(picture.running)}", may_shrink=True),
            Head(title="id", is_number=True),
            Head(title="queue"),
            Head(title="try", is_number=True, from_width=90),
            Head(title="for", is_number=True),
            Head(title="usually", is_number=True),
            Head(title=""),
            Head(title="worker", from_width=110),
        ),
        rows=tuple(_run_row(view, picture.at) for view in picture.running),
        nothing="nothing runs",
    )


def _run_row(view: RunView, now: datetime) -> Row:
    job, elapsed_s = view.job, view.elapsed_s(now)
    style = pace_style(elapsed_s, view.usual)
    return _row(
        str(job.id),
        _title(job),
        str(job.id),
        job.queue,
        _tries(job),
        Cell(format_duration(int(elapsed_s)), style),
        "" if view.usual is None else _usually(view.usual.median_s),
        Cell("to be cancelled", "magenta") if job.cancel_at else Cell(bar(elapsed_s, view.usual), style),
        job.worker or "",
        job=job,
    )


def _usually(seconds: float) -> str:
    return format_duration(round(seconds, 1) if seconds >= 1 else seconds)


def pace_style(elapsed_s: float, usual: Usual | None) -> str:
    """Return the colour of a run: that it is long, or far too long, for what it is."""
    if usual is None or elapsed_s <= max(usual.p95_s, usual.median_s * LONG, usual.median_s + 1):
        return ""
    return "red" if elapsed_s > FAR * usual.p95_s else "magenta"


def bar(elapsed_s: float, usual: Usual | None) -> str:
    """Return how much of its usual time a run has had.

    >>> half = Usual(median_s=10, p95_s=12, count=9)
    >>> bar(5, half), bar(31, half)
    ('####....', '3.1 times')
    """
    if usual is None or usual.median_s <= 0:
        return ""
    part = elapsed_s / usual.median_s
    if part >= FAR:
        return f"{part:.1f} times" if part < 100 else "100 times+"
    full = min(round(part * BAR), BAR)
    return "#" * full + "." * (BAR - full)


def _queues(picture: Picture) -> Sheet:
    counted_s = (picture.at - picture.measures.at).total_seconds()
    counted = f"counted {format_duration(int(counted_s))} ago" if counted_s >= 10 else ""
    return Sheet(
        panel=Panel.QUEUES,
        heads=(
            Head(title=f"queues {len(picture.queues)}", may_shrink=True),
            Head(title="ready", is_number=True),
            Head(title="running", is_number=True),
            Head(title="oldest wait", is_number=True),
            Head(title="ends/min", is_number=True),
            Head(title=counted, may_shrink=True),
        ),
        rows=tuple(
            _queue_row(view, picture.at)
            for view in sorted(picture.queues, key=lambda view: (not _needs_eyes(view), view.measure.queue))
        ),
        nothing="nothing waits",
    )


def _needs_eyes(view: QueueView) -> bool:
    """Say whether something waits or is paused: such queues stand first, where there is no room for all."""
    return bool(view.measure.ready or view.measure.pause)


def _queue_row(view: QueueView, now: datetime) -> Row:
    it = view.measure
    return _row(
        it.queue,
        it.queue,
        f"{it.ready:,}",
        str(it.running),
        "" if it.oldest_at is None else format_duration(int(it.oldest_wait(now).total_seconds())),
        rate(view.per_minute),
        "" if it.pause is None else Cell(pause_text(it.pause, now), "magenta"),
    )


def rate(per_minute: float) -> str:
    """Return a number with as many digits as say something.

    >>> rate(0.0), rate(0.04), rate(2.04), rate(12.3), rate(90_000.0)
    ('0', '<0.1', '2', '12', '90,000')
    """
    if 0 < per_minute < 0.1:
        return "<0.1"
    return f"{round(per_minute, 1):g}" if per_minute < 10 else f"{per_minute:,.0f}"


def pause_text(pause: Pause, now: datetime) -> str:
    """Return who paused a queue, for how long still, and why."""
    until = "" if pause.until is None else f", ends {distance(pause.until, now)}"
    reason = f": {pause.reason}" if pause.reason else ""
    return f"paused by {pause.by}{until}{reason}"


def _failed(picture: Picture) -> Sheet:
    count = picture.measures.failed + picture.measures.crashed
    return Sheet(
        panel=Panel.FAILED,
        heads=(
            Head(title=f"failed {max(count, len(picture.troubled)):,}", may_shrink=True),
            Head(title="id", is_number=True),
            Head(title="queue", from_width=90),
            Head(title="try", is_number=True),
            Head(title="when"),
            Head(title="why", may_shrink=True),
        ),
        rows=tuple(
            _row(
                str(job.id),
                _title(job),
                str(job.id),
                job.queue,
                _tries(job),
                tables.moment(job, picture.at),
                Cell(tables.why(job) or job.state, STATE_STYLES.get(job.state, "")),
                job=job,
            )
            for job in picture.troubled
        ),
        nothing="nothing failed",
    )


def _workers(picture: Picture) -> Sheet:
    return Sheet(
        panel=Panel.WORKERS,
        heads=(
            Head(title=f"workers {picture.living}"),
            Head(title="pid", is_number=True),
            Head(title="queues", may_shrink=True),
            Head(title="alive"),
            Head(title="since", from_width=70),
            Head(title="job", is_number=True),
            Head(title="task", may_shrink=True),
        ),
        rows=tuple(_worker_row(worker, picture.at) for worker in picture.workers),
        nothing="no worker is running; start one with `jobrun worker`",
    )


def _worker_row(worker: WorkerView, now: datetime) -> Row:
    row, job = worker.row, worker.job
    alive = "no" if not worker.is_alive else "stopping" if row.stopping_at else "yes"
    return _row(
        row.name,
        row.name,
        str(row.pid),
        ",".join(row.queues) or "all",
        Cell(alive, {"no": "red", "stopping": "magenta"}.get(alive, "")),
        distance(row.started_at, now),
        "" if job is None else str(job.id),
        "" if job is None else _title(job),
        job=job,
    )


def _next(coming: Sequence[Coming], now: datetime) -> Sheet:
    here = zone_to_show()
    return Sheet(
        panel=Panel.NEXT,
        heads=(
            Head(title="next", may_shrink=True),
            Head(title="in", is_number=True),
            Head(title="at"),
            Head(title="task", may_shrink=True, from_width=60),
            Head(title="note", may_shrink=True, from_width=60),
        ),
        rows=tuple(
            _row(
                each.entry.name,
                each.entry.name,
                distance(max(each.occurrence.at, now), now).removeprefix("in "),
                f"{each.occurrence.at.astimezone(here):%a %d %b %H:%M:%S}",
                each.entry.task,
                tables.note(each, here),
            )
            for each in coming
        ),
        nothing="no entry of a table is to run",
    )


def _row(key: str, *cells: str | Cell, job: Job | None = None) -> Row:
    made = (each if isinstance(each, Cell) else Cell(each) for each in cells)
    shown = tuple(Cell(safe_line(each.text), each.style) for each in made)
    return Row(key=key, cells=shown, job_id=None if job is None else job.id)


def _title(job: Job) -> str:
    return f"{job.name}: {job.task}" if job.name else f"{job.entry}: {job.task}" if job.entry else job.task


def _tries(job: Job) -> str:
    return f"{job.attempt}/{job.max_attempts}" if job.max_attempts > 1 else ""
