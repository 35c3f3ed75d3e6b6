"""Time zones: that of the person at the keyboard, and those that a table names."""

from __future__ import annotations

import difflib
import os
import re
from datetime import UTC, tzinfo
from functools import cache
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo, available_timezones

from jobrun.errors import UsageError

LOCALTIME = Path("/etc/localtime")
RULES = tuple(Path(folder) / "tzdata.zi" for folder in TZPATH)  # new whenever the zone data are

_COUNTRIES = frozenset({"PRC", "ROC", "ROK"})  # which look like the abbreviations below, and are none
_ABBREVIATION = re.compile(r"(?!UTC|UCT|GMT)[A-Z]{3,4}(?:[+-]?\d{1,2}(?:[A-Z]{3,4})?)?")


def local_zone(named: str | None, *, localtime: Path = LOCALTIME) -> tzinfo:
    """Return the zone that the value of `TZ` names, or the host's when it is None.

    An empty value means UTC, as in POSIX. Raises `UsageError` for a name that is no zone.
    """
    if named is None:
        return _host_zone(localtime)
    name = named.removeprefix(":")
    if not name:
        return UTC
    try:
        return _zone_of_file(Path(name)) if name.startswith("/") else ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # no such zone is a KeyError, a folder an OSError
        pass
    raise UsageError(
        f"`TZ` names no time zone: `{named}`", hint="use a name such as Europe/Berlin, or unset TZ"
    )


def forget_zones() -> None:
    """Read zone data anew from here on: what is read once is kept for ever, and rules change."""
    ZoneInfo.clear_cache()
    _spellings.cache_clear()


def zones_known() -> int:
    """Return how many time zones have rules here."""
    return len(available_timezones())


def named_zone(name: str) -> ZoneInfo:
    """Return the zone of a name in the IANA database, as `Europe/Berlin`. Raises `UsageError`.

    Abbreviations are refused, also those few that the database keeps for old systems: EST has no
    summer time, CST is three zones, and EST5EDT has the rules of no place.
    """
    if _ABBREVIATION.fullmatch(name) and name not in _COUNTRIES:
        raise UsageError(
            f"`{name}` is an abbreviation, not a time zone", hint="name a place, as Europe/Berlin, or UTC"
        )
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # as above; ".." and a leading slash are a ValueError
        raise _no_zone(name[:64]) from None


def _no_zone(name: str) -> UsageError:
    """Return the error, with the nearest name; the last part of one will do, as `berlin`."""
    spelt = _spellings()
    if not spelt:
        return UsageError("there is no time zone data", hint="install the package `tzdata`")
    near = difflib.get_close_matches(name.lower(), spelt, n=1, cutoff=0.75)
    hint = f"did you mean `{spelt[near[0]]}`?" if near else "name a place, as Europe/Berlin, or UTC"
    return UsageError(f"no time zone `{name}`", hint=hint)


@cache
def _spellings() -> dict[str, str]:
    """Return all names by what people may write for them."""
    known = available_timezones()
    return {zone.rpartition("/")[2].lower(): zone for zone in known} | {zone.lower(): zone for zone in known}


def _host_zone(localtime: Path) -> tzinfo:
    try:
        return _zone_of_file(localtime)
    except FileNotFoundError:
        return UTC
    except (OSError, ValueError):
        raise UsageError(f"`{localtime}` is not a time zone", hint="set TZ, for example TZ=UTC") from None


def _zone_of_file(path: Path) -> tzinfo:
    """Read a zone from its file; its name is what follows `zoneinfo/` once links are resolved."""
    real = os.path.realpath(path)
    _, found, name = real.partition("/zoneinfo/")
    with Path(real).open("rb") as file:
        return ZoneInfo.from_file(file, key=name if found else str(path))
