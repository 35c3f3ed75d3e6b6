"""One picture, printed or as JSON, where nobody watches."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from jobrun.actions.watching import Picture, QueueView, RunView
from jobrun.cli import render
from jobrun.cli.caller import zone_to_show
from jobrun.cli.jsonout import job_object
from jobrun.cli.jsonviews import coming_object, worker_object
from jobrun.cli.top.painting import Painter, plain
from jobrun.cli.top.screen import Scene, snapshot
from jobrun.cli.top.sheets import sheets
from jobrun.cli.top.sight import Sight
from jobrun.cli.top.steering import Aim
from jobrun.cron.words import Coming
from jobrun.units import rfc3339


def look(path: Path, now: datetime) -> Sight:
    """Look at a job file once; raises `JobrunError`."""
    with closing(Sight(path, now)) as sight:
        return sight


def text(sight: Sight) -> str:
    """Return all that the screen would show; on a terminal its lines are cut to fit."""
    aim = Aim()
    shown = sheets(sight.picture, sight.coming)
    width = shutil.get_terminal_size().columns if render.is_fitted() else None
    lines = snapshot(Scene(path=str(sight.path), picture=sight.picture, sheets=shown, aim=aim), width)
    painted = Painter().painted if render.is_fancy() else plain
    return "".join(f"{painted(line)}\n" for line in lines)


def picture_object(picture: Picture, coming: Sequence[Coming]) -> dict[str, Any]:
    """Return a picture for programs; `counted_at` is of what waits and what failed."""
    here = zone_to_show()
    return {
        "at": rfc3339(picture.at),
        "counted_at": rfc3339(picture.measures.at),
        "ready": picture.measures.ready,
        "scheduled": picture.measures.scheduled,
        "failed": picture.measures.failed,
        "crashed": picture.measures.crashed,
        "missed_ticks": picture.measures.missed,
        "running": [_run_object(view, picture.at) for view in picture.running],
        "queues": [_queue_object(view, picture.at) for view in picture.queues],
        "troubled": [job_object(job) for job in picture.troubled],
        "workers": [worker_object(worker) for worker in picture.workers],
        "coming": [coming_object(each, here) for each in coming],
    }


def _run_object(view: RunView, now: datetime) -> dict[str, Any]:
    usual = view.usual
    return {
        **job_object(view.job),
        "elapsed_s": round(view.elapsed_s(now), 3),
        "usual_s": usual and usual.median_s,
        "usual_p95_s": usual and usual.p95_s,
        "usual_runs": usual and usual.count,
    }


def _queue_object(view: QueueView, now: datetime) -> dict[str, Any]:
    it, pause = view.measure, view.measure.pause
    return {
        "queue": it.queue,
        "ready": it.ready,
        "running": it.running,
        "oldest_wait_s": round(it.oldest_wait(now).total_seconds(), 3),
        "ends_per_minute": round(view.per_minute, 3),
        "pause": pause
        and {
            "since": rfc3339(pause.since),
            "until": pause.until and rfc3339(pause.until),
            "by": pause.by,
            "reason": pause.reason,
        },
    }
