"""The sections of a table that are about the host: read like all else in it, and explained on the page."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable

import pytest

from jobrun.table.sections import SECTIONS
from tests.table.conftest import Read
from tests.table.test_page import EXAMPLES, PAGE

Problems = Callable[[str], list[str]]


def told(section: str) -> dict[str, str]:
    """Return the keys that the page has of a section, and of what type each is."""
    part = PAGE.partition(f".Sh {section.upper()}\n")[2].partition("\n.Sh ")[0]
    return dict(re.findall(r"(?m)^\.It Cm (\w+) No = Ar (\w+)$", part))


def test_what_a_section_says_is_kept_in_seconds_and_bytes(read: Read) -> None:
    table = read(
        '[health]\nmax_depth = 100\nmax_wait = "10m"\n[retention]\nkeep = "14d"\nmax_size = "2GB"\nkeep_runs = 0\n'
    )

    assert table.sections == {
        "health": {"max_depth": 100, "max_wait": 600.0},
        "retention": {"keep": 14 * 86400.0, "max_size": 2 << 30, "keep_runs": 0},
    }


def test_a_table_without_sections_has_none(read: Read) -> None:
    assert read('[jobs.a]\nshell = "true"\nevery = "1h"\n').sections == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[helth]\nmax_depth = 1", "1: helth: unknown key `helth`; did you mean `health`?"),
        ("[health]\nmax_dept = 1", "2: health.max_dept: unknown key `max_dept`; did you mean `max_depth`?"),
        ("[health]\nmax_depth = -1", "2: health.max_depth: must be 0 or more, not `-1`"),
        ('[health]\nmax_depth = "1"', "2: health.max_depth: must be a whole number, not the text `1`"),
        (
            "[health]\nmax_wait = 5",
            '2: health.max_wait: must be a duration as text, as "90s" or "1h30m", not `5`',
        ),
        ("[retention]\nkeep = '1'", "2: retention.keep: bad duration `1`; forms: 90s, 5m, 2h, 1d, 1h30m"),
        ("[retention]\nmax_size = 5", '2: retention.max_size: must be a size as text, as "2GB", not `5`'),
        ("[retention]\nmax_size = 'x'", "2: retention.max_size: bad size `x`; forms: 512, 64K, 10M, 1G"),
        ("retention = 3", "1: retention: must be a table; write its name in brackets, as [retention]"),
    ],
)
def test_what_is_wrong_with_a_section_is_told_with_its_line(
    text: str, problem: str, problems: Problems
) -> None:
    assert problems(text) == [problem]


@pytest.mark.parametrize("name", ["health", "retention"])
def test_the_page_has_every_key_of_a_section_with_its_type(name: str) -> None:
    forms = told(name)

    assert list(forms) == list(SECTIONS[name])
    for key, form in forms.items():
        SECTIONS[name][key](tomllib.loads(f"x = {EXAMPLES[form]}")["x"])
