"""What tells at little cost how much goes on in a job file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobrun.lifecycle import settle
from jobrun.model import Ending, Job, Kind, NewJob, Outcome
from jobrun.store import Store, open_store
from jobrun.store.pulse import LOOKED_AT
from tests.claims import claim

NOW = datetime(2027, 1, 5, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def end(store: Store, queue: str, count: int, at: datetime, outcome: Outcome = Outcome.OK) -> list[Job]:
    store.intake.add([NewJob(kind=Kind.CALL, task="app:f", queue=queue)] * count, now=at)
    jobs = claim(store, *["w1"] * count, now=at, new_token=lambda: "t")
    ending = Ending(outcome=outcome)
    with store.group():
        for job in jobs:
            store.endings.settle(job, ending, settle(job, ending, at, 0.5), now=at, pid=None)
    return jobs


def test_a_commit_of_another_is_seen_and_silence_is_too(store: Store, path: Path) -> None:
    seen = [store.pulse.changes(), store.pulse.changes()]
    with open_store(path) as other:
        other.intake.add([NewJob(kind=Kind.CALL, task="app:f")], now=NOW)
    seen.append(store.pulse.changes())

    assert (seen[0] == seen[1], seen[1] == seen[2]) == (True, False)


def test_what_was_purged_has_ended_all_the_same(store: Store) -> None:
    jobs = end(store, "mail", 3, NOW)
    store.orders.purge([job.id for job in jobs])
    end(store, "web", 1, NOW, Outcome.ERROR)

    assert store.pulse.ended() == {"mail": 3, "web": 1}


def test_ends_in_a_second_are_those_of_the_span_whatever_they_were(store: Store) -> None:
    end(store, "mail", 5, NOW - MINUTE * 2)
    end(store, "mail", 30, NOW - MINUTE / 2)
    end(store, "mail", 30, NOW, Outcome.ERROR)

    assert store.pulse.ends_per_s(since=NOW - MINUTE, now=NOW) == {"mail": 1.0}


def test_of_very_many_ends_the_last_tell_how_many_there_are_in_a_second(store: Store) -> None:
    end(store, "mail", LOOKED_AT, NOW - MINUTE / 2)
    end(store, "mail", LOOKED_AT // 2, NOW - timedelta(seconds=10))
    end(store, "web", LOOKED_AT // 2, NOW - timedelta(seconds=1))

    assert store.pulse.ends_per_s(since=NOW - MINUTE, now=NOW) == {
        "mail": pytest.approx(LOOKED_AT / 2 / 10),
        "web": pytest.approx(LOOKED_AT / 2 / 10),
    }
