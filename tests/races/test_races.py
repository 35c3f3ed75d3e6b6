"""Every order in which two or three actors can meet: the result is that of some order without a race."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from jobrun import locks
from jobrun.store import endings, intake
from jobrun.store.ticks import Ticks
from tests.races import scenarios
from tests.races.scene import Arrange, Scene, one_run, serial
from tests.races.stage import every, points

# These have hundreds of schedules each; the drill `races` runs all of them.
LONG = {scenarios.claim_recover_finish, scenarios.cancel_finish_recover}
SOME = 40


@pytest.fixture(autouse=True)
def with_points() -> Iterator[None]:
    with points():
        yield


def faults_of(arrange: Arrange, expected: set[str], *, most: int | None = None) -> list[str]:
    """Return the first schedule that ends as none without a race would, or breaks what must hold."""
    for number, (played, looks, faults) in enumerate(every(partial(one_run, arrange))):
        if looks not in expected:
            faults.append(f"no order without a race ends in {looks}, but in {expected}")
        if faults or number == most:
            return [f"{played}: {fault}" for fault in faults]
    return []


@pytest.mark.parametrize("arrange", [*scenarios.PAIRS, *scenarios.TRIPLES], ids=lambda each: each.__name__)
def test_it_is_as_if_they_had_come_one_after_the_other(arrange: Arrange) -> None:
    assert faults_of(arrange, serial(arrange), most=SOME if arrange in LONG else None) == []


@pytest.mark.parametrize(
    "arrange",
    [scenarios.cancel_finish, scenarios.retry_purge, scenarios.key_key, scenarios.reload_serve],
    ids=lambda each: each.__name__,
)
def test_whoever_dies_at_any_point_leaves_nothing_half_done(arrange: Arrange) -> None:
    for played, _, faults in every(partial(one_run, arrange, kills=1)):
        assert faults == [], str(played)


def unguarded(arrange: Arrange) -> Arrange:
    """Take away the trigger, too, which would stop most of what a guard does not."""

    def arranged(scene: Scene) -> Any:
        with scene.store.group():
            scene.store._database.change("DROP TRIGGER jobs_refuse_transition")
            scene.store._database.change("DROP INDEX jobs_key")
        return arrange(scene)

    return arranged


BY_ID_ALONE = endings._MOVE[: endings._MOVE.index("AND jobs.state")] + "RETURNING jobs.id"


@pytest.mark.parametrize(
    ("place", "name", "weaker", "arrange"),
    [
        # River, issue 1302: who rescues stuck jobs overwrote those that had ended meanwhile.
        (endings, "_MOVE", BY_ID_ALONE, scenarios.claim_recover_finish),
        # Solid Queue, issue 589: jobs that had finished and failed.
        (endings, "_MOVE", BY_ID_ALONE, scenarios.finish_recover),
        (endings, "_MOVE", BY_ID_ALONE, scenarios.purge_late_finish),
        # Whoever takes a worker for dead without proof: Oban's Lifeline, Celery's visibility time-out.
        (locks, "is_held", lambda _: False, scenarios.finish_recover_living),
        (intake, "holder", lambda *_: None, scenarios.key_key),
        (Ticks, "_is_open", lambda *_: True, scenarios.serve_again),
    ],
    ids=[
        "overwritten",
        "ended twice",
        "ended after its end",
        "thought dead",
        "one key twice",
        "one tick twice",
    ],
)
def test_a_missing_guard_would_be_found(
    place: Any, name: str, weaker: Any, arrange: Callable[[Scene], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = serial(arrange)
    monkeypatch.setattr(place, name, weaker)

    assert faults_of(unguarded(arrange), expected) != []
