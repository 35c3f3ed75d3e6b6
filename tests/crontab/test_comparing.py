"""The second reading: right by itself, and not blind to what the first one does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from jobrun.cron.schedule import parse_schedule
from jobrun.crontab import oldreading
from jobrun.crontab.comparing import compare
from jobrun.crontab.importing import Imported
from jobrun.table import read_table

Import = Callable[..., Imported]
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2027, 3, 1, tzinfo=UTC)


def local_times(when: str, zone: str, day: tuple[int, int, int]) -> list[str]:
    """Return when a schedule runs on a day, by the clock there."""
    reading = oldreading.read(when)
    assert reading is not None
    here = ZoneInfo(zone)
    midnight = datetime(*day, tzinfo=here)
    before, until = midnight.timestamp() - 1, midnight.replace(hour=23, minute=59).timestamp()
    found = oldreading.runs(
        reading,
        here,
        datetime.fromtimestamp(before, UTC),
        count=3000,
        until=datetime.fromtimestamp(until, UTC),
    )
    return [f"{at.astimezone(here):%H:%M%z}" for at in found]


@pytest.mark.parametrize(
    ("when", "zone", "day", "times"),
    [
        ("30 2 * * *", "Europe/Berlin", (2027, 3, 28), ["03:00+0200"]),
        ("0,30 2 * * *", "Europe/Berlin", (2027, 3, 28), ["03:00+0200"]),
        ("0 2,3 * * *", "Europe/Berlin", (2027, 3, 28), ["03:00+0200"]),
        ("*/30 2 * * *", "Europe/Berlin", (2027, 3, 28), []),
        ("30 1-3 * * *", "Europe/Berlin", (2027, 3, 28), ["01:30+0100", "03:00+0200", "03:30+0200"]),
        ("30 2 * * *", "Europe/Berlin", (2027, 10, 31), ["02:30+0200"]),
        (
            "*/30 2 * * *",
            "Europe/Berlin",
            (2027, 10, 31),
            ["02:00+0200", "02:30+0200", "02:00+0100", "02:30+0100"],
        ),
        ("30 1 * * *", "America/New_York", (2027, 11, 7), ["01:30-0400"]),
        ("15 2 * * *", "Australia/Lord_Howe", (2027, 10, 3), ["02:30+1100"]),
        ("45 1 * * *", "Australia/Lord_Howe", (2027, 4, 4), ["01:45+1100"]),
        ("45 * * * *", "Australia/Lord_Howe", (2027, 4, 4), ["00:45+1100", "01:45+1100", "01:45+1030"]),
        ("0 0 * * *", "America/Santiago", (2027, 9, 5), ["01:00-0300"]),
        ("0 12 * * *", "Pacific/Apia", (2011, 12, 31), ["12:00+1400"]),
    ],
)
def test_near_a_change_of_the_clocks_cron_runs_what_was_skipped_once(
    when: str, zone: str, day: tuple[int, int, int], times: list[str]
) -> None:
    assert local_times(when, zone, day)[:3] == times[:3]


@pytest.mark.parametrize(
    ("when", "days"),
    [
        ("0 0 13 * 5", [5, 12, 13, 19, 26]),
        ("0 0 */10 * 1", [1]),
        ("0 0 1-7 * */7", [7]),
        ("0 0 * * 5-7", [5, 6, 7, 12, 13, 14, 19, 20, 21, 26, 27, 28]),
        ("0 0 * * sat-sun", [6, 7, 13, 14, 20, 21, 27, 28]),
        ("0 0 31 mar *", [31]),
        ("0 0 1-31/7 MAR *", [1, 8, 15, 22, 29]),
        ("@weekly", [7, 14, 21, 28]),
        ("@monthly", [1]),
    ],
)
def test_days_are_those_of_crontab_5(when: str, days: list[int]) -> None:
    reading = oldreading.read(when)
    assert reading is not None
    begin, end = datetime(2027, 2, 28, 12, tzinfo=UTC), datetime(2027, 3, 31, 12, tzinfo=UTC)

    found = oldreading.runs(reading, UTC, begin, count=99, until=end)

    assert [at.day for at in found] == days


@pytest.mark.parametrize(
    "when",
    ["5/15 * * * *", "50-10 * * * *", "0~9 * * * *", "H * * * *", "0 0 L * *", "0 0 ? * *", "* * * * * *",
     "*/0 * * * *", "60 * * * *", "1,,2 * * * *", "@reboot", "@Daily", "0 0 * * monday", "0 0 0 * *", "٣ * * * *"],
)  # fmt: skip
def test_what_cron_refuses_or_draws_has_no_reading(when: str) -> None:
    assert oldreading.read(when) is None


def test_a_difference_is_found_and_told_on_both_sides(import_text: Import, tmp_path: Path) -> None:
    result = import_text("0 5 * * * a\n0 6 * * * b\n", now=NOW)
    path = tmp_path / "jobs.toml"
    path.write_text(result.text)
    a, b = read_table(path, local=BERLIN, local_name="Europe/Berlin", environ={}).entries
    table = {"a": replace(a, schedule=parse_schedule("1 5 1-30 * *")), "b": b}

    found = compare(result.blocks, table, local=BERLIN, now=NOW)

    [difference] = found.different
    assert (found.same, difference.block.name) == (1, "a")
    assert difference.only_cron[0] == datetime(2027, 3, 1, 4, 0, tzinfo=UTC)
    assert difference.only_here[0] == datetime(2027, 3, 1, 4, 1, tzinfo=UTC)
    assert len(difference.only_cron) == 500


def test_the_crontab_is_read_in_its_own_zone(import_text: Import, tmp_path: Path) -> None:
    result = import_text("CRON_TZ=Asia/Tokyo\n0 5 * * * a\n", now=NOW)
    path = tmp_path / "jobs.toml"
    path.write_text(result.text.replace('timezone = "Asia/Tokyo"', ""))
    [entry] = read_table(path, local=BERLIN, local_name="Europe/Berlin", environ={}).entries

    assert result.comparison.different == []
    assert len(compare(result.blocks, {"a": entry}, local=BERLIN, now=NOW).different) == 1


def test_what_cannot_be_compared_is_named_with_its_reason(import_text: Import) -> None:
    result = import_text("0~9 * * * * a\n5/15 * * * * b\n@reboot c\n")

    assert result.comparison.not_compared == {"a": "cron draws it at random", "b": "cron would refuse it"}
