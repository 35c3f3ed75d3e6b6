from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobrun.errors import UsageError
from jobrun.units import (
    format_duration,
    format_size,
    from_ms,
    parse_duration,
    parse_size,
    rfc3339,
    to_ms,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("5m", 300),
        ("2h", 7200),
        ("1d", 86400),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("0.5s", 0.5),
        ("0s", 0),
    ],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "5",
        "-5m",
        "+5m",
        "1e3h",
        "nan",
        "inf",
        "٣m",
        "m",
        "5M",
        "1m1h",
        "1h1h",
        "1h ",
        "1.5h",
        "9" * 99 + "s",
    ],
)
def test_what_is_no_duration_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_duration(text)

    assert f"`{text}`" in caught.value.message
    assert "90s" in str(caught.value.hint)


def test_a_duration_beyond_a_century_is_refused() -> None:
    with pytest.raises(UsageError, match="longer than 100 years"):
        parse_duration("999999999d")


@given(st.integers(0, 10**9))
def test_a_duration_shown_can_be_read_back(seconds: int) -> None:
    shown = format_duration(seconds)

    assert parse_duration(shown) == pytest.approx(seconds, rel=0.05, abs=0.5)
    assert format_duration(parse_duration(shown)) == shown


@pytest.mark.parametrize(
    ("text", "size"),
    [("512", 512), ("1B", 1), ("64K", 65536), ("1MiB", 1 << 20), ("2G", 2 << 30), ("2GB", 2 << 30)],
)
def test_a_size_is_read_in_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "K", "-1", "1.5M", "1kB", "1e3", "٣"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="bad size"):
        parse_size(text)


def test_the_largest_unit_of_a_size_takes_what_is_larger() -> None:
    assert format_size(5000 << 40) == "5000.0 TiB"


@given(st.integers(0, to_ms(datetime(2200, 1, 1, tzinfo=UTC))))
def test_milliseconds_survive_the_way_to_a_datetime_and_back(milliseconds: int) -> None:
    assert to_ms(from_ms(milliseconds)) == milliseconds


def test_an_instant_is_written_in_utc_whatever_its_zone() -> None:
    instant = datetime(2027, 1, 2, 3, 4, 5, 678_999, tzinfo=timezone(timedelta(hours=2)))

    assert rfc3339(instant) == "2027-01-02T01:04:05.678Z"
