"""The clock, and the rules of time zones."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from importlib import metadata

from jobrun import clocksync
from jobrun.actions.checkup.words import Finding, Patient, ok, problem, warning
from jobrun.errors import UsageError
from jobrun.units import format_duration
from jobrun.zone import RULES, local_zone, zones_known

AHEAD = timedelta(seconds=5)
OLD_YEARS = 3  # rules of some place change every year


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneData:
    """What is known of time zones, and from where."""

    zones: int
    source: str
    version: str | None  # as 2025b


def look_at_clock(patient: Patient) -> Iterator[Finding]:
    """Look whether the clock is kept right, and whether the job file knows of a later time."""
    yield kept(is_kept=clocksync.is_kept())
    newest = patient.store.ledger.newest_at() if patient.store else None
    if newest is not None and newest > patient.now + AHEAD:
        yield behind((newest - patient.now).total_seconds())


def kept(*, is_kept: bool | None) -> Finding:
    """Judge what the kernel was told of its clock."""
    if is_kept is None:
        return ok("cannot tell whether a time service keeps it")
    if is_kept:
        return ok("kept in step by a time service")
    todo = "`timedatectl set-ntp true`, or install chrony; in a guest or container its host may do it"
    return warning(
        "no time service is known to keep it in step, and schedules are only as right as it is", todo
    )


def behind(seconds: float) -> Finding:
    """Judge a clock that is behind the newest job."""
    said = (
        f"it shows a time {format_duration(round(seconds))} before the newest job was added: it was set back"
    )
    return warning(said, "set it right; what is due later waits until the clock shows that time")


def look_at_zones(patient: Patient) -> Iterator[Finding]:
    """Look where the rules of time zones come from, and whether the zone of the caller is one."""
    yield zone_data(_data(), year=patient.now.year)
    with contextlib.suppress(KeyError):
        try:
            local_zone(patient.environ["TZ"])
        except UsageError as error:
            yield problem(error.message, error.hint)


def zone_data(found: ZoneData, *, year: int) -> Finding:
    """Judge the rules of time zones."""
    if not found.zones:
        return problem("there is no time zone data: no table can name a zone", "install the package `tzdata`")
    told = f"{found.version or 'of unknown age'} with {found.zones} zones, from {found.source}"
    if found.version and found.version[:4].isdigit() and year - int(found.version[:4]) >= OLD_YEARS:
        return warning(f"{told}: some places have changed their clocks since", "update the package `tzdata`")
    return ok(told)


def _data() -> ZoneData:
    """Return what zoneinfo would read: the folders of the system first, then the package."""
    zones = zones_known()
    for rules in RULES:
        if (rules.parent / "UTC").exists():
            return ZoneData(zones=zones, source=str(rules.parent), version=_first_line(rules))
    with contextlib.suppress(metadata.PackageNotFoundError):
        found = metadata.version("tzdata")  # as 2025.2, which is 2025b
        year, _, number = found.partition(".")
        letter = chr(ord("a") + int(number) - 1) if number.isdigit() and 0 < int(number) <= 26 else ""
        return ZoneData(zones=zones, source="the Python package tzdata", version=f"{year}{letter}")
    return ZoneData(zones=zones, source="nowhere", version=None)


def _first_line(rules: object) -> str | None:
    try:
        with open(str(rules), encoding="utf-8") as file:
            return file.readline(100).removeprefix("# version ").strip() or None
    except (OSError, UnicodeDecodeError):
        return None
