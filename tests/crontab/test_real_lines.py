"""What people have in their crontabs: all of it becomes a table, and runs when it did."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jobrun.crontab.importing import Imported

Import = Callable[..., Imported]

TEXT = Path(__file__).with_name("real_lines.txt").read_text(encoding="utf-8")
SECTIONS = re.findall(r"^\[(user|system)\] (.+)\n((?:(?!\[).*\n?)+)", TEXT, re.MULTILINE)
NAMES = [title for _, title, _ in SECTIONS]

# Not compared, for cron draws these at random.
DRAWN = {"0~59 3 * * 0", "~ * * * *", "~ 3 ~ * *"}
# The eves of changes of the clocks in Berlin, New York and Lord Howe.
EVES = [
    datetime(2027, *day, 12, tzinfo=UTC) for day in ((3, 13), (3, 27), (4, 3), (10, 2), (10, 30), (11, 6))
]


def test_there_are_two_hundred_lines(import_text: Import) -> None:
    counts = [len(import_text(text, has_users=kind == "system").blocks) for kind, _, text in SECTIONS]

    assert sum(counts) >= 200


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


@pytest.mark.parametrize("eve", EVES, ids=str)
def test_a_change_of_the_clocks_is_no_difference(import_text: Import, eve: datetime) -> None:
    texts = [text for kind, _, text in SECTIONS if kind == "user"]

    found = [import_text(text, now=eve).comparison.different for text in texts]

    assert [each for each in found if each] == []
