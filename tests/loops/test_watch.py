"""The scheduler as it watches over its host, on clocks that are moved by hand.

What tells is a call here, which is left to workers: nobody starts a process of their own for it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from jobrun.errors import NoRoom
from jobrun.model import JobFilter, Kind, NewJob
from jobrun.scheduler.watch import EVERY_S
from tests.loops.test_scheduler import HOURLY, Scene, begin

__all__ = ["begin"]

BACKLOG = """
[alerts.backlog]
depth = 3
queue = "mail"
for = "1m"
remind = "10m"
call = "app:tell"
"""
MINUTE = timedelta(minutes=1)


def fill(scene: Scene, count: int) -> None:
    jobs = [NewJob(kind=Kind.CALL, task="app:send", queue="mail")] * count
    scene.store.intake.add(jobs, now=scene.clock.now)


def empty(scene: Scene) -> None:
    for job in scene.jobs():
        if job.queue == "mail":
            scene.store.orders.cancel(job.id, now=scene.clock.now)


def told(scene: Scene) -> list[Any]:
    """Return the events that were told, the oldest first."""
    found = scene.store.ledger.select(JobFilter(tag="alert"), limit=100, newest_first=False)
    return [job.args[0] for job in found]


def states(scene: Scene) -> list[str]:
    return [event["state"] for event in told(scene)]


def run(scene: Scene, span: timedelta) -> None:
    scene.run(span, pace=timedelta(seconds=10))


def test_an_alert_is_told_once_reminded_and_told_when_over(begin: Callable[..., Scene]) -> None:
    scene = begin(BACKLOG)
    run(scene, MINUTE)
    fill(scene, 3)
    run(scene, timedelta(seconds=60))
    assert states(scene) == []

    run(scene, timedelta(seconds=20))
    assert states(scene) == ["firing"]
    run(scene, timedelta(minutes=9))
    assert states(scene) == ["firing"]
    run(scene, MINUTE)
    assert states(scene) == ["firing", "reminder"]
    empty(scene)
    run(scene, timedelta(minutes=30))

    assert states(scene) == ["firing", "reminder", "over"]
    firing, _, over = told(scene)
    assert (firing["value"], over["value"]) == (3, 0)
    assert firing["since"] == over["since"]


def test_a_restart_tells_nothing_anew(begin: Callable[..., Scene]) -> None:
    scene = begin(BACKLOG)
    fill(scene, 3)
    for _ in range(5):
        run(scene, timedelta(seconds=30))
        scene = begin()

    assert states(scene) == ["firing"]


def test_a_changed_alert_begins_anew_after_the_old_one_is_told_over(begin: Callable[..., Scene]) -> None:
    scene = begin(BACKLOG)
    fill(scene, 3)
    run(scene, 2 * MINUTE)

    scene.write(BACKLOG.replace("depth = 3", "depth = 2"))
    scene.reload()
    assert states(scene) == ["firing", "over"]
    run(scene, 2 * MINUTE)

    assert states(scene) == ["firing", "over", "firing"]


def test_a_table_with_a_fault_changes_no_alert(begin: Callable[..., Scene]) -> None:
    scene = begin(BACKLOG)
    before = scene.store.alerts.rows()

    scene.write(BACKLOG.replace('for = "1m"', "for = 60"))
    scene.reload()

    assert scene.store.alerts.rows() == before
    assert "the table is kept as it was" in scene.log.read_text()


def test_an_alert_of_another_table_refuses_all_of_this_one(begin: Callable[..., Scene]) -> None:
    scene = begin(BACKLOG)
    other = begin(HOURLY, name="other.toml")

    other.write(HOURLY.replace("hourly", "daily") + BACKLOG)
    other.reload()

    assert [row.name for row in scene.store.entries.rows()] == ["hourly"]
    assert [row.table for row in scene.store.alerts.rows()] == [str(scene.table)]
    assert "alert `backlog` is in `" in scene.log.read_text()


def test_looks_are_every_ten_seconds_and_more_often_for_a_shorter_span(
    begin: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []
    scene = begin(BACKLOG)
    of = type(scene.store.readings).of

    def counted(*args: Any, **kwargs: Any) -> Any:
        looks.append(scene.clock.boot_s)
        return of(*args, **kwargs)

    monkeypatch.setattr(type(scene.store.readings), "of", counted)
    monkeypatch.setattr(scene.scheduler._watch, "_cpu_s", lambda: 0.0)  # no matter how slow this machine is
    scene.run(3 * timedelta(seconds=EVERY_S), pace=timedelta(seconds=1))
    seldom = len(looks)
    scene.write(BACKLOG.replace('for = "1m"', 'for = "4s"'))
    scene.reload()
    looks.clear()
    scene.run(3 * timedelta(seconds=EVERY_S), pace=timedelta(seconds=1))

    assert (seldom, len(looks)) == (3, 15)


def test_the_more_work_a_look_is_the_more_seldom_it_is(
    begin: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = begin(BACKLOG)
    looks: list[float] = []
    spent_s = [0.0]
    of = type(scene.store.readings).of

    def slow(*args: Any, **kwargs: Any) -> Any:
        looks.append(scene.clock.boot_s)
        spent_s[0] += 0.5
        return of(*args, **kwargs)

    monkeypatch.setattr(type(scene.store.readings), "of", slow)
    monkeypatch.setattr(scene.scheduler._watch, "_cpu_s", lambda: spent_s[0])
    scene.run(timedelta(seconds=220), pace=timedelta(seconds=1))

    assert [round(later - first) for first, later in pairwise(looks)] == [50, 50, 50, 50]


def test_the_first_look_waits_for_the_workers_of_the_group(begin: Callable[..., Scene]) -> None:
    scene = begin('[alerts.deserted]\nno_worker = true\ncall = "app:tell"\n')

    scene.run(timedelta(seconds=EVERY_S - 1), pace=timedelta(seconds=1))
    assert states(scene) == []
    run(scene, MINUTE)

    assert states(scene) == ["firing"]


def test_a_table_without_alerts_looks_at_nothing(
    begin: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = begin(HOURLY)

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("nobody asked for this")

    monkeypatch.setattr(type(scene.store.readings), "of", refuse)
    run(scene, MINUTE)

    assert told(scene) == []


def test_with_no_room_it_is_told_when_there_is_room_again(
    begin: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = begin(BACKLOG.replace('for = "1m"', ""))
    fill(scene, 3)

    def full(*_: Any, **__: Any) -> Any:
        raise NoRoom("no room")

    with monkeypatch.context() as patch:
        patch.setattr(type(scene.store.alerts), "move", full)
        run(scene, MINUTE)
    assert states(scene) == []
    run(scene, MINUTE)

    assert states(scene) == ["firing"]


def test_ticks_go_before_alerts(begin: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch) -> None:
    scene = begin(HOURLY + BACKLOG)
    scene.clock.pass_(timedelta(hours=1))

    def broken(*_: Any, **__: Any) -> Any:
        raise NoRoom("no room")

    monkeypatch.setattr(type(scene.store.readings), "of", broken)
    scene.step()

    assert scene.ran() == ["10 04:00"]


def test_a_missed_tick_is_told_after_it_was_found_to_be_missed(begin: Callable[..., Scene]) -> None:
    text = HOURLY + '[alerts.asleep]\nmissed = 1\nover = "2h"\ncall = "app:tell"\n'
    scene = begin(text)
    run(scene, MINUTE)
    scene.clock.pass_(timedelta(hours=9))

    run(scene, MINUTE)
    assert states(scene) == ["firing"]
    run(scene, timedelta(hours=3))

    assert states(scene) == ["firing", "over"]
    assert "8 ticks missed in 2h" in told(scene)[0]["text"]
