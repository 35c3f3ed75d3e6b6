"""Two jobs, one worker, one dispatcher: whoever dies wherever, each job ends once, and nothing begins unrecorded."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from jobrun.dispatcher.books import Books
from jobrun.wire.messages import Greeting, Hello
from jobrun.worker.loop import Worker
from tests.races.protocol import Story, points, tell
from tests.races.stage import every


@pytest.fixture(autouse=True)
def with_points() -> Iterator[None]:
    with points():
        yield


def first_fault(*, dispatchers: int, workers: int = 0, switches: int = 1) -> Story | None:
    run = partial(tell, dispatchers=dispatchers, workers=workers, switches=switches)
    return next((story for story in every(run) if story.faults), None)


@pytest.mark.parametrize(
    "how",
    [{"dispatchers": 1, "switches": 0}, {"dispatchers": 0, "workers": 1, "switches": 0}, {"dispatchers": 0}],
    ids=["the dispatcher dies", "the worker dies", "one cuts the other short"],
)
def test_each_job_ends_once_wherever(how: dict[str, int]) -> None:
    story = first_fault(**how)

    assert story is None, (story and story.faults, str(story))


def say_nothing_of_ends(self: Worker, greeting: Greeting) -> None:
    for token in self._unsettled.tokens():
        self._unsettled.settle(token, stays_shelved=False)
    hello = Hello(generation=greeting.generation, number=greeting.number, unsettled=[], running=self._token)
    self._post.channel.send(hello)


@pytest.mark.parametrize(
    ("place", "name", "weaker"),
    [(Worker, "_greet", say_nothing_of_ends), (Books, "find_running", lambda *_: None)],
    ids=["an ending is forgotten", "nothing is taken over"],
)
def test_a_missing_precaution_would_be_found(
    place: Any, name: str, weaker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, name, weaker)

    assert first_fault(dispatchers=1, switches=0) is not None
