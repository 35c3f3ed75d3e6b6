from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from jobrun.cron.words import Entry
from jobrun.table import Table, TableError, read_table

Read = Callable[[str], Table]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.toml"


@pytest.fixture
def reread(path: Path) -> Callable[[], Table]:
    """Read the file as it is."""
    zone = ZoneInfo("Europe/Berlin")
    return lambda: read_table(path, local=zone, local_name="Europe/Berlin", environ={"TERM": "vt100"})


@pytest.fixture
def read(path: Path, reread: Callable[[], Table]) -> Read:
    """Read a table with this text."""

    def write_and_read(text: str) -> Table:
        path.write_text(text, encoding="utf-8", newline="")
        path.chmod(0o600)
        return reread()

    return write_and_read


@pytest.fixture
def entry(read: Read) -> Callable[[str], Entry]:
    """Read the only entry of a table, a shell line each hour unless it says otherwise."""

    def of_text(lines: str) -> Entry:
        [only] = read(f"[jobs.a]\n{completed(lines)}").entries
        return only

    return of_text


@pytest.fixture
def problems(read: Read, path: Path) -> Callable[[str], list[str]]:
    """Return the problems of a table, each from its line on."""

    def of_text(text: str) -> list[str]:
        with pytest.raises(TableError) as found:
            read(text)
        assert found.value.exit_code == 2
        return [told.removeprefix(f"{path}:") for told in found.value.details]

    return of_text


def completed(lines: str) -> str:
    """Give a job what it needs and does not say itself."""
    keys = {line.partition("=")[0].strip() for line in lines.splitlines()}
    what = "" if keys & {"call", "shell", "command"} else 'shell = "true"\n'
    when = "" if keys & {"schedule", "every"} else 'every = "1h"\n'
    return f"{lines}\n{what}{when}"
