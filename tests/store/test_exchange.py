"""An export that is imported is the same job file; whatever is drawn, it is sound."""

from __future__ import annotations

import io
import json
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from jobrun.actions import exchange
from jobrun.actions.exchange import Source
from jobrun.cron.words import NewTick, TickState
from jobrun.errors import JobFileUnusable
from jobrun.model import Edit, JobFilter, Kind, NewJob, Terms
from jobrun.store import Store, open_store, rows
from jobrun.store.exporting import Wanted, _check_goes_on
from jobrun.store.importing import Choice
from jobrun.store.lines import TABLES
from jobrun.units import from_ms
from tests.store.machine import GROUND, START
from tests.store.wholemachine import StoreMachine

NOW = from_ms(START + 10_000_000)
Lines = list[dict[str, Any]]


def exported(store: Store, **wanted: Any) -> Lines:
    pages = exchange.lines(
        store, Wanted(**{"with_environments": True, **wanted}), now=NOW, tell=lambda _: None
    )
    return [line for page in pages for line in page]


def imported(lines: Lines, path: Path, **choice: Any) -> exchange.Imported:
    text = "".join(json.dumps(line) + "\n" for line in lines).encode()
    return exchange.take_in(
        path, Source(stream=io.BytesIO(text), name="lines"), Choice(**choice), lambda _: None
    )


def unsound(store: Store) -> list[str]:
    found = [
        broken.what for range_ in store.soundness.job_ranges() for broken in store.soundness.jobs(*range_)
    ]
    return [*found, *(broken.what for broken in store.soundness.rest(is_full=True))]


def test_rows_that_lead_back_in_a_damaged_file_are_not_exported_for_ever() -> None:
    _check_goes_on([], ["b", 2], "tick")
    _check_goes_on(["b", 2], ["b", 3], "tick")

    for again in (["b", 2], ["a", 9]):
        with pytest.raises(JobFileUnusable, match="what follows tick `b`"):
            _check_goes_on(["b", 2], again, "tick")


def test_every_term_of_a_job_is_read_as_what_it_is() -> None:
    assert set(rows._TERMS) == {field.name for field in fields(Terms)}


class ExchangeMachine(StoreMachine):
    """A store that is exported at the end of each history, when most is in it."""

    def teardown(self) -> None:
        try:
            self.go_round()
        finally:
            super().teardown()

    def go_round(self) -> None:
        first = exported(self.store)
        assert unsound(self.store) == []
        with tempfile.TemporaryDirectory(dir=GROUND) as folder:
            generations = [first]
            open_store(
                Path(folder) / "c.db", create=True
            ).close()  # one that is there is filled in another way
            for name in ("b.db", "c.db"):
                imported(generations[-1], Path(folder) / name)
                with open_store(Path(folder) / name) as store:
                    generations.append(exported(store))
                    assert unsound(store) == []
        assert generations[1] == generations[2]
        is_calm = not any(
            row["state"] == "running"
            or (row["queue"].startswith(".") and row["state"] in {"scheduled", "ready"})
            for row in self.paper.jobs.values()
        )
        if is_calm:
            assert generations[0] == generations[1]


TestExchange = ExchangeMachine.TestCase
TestExchange.settings = settings(max_examples=50, stateful_step_count=80, deadline=None)


NOT_EXPORTED = {
    "workers": "they are processes of the host that it came from",
    "tables": "and so are those that schedule them",
    "pings": "it is for that host to tell its monitors",
    "alerts": "a scheduler makes their rows when it takes its table",
}


def test_every_table_is_exported_or_left_out_for_a_reason(store: Store) -> None:
    with closing(sqlite3.connect(store.path)) as connection:
        tables = connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()

    assert sorted(name for (name,) in tables) == sorted([*TABLES.values(), *NOT_EXPORTED])


@pytest.mark.parametrize("there", ["no file", "an empty file", "a file with jobs"])
def test_what_people_changed_and_what_was_counted_comes_along(
    store: Store, tmp_path: Path, there: str
) -> None:
    new = NewJob(kind=Kind.CALL, task="app:f")
    [added] = store.intake.add([new], now=NOW)
    job = store.ledger.get(added.id)
    assert job is not None
    edit = Edit(at=NOW, by="anna", changes="priority 0 -> 5")
    store.edits.make(job, replace(new, priority=5), edit)
    missed = NewTick(at=NOW, state=TickState.MISSED, last=NOW + timedelta(hours=6), count=7)
    store.ticks.record("nightly", missed, now=NOW)
    store.ticks.forget_before(NOW + timedelta(days=1), limit=9)
    target = tmp_path / "other.db"
    if there != "no file":
        with open_store(target, create=True) as other:
            other.intake.add([new] * 3 * (there == "a file with jobs"), now=NOW)

    imported(exported(store), target, merges=True)

    with open_store(target) as other:
        [newest] = other.ledger.ids(JobFilter(), limit=1)
        assert other.edits.of(newest) == [edit]
        assert unsound(other) == []
        if there != "a file with jobs":  # it goes on counting from its own numbers
            assert other.tallies.all() == store.tallies.all()
            assert [each.count for each in other.tallies.all().ticks] == [7]
