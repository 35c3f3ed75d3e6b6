"""Zones are read by names that mean one thing; those that people write are told from those they may mean."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import jobrun
from jobrun.errors import UsageError
from jobrun.zone import named_zone

ROOT = Path(jobrun.__file__).parent.parent


@pytest.mark.parametrize(
    "name", ["Europe/Berlin", "UTC", "GMT", "Japan", "PRC", "ROK", "Etc/GMT+5", "US/Eastern"]
)
def test_a_name_of_the_database_is_a_zone(name: str) -> None:
    assert named_zone(name).key == name


@pytest.mark.parametrize("name", ["EST", "CST", "CET", "IST", "MSK", "EST5EDT", "EST5", "CST-8", "AEST"])
def test_an_abbreviation_is_no_zone(name: str) -> None:
    with pytest.raises(UsageError, match=f"`{name}` is an abbreviation, not a time zone") as found:
        named_zone(name)

    assert found.value.hint == "name a place, as Europe/Berlin, or UTC"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("europe/berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("America/NewYork", "America/New_York"),
        ("Asia/Calcuta", "Asia/Calcutta"),
        ("UTC+3", "UTC"),
    ],
)
def test_the_nearest_name_is_offered(name: str, meant: str) -> None:
    with pytest.raises(UsageError) as found:
        named_zone(name)

    assert found.value.hint == f"did you mean `{meant}`?"


@pytest.mark.parametrize(
    "name",
    ["", "Mars/Base", "..", "../etc/passwd", "/etc/hostname", "Europe", "Eu\0", "\udcff", "x" * 10_000],
)
def test_what_is_no_zone_at_all_is_refused_in_one_short_line(name: str) -> None:
    with pytest.raises(UsageError, match="no time zone `") as found:
        named_zone(name)

    assert len(found.value.message) < 100


def test_a_host_without_zone_data_says_so() -> None:
    told = "import jobrun.zone as z\ntry: z.named_zone('Europe/Berlin')\nexcept z.UsageError as e: print(e, e.hint)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", told],  # nor has it the package tzdata
        env={**os.environ, "PYTHONTZPATH": "/nowhere", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "there is no time zone data install the package `tzdata`\n"
