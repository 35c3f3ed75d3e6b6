"""What is critical, what is a warning, and what an operator is left in peace with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobrun.health import PATIENCE_S, Health, Level, TableVitals, Thresholds, Vitals, judge, strictest
from jobrun.measures import Measures, Pause, QueueMeasure

NOW = datetime(2027, 1, 5, 3, tzinfo=UTC)
DAY = timedelta(days=1)
ANY: tuple[str, ...] = ()


def queue(
    name: str = "mail", *, ready: int = 0, running: int = 0, wait_s: float = 0, paused: bool = False
) -> QueueMeasure:
    pause = Pause(queue=name, since=NOW, until=None, by="ann", reason=None)
    return QueueMeasure(
        queue=name,
        ready=ready,
        running=running,
        oldest_at=NOW - timedelta(seconds=wait_s) if ready else None,
        pause=pause if paused else None,
    )


def vitals(
    *queues: QueueMeasure,
    workers: Sequence[Sequence[str]] = (ANY,),
    tables: Sequence[TableVitals] = (),
    lost: int = 0,
    **more: int,
) -> Vitals:
    facts: dict[str, Any] = {"scheduled": 0, "failed": 0, "crashed": 0, "missed": 0, **more}
    found = Measures(at=NOW, queues=queues, since=NOW - DAY, **facts)
    return Vitals(measures=found, workers=workers, tables=tables, lost=lost)


def told(found: Health) -> tuple[Level, list[str]]:
    """Return the level, and the facts that are not as they should be."""
    return found.level, [fact.text for fact in found.facts if fact.level]


def test_a_host_that_works_is_well_without_any_threshold() -> None:
    busy = vitals(queue(ready=9000, running=4, wait_s=90_000), failed=3, crashed=2, missed=7, scheduled=5)

    found = judge(busy, Thresholds())

    assert [fact.text for fact in found.facts] == [
        "9000 ready", "oldest 1d 1h", "4 running", "1 worker", "5 failed or crashed", "7 ticks missed in 1d",
    ]  # fmt: skip
    assert found.level is Level.OK


@pytest.mark.parametrize(
    ("thresholds", "level", "text"),
    [
        (Thresholds(max_depth=9), Level.CRITICAL, "10 ready (more than 9)"),
        (Thresholds(max_depth=10), Level.OK, None),
        (Thresholds(warn_depth=9, max_depth=10), Level.WARNING, "10 ready (more than 9)"),
        (Thresholds(warn_depth=0, max_depth=9), Level.CRITICAL, "10 ready (more than 9)"),
        (Thresholds(max_wait=299.0), Level.CRITICAL, "oldest 5m (more than 4m 59s)"),
        (Thresholds(max_wait=300.0), Level.OK, None),
        (Thresholds(warn_wait=60.0), Level.WARNING, "oldest 5m (more than 1m)"),
        (Thresholds(max_failed=4), Level.CRITICAL, "5 failed or crashed (more than 4)"),
        (Thresholds(warn_failed=0), Level.WARNING, "5 failed or crashed (more than 0)"),
        (Thresholds(max_missed=1), Level.CRITICAL, "2 ticks missed in 1d (more than 1)"),
        (Thresholds(warn_missed=1), Level.WARNING, "2 ticks missed in 1d (more than 1)"),
        (Thresholds(min_workers=3), Level.CRITICAL, "2 workers (fewer than 3)"),
        (Thresholds(min_workers=2), Level.OK, None),
        (Thresholds(min_workers=2, warn_workers=3), Level.WARNING, "2 workers (fewer than 3)"),
        (Thresholds(min_schedulers=2), Level.CRITICAL, "1 scheduler (fewer than 2)"),
    ],
)
def test_a_threshold_may_be_reached_and_not_passed(
    thresholds: Thresholds, level: Level, text: str | None
) -> None:
    found = judge(
        vitals(
            queue(ready=10, wait_s=300),
            workers=[ANY, ANY],
            tables=[TableVitals(path="jobs.toml", is_served=True)],
            failed=3,
            crashed=2,
            missed=2,
        ),
        thresholds,
    )

    assert told(found) == (level, [] if text is None else [text])


def test_the_worst_is_told_first() -> None:
    found = judge(vitals(queue(ready=2), failed=1), Thresholds(warn_depth=1, max_failed=0))

    assert [fact.level for fact in found.facts] == [Level.CRITICAL, Level.WARNING, *[Level.OK] * 2]


def test_jobs_that_nobody_would_run_are_critical_after_a_minute() -> None:
    late, early = queue("mail", ready=3, wait_s=PATIENCE_S), queue("web", ready=9, wait_s=PATIENCE_S - 1)

    assert told(judge(vitals(late, early, workers=[("web",)]), Thresholds())) == (
        Level.CRITICAL,
        ["no worker for `mail`: 3 jobs waiting, the oldest for 1m"],
    )
    assert judge(vitals(early, workers=[]), Thresholds()).level is Level.OK
    assert judge(vitals(late, workers=[ANY]), Thresholds()).level is Level.OK
    assert judge(vitals(late, workers=[]), Thresholds(min_workers=0)).level is Level.OK


def test_many_queues_without_a_worker_are_one_fact() -> None:
    queues = [queue(name, ready=2, wait_s=120 + n) for n, name in enumerate("abcde")]

    assert told(judge(vitals(*queues, workers=[]), Thresholds()))[1] == [
        "no worker for `a`, `b`, `c` and 2 more: 10 jobs waiting, the oldest for 2m 4s"
    ]


def test_jobs_of_dead_workers_are_critical_when_nobody_is_left_to_end_them() -> None:
    left = "2 jobs left behind by dead workers"

    assert told(judge(vitals(lost=2, workers=[]), Thresholds())) == (Level.CRITICAL, [left])
    assert told(judge(vitals(lost=2), Thresholds())) == (Level.OK, [])


def test_a_paused_queue_may_let_its_jobs_wait_but_not_grow_beyond_its_depth() -> None:
    resting = vitals(queue(ready=8, wait_s=9999, paused=True), workers=[])

    found = judge(resting, Thresholds(max_wait=1.0))

    assert (found.level, found.paused, found.facts[-1].text) == (Level.OK, ("mail",), "paused: `mail`")
    assert judge(resting, Thresholds(max_depth=7)).level is Level.CRITICAL


def test_a_table_that_nobody_schedules_is_critical() -> None:
    tables = [
        TableVitals(path="/etc/a.toml", is_served=False),
        TableVitals(path="/etc/b.toml", is_served=True),
    ]

    assert told(judge(vitals(tables=tables), Thresholds())) == (
        Level.CRITICAL,
        ["no scheduler for `/etc/a.toml`"],
    )
    assert judge(vitals(tables=tables), Thresholds(min_schedulers=0)).level is Level.OK


def test_one_queue_is_judged_by_its_own_depth_wait_and_workers() -> None:
    everything = vitals(
        queue("mail", ready=1, wait_s=5),
        queue("web", ready=50, wait_s=500),
        workers=[("web",), ("mail", "web")],
        tables=[TableVitals(path="jobs.toml", is_served=False)],
        failed=9,
    )
    limits = Thresholds(max_depth=1, max_wait=10.0, max_failed=0, warn_workers=2)

    assert told(judge(everything, limits, queue="mail")) == (Level.WARNING, ["1 worker (fewer than 2)"])
    assert told(judge(everything, limits, queue="none"))[0] is Level.WARNING


def test_what_is_given_wins_and_of_several_tables_the_strictest() -> None:
    one = Thresholds(max_depth=100, min_workers=2, warn_failed=5)
    other = Thresholds(max_depth=50, min_workers=4, since=60.0)

    both = strictest([one, other])

    assert both == Thresholds(max_depth=50, min_workers=4, warn_failed=5, since=60.0)
    assert Thresholds(max_depth=500, warn_failed=0).over(both) == Thresholds(
        max_depth=500, min_workers=4, warn_failed=0, since=60.0
    )
    assert strictest([]) == Thresholds()
