"""The time zone of the person at the keyboard."""

from __future__ import annotations

import os
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from jobrun.errors import UsageError

LOCALTIME = Path("/etc/localtime")


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
