"""What people have in their crontabs: all of it becomes a table, and runs when it did."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from jobrun.cron.occurrences import upcoming
from jobrun.cron.words import Entry
from jobrun.crontab import oldreading
from jobrun.crontab.blocks import blocks
from jobrun.crontab.importing import Imported
from jobrun.crontab.lines import Line, read
from jobrun.crontab.page import table
from jobrun.crontab.sources import of_bytes
from jobrun.table import read_table

Import = Callable[..., Imported]

BERLIN = ZoneInfo("Europe/Berlin")
TEXT = Path(__file__).with_name("real_lines.txt").read_text(encoding="utf-8")
SECTIONS = re.findall(r"^\[(user|system)\] (.+)\n((?:(?!\[).*\n?)+)", TEXT, re.MULTILINE)
NAMES = [title for _, title, _ in SECTIONS]

# Not compared, for cron draws these at random.
DRAWN = {"0~59 3 * * 0", "~ * * * *", "~ 3 ~ * *"}
# Days on which Berlin, New York or Lord Howe change their clocks.
CHANGES = [datetime(2027, *day, tzinfo=UTC) for day in ((3, 14), (3, 28), (4, 3), (10, 2), (10, 31), (11, 7))]


def test_there_are_two_hundred_lines() -> None:
    sources = [of_bytes(title, text.encode(), has_users=kind == "system") for kind, title, text in SECTIONS]

    assert sum(len(read(source)[0]) for source in sources) >= 200


@pytest.mark.parametrize(("kind", "title", "text"), SECTIONS, ids=NAMES)
def test_every_line_is_carried_over_and_runs_at_the_same_times(
    import_text: Import, kind: str, title: str, text: str
) -> None:
    result = import_text(text, has_users=kind == "system")

    assert result.refused == []
    assert result.comparison.different == [], title
    drawn = {block.line.when for block in result.blocks if block.name in result.comparison.not_compared}
    assert drawn == DRAWN & {block.line.when for block in result.blocks}
    assert set(tomllib.loads(result.text)["jobs"]) == {block.name for block in result.blocks}


@pytest.fixture(scope="module")
def both_readings(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Line, Entry]]:
    """Return a line of a user for each schedule, together with the entry that it became."""
    lines = [
        line
        for kind, title, text in SECTIONS
        if kind == "user"
        for line in read(of_bytes(title, text.encode(), has_users=False))[0]
    ]
    made, refused = blocks(lines)
    path = tmp_path_factory.mktemp("table") / "jobs.toml"
    path.write_text(table(made, []), encoding="utf-8")
    read_back = read_table(path, local=BERLIN, local_name="Europe/Berlin", environ={})
    assert refused == []
    both = zip((block.line for block in made), read_back.entries, strict=True)
    return list({(line.when, entry.zone_name): (line, entry) for line, entry in both}.values())


@pytest.mark.parametrize("day", CHANGES, ids=str)
def test_a_change_of_the_clocks_is_no_difference(
    both_readings: list[tuple[Line, Entry]], day: datetime
) -> None:
    until = day + timedelta(days=2)
    for line, entry in both_readings:
        if (reading := oldreading.read(line.when)) is not None:
            zone = ZoneInfo(line.settings.get("CRON_TZ", "Europe/Berlin"))
            old = oldreading.runs(reading, zone, day, count=10_000, until=until)
            new = [each.at for each in takewhile(lambda each: each.at <= until, upcoming(entry, day))]
            assert new == old, line.text
