"""What tables say of the host, as the job file keeps it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jobrun.store import Store

NOW = datetime(2027, 1, 5, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def since_of(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [since for (since,) in connection.execute("SELECT since FROM sections")]


def test_a_section_is_kept_until_its_table_says_it_no_more(store: Store, tmp_path: Path) -> None:
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    one.touch()
    other.touch()
    store.sections.put(str(one), {"health": {"max_depth": 1}, "retention": {"keep": 2.0}}, now=NOW)
    store.sections.put(str(other), {"health": {"max_depth": 3}}, now=NOW)

    store.sections.put(str(one), {"health": {"max_depth": 4}}, now=LATER)

    assert store.sections.all() == {
        str(one): {"health": {"max_depth": 4}},
        str(other): {"health": {"max_depth": 3}},
    }


def test_what_a_table_says_that_is_gone_ends_when_the_next_one_is_read(store: Store, tmp_path: Path) -> None:
    there = tmp_path / "there.toml"
    there.touch()
    store.sections.put(str(tmp_path / "gone.toml"), {"health": {}}, now=NOW)

    store.sections.put(str(there), {}, now=LATER)

    assert store.sections.all() == {}


def test_who_says_the_same_again_has_said_it_since_the_first_time(store: Store, path: Path) -> None:
    for now in (NOW, LATER):
        store.sections.put("/jobs.toml", {"health": {"max_depth": 1}}, now=now)

    assert since_of(path) == [NOW.timestamp() * 1000]
