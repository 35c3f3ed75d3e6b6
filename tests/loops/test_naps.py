"""A dispatcher that was stopped itself: time in which nothing ran counts against no limit."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from jobrun.dispatcher.limits import Limits
from jobrun.dispatcher.seat import Seat
from jobrun.dispatcher.settings import Settings, World
from jobrun.model import Job
from jobrun.wire.messages import Run
from tests.loops.conftest import FakeWorker, Scene

LIMIT_S = 10.0


@pytest.mark.parametrize(("slept_s", "left_s"), [(1.0, 9.0), (2.5, 7.5), (60.0, 10.0)])
def test_a_sleep_that_was_much_too_long_counts_against_no_time_limit(
    busy: Callable[..., tuple[FakeWorker, Run, int]], scene: Scene, slept_s: float, left_s: float
) -> None:
    _, _, job_id = busy(timeout_s=LIMIT_S)
    seat = _seat(scene, scene.job(job_id))

    woke_at = _rest(scene, seat, slept_s)

    assert seat.due_at is not None
    assert seat.due_at - woke_at == left_s


def test_a_deadline_is_a_time_of_day_and_stays(
    busy: Callable[..., tuple[FakeWorker, Run, int]], scene: Scene
) -> None:
    _, _, job_id = busy(deadline_s=LIMIT_S)
    seat = _seat(scene, scene.job(job_id))

    woke_at = _rest(scene, seat, 60.0)

    assert seat.due_at is not None
    assert seat.due_at < woke_at


def test_a_job_that_was_told_to_end_keeps_its_grace(
    busy: Callable[..., tuple[FakeWorker, Run, int]], scene: Scene
) -> None:
    _, order, _ = busy(timeout_s=LIMIT_S)
    [seat] = scene.desk._seats
    scene.step(after_s=LIMIT_S)
    kill_at = seat.kill_at
    assert kill_at is not None

    _rest(scene, seat, 60.0)

    assert seat.kill_at == kill_at + 60.0
    assert seat.first is not None
    assert seat.first.token == order.token


def _seat(scene: Scene, job: Job) -> Seat:
    [seat] = scene.desk._seats
    assert seat.first is not None
    assert seat.first.id == job.id
    return seat


def _rest(scene: Scene, seat: Seat, slept_s: float) -> float:
    """Have a dispatcher sleep for a second at most, and be stopped meanwhile; return when it woke."""
    moments = iter((scene.clock_s, scene.clock_s + slept_s))
    settings = Settings(
        path=Path("jobs.db"),
        workers=1,
        queues=(),
        burst=False,
        drain_s=30.0,
        grace_s=10.0,
        group_pid=1,
        generation=1,
    )
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"rings")
        poll = select.poll()
        poll.register(ours.fileno(), select.POLLIN)
        limits = Limits(settings, scene.desk._control, World(monotonic=lambda: next(moments)))
        limits.rest([seat], poll, 1.0)
    return scene.clock_s + slept_s
