"""A table is read again when anything has changed that it depends on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jobrun import zone
from jobrun.errors import UsageError
from jobrun.scheduler.source import SETTLED_S, Source

TABLE = '[jobs.report]\nshell = "true"\nevery = "1h"\nenv_file = "report.env"\n'

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Put a new file in place of another."""

    def written(name: str, text: str) -> Path:
        draft = tmp_path / "draft"
        draft.write_text(text, encoding="utf-8")
        draft.chmod(0o600)
        return draft.replace(tmp_path / name)

    return written


@pytest.fixture
def source(write: Write) -> Source:
    write("report.env", "STYLE=short\n")
    source = Source(write("jobs.toml", TABLE), {"TZ": "UTC"})
    source.read()
    return source


def has_changed(source: Source) -> bool:
    return source.has_changed(10.0) or source.has_changed(10.0 + SETTLED_S)


def style(source: Source) -> str:
    [entry] = source.read().entries
    assert entry.surroundings is not None
    return entry.surroundings.environment["STYLE"]


def test_a_file_of_variables_belongs_to_the_table(source: Source, write: Write) -> None:
    assert not has_changed(source)

    write("report.env", "STYLE=long\n")

    assert has_changed(source)
    assert style(source) == "long"
    assert not has_changed(source)


def test_a_file_of_variables_that_was_not_there_is_waited_for(source: Source, write: Write) -> None:
    write("jobs.toml", TABLE.replace("report.env", "other.env"))
    with pytest.raises(UsageError, match="has 1 problem"):
        source.read()
    assert not has_changed(source)

    write("other.env", "STYLE=other\n")

    assert has_changed(source)
    assert style(source) == "other"


def test_new_zone_data_are_a_change(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zone, "RULES", (write("tzdata.zi", "# version 2025b\n"),))
    source = Source(write("jobs.toml", ""), {"TZ": "UTC"})
    assert not has_changed(source)

    write("tzdata.zi", "# version 2026f\n")

    assert has_changed(source)
