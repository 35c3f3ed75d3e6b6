from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from jobrun.errors import UsageError
from jobrun.when import parse_when
from jobrun.zone import local_zone

NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2027, 1, 15, 17, 0, tzinfo=UTC)  # noon in New York


def read(text: str, *, now: datetime = NOW, zone: tzinfo = NEW_YORK) -> str:
    return parse_when(text, now, zone).isoformat()


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2027-03-01T10:00:00Z", "2027-03-01T10:00:00+00:00"),
        ("2027-03-01t10:00z", "2027-03-01T10:00:00+00:00"),
        ("2027-03-01 10:00 UTC", "2027-03-01T10:00:00+00:00"),
        ("2027-03-01 10:00:00.250+02:00", "2027-03-01T08:00:00.250000+00:00"),
        ("2027-03-01 10:00", "2027-03-01T15:00:00+00:00"),
        ("2027-03-01T10:00:30", "2027-03-01T15:00:30+00:00"),
        ("2027-11-07 01:30 EDT", "2027-11-07T05:30:00+00:00"),
        ("2027-11-07 01:30 EST", "2027-11-07T06:30:00+00:00"),
        ("12:01", "2027-01-15T17:01:00+00:00"),
        ("12:00", "2027-01-16T17:00:00+00:00"),
        ("12:00:01", "2027-01-15T17:00:01+00:00"),
        ("9:30", "2027-01-16T14:30:00+00:00"),
        ("tomorrow 13:00", "2027-01-16T18:00:00+00:00"),
        ("2020-01-01T00:00Z", "2020-01-01T00:00:00+00:00"),
    ],
)
def test_a_time_is_read_as_a_person_in_new_york_means_it(text: str, instant: str) -> None:
    assert read(text) == instant


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("12:00", "2027-01-15T17:00:00+00:00"),
        ("12:01", "2027-01-14T17:01:00+00:00"),
        ("tomorrow 13:00", "2027-01-16T18:00:00+00:00"),
        ("2027-03-01 10:00", "2027-03-01T15:00:00+00:00"),
    ],
)
def test_who_asks_what_happened_means_the_last_time_of_that_name(text: str, instant: str) -> None:
    assert parse_when(text, NOW, NEW_YORK, is_past=True).isoformat() == instant


@pytest.mark.parametrize(
    "text",
    ["", "5", "-5m", "tomorrow", "2027-13-01", "2027-13-01T00:00", "2027-02-29 10:00", "24:00", "12:60", "2027-03-01",
     "٢٠٢٧-03-01 10:00", "2027-03-01T10:00:00+25:00", "2027-03-01T10:00:60Z", "10:00\n", "10:00:60",
     "2027-03-01 10:00 EDT", "2027-03-14 02:30 EST", "2027-03-01 10:00 CET"],
)  # fmt: skip
def test_what_is_no_time_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(UsageError, match="is not understood") as caught:
        read(text)

    assert "tomorrow 06:30" in str(caught.value.hint)


@pytest.mark.parametrize(
    "text", ["9999-12-31T23:59", "9999-12-31T23:59:59-01:00", "0001-01-01T00:00", "2200-01-01T00:00Z"]
)
def test_a_time_outside_1970_to_2200_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="outside 1970-2200"):
        read(text)


@pytest.mark.parametrize("text", ["2027-03-14T02:30", "2027-03-14 02:30"])
def test_a_time_that_the_clocks_skip_is_refused_and_the_zone_named(text: str) -> None:
    with pytest.raises(UsageError, match="does not exist in America/New_York") as caught:
        read(text)

    assert "give an offset" in str(caught.value.hint)


def test_a_time_that_the_clocks_repeat_is_refused_and_both_offsets_named() -> None:
    with pytest.raises(UsageError, match="happens twice in America/New_York") as caught:
        read("2027-11-07T01:30")

    assert caught.value.hint == "give 2027-11-07T01:30-04:00 or 2027-11-07T01:30-05:00"


@pytest.mark.parametrize(
    ("now", "text"),
    [
        (datetime(2027, 3, 14, 6, 45, tzinfo=UTC), "02:30"),  # a quarter of an hour before the gap
        (datetime(2027, 11, 7, 5, 15, tzinfo=UTC), "01:30"),  # before both
        (datetime(2027, 11, 7, 5, 45, tzinfo=UTC), "01:30"),  # between them
        (datetime(2027, 3, 13, 15, 0, tzinfo=UTC), "tomorrow 02:30"),
    ],
)
def test_a_bare_time_of_day_is_not_guessed_near_a_change_of_the_clocks(now: datetime, text: str) -> None:
    with pytest.raises(UsageError, match=r"does not exist|happens twice"):
        read(text, now=now)


def test_a_bare_time_of_day_is_that_of_the_next_day_once_the_clocks_have_changed() -> None:
    after_both = datetime(2027, 11, 7, 6, 45, tzinfo=UTC)

    assert read("01:30", now=after_both) == "2027-11-08T06:30:00+00:00"


def test_the_zone_is_the_one_that_tz_names() -> None:
    assert str(local_zone("America/New_York")) == "America/New_York"
    assert str(local_zone(":America/New_York")) == "America/New_York"


def test_an_empty_tz_means_utc() -> None:
    assert local_zone("") is UTC


@pytest.mark.parametrize(
    "named", ["Nonsense/Zone", "../../etc/passwd", "/etc/passwd", "/nowhere", "\x01", "Europe"]
)
def test_a_tz_that_names_no_zone_is_refused(named: str) -> None:
    with pytest.raises(UsageError, match="names no time zone"):
        local_zone(named)


def test_a_host_without_a_zone_lives_in_utc(tmp_path: Path) -> None:
    assert local_zone(None, localtime=tmp_path / "localtime") is UTC


def test_a_host_whose_zone_file_is_spoilt_is_told_so(tmp_path: Path) -> None:
    spoilt = tmp_path / "localtime"
    spoilt.write_bytes(b"no zone")

    with pytest.raises(UsageError, match="is not a time zone"):
        local_zone(None, localtime=spoilt)
