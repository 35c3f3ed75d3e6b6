"""The process that asks: its clock, zone, directory, umask, environment and files."""

from __future__ import annotations

import os
import select
import stat
import sys
from datetime import UTC, datetime, tzinfo
from functools import cache

from jobrun.cli import around
from jobrun.cli.answers import remark
from jobrun.cli.asking import Caller
from jobrun.cli.safe import safe_line
from jobrun.errors import UsageError
from jobrun.model import Surroundings
from jobrun.payload import MAX_PAYLOAD

PATIENCE_S = 10.0  # for whoever writes into a pipe


def here() -> Caller:
    return Caller(now=datetime.now(UTC), zone=zone, surroundings=surroundings, read=read_text)


@cache
def zone() -> tzinfo:
    from jobrun.zone import local_zone  # noqa: PLC0415 -- zone data is loaded for local times alone

    return local_zone(os.environ.get("TZ"))


@cache
def zone_to_show() -> tzinfo:
    """Return the zone in which instants are shown: that of the caller, or UTC if it is none, which is said once."""
    try:
        return zone()
    except UsageError as error:
        remark(safe_line(f"{error.message}; times are shown in UTC"))
        return UTC


def zone_of(name: str) -> tzinfo:
    """Return the zone of a name, or that of the caller if it is not known here."""
    from jobrun.zone import named_zone  # noqa: PLC0415 -- as above

    try:
        return named_zone(name)
    except UsageError:
        return zone_to_show()


@cache
def surroundings() -> Surroundings:
    """Return where a command of the caller would run."""
    return Surroundings(cwd=around.directory(), umask=around.umask(), environment=around.environment())


def read_text(source: str) -> str:
    """Return the text of a file, or of standard input for `-`; no more than a payload may have."""
    data = bytearray()
    descriptor = _open(source)
    try:
        while len(data) <= MAX_PAYLOAD and (chunk := _read(descriptor, source)):
            data += chunk
    finally:
        if source != "-":
            os.close(descriptor)
    if len(data) > MAX_PAYLOAD:
        raise UsageError(f"`{source}` holds more than 1 MiB, the limit of a payload")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"`{source}` is not valid UTF-8 at byte {error.start + 1}") from None


def check_input() -> None:
    """Refuse a standard input that nothing will come from."""
    if sys.stdin is None:
        raise UsageError("standard input is closed", hint="pipe the text in, or name a file")
    if sys.stdin.isatty():
        raise UsageError("standard input is a terminal", hint="pipe the text in, or name a file")


def _open(source: str) -> int:
    if source == "-":
        check_input()
        return 0
    try:
        descriptor = os.open(source.encode(), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise UsageError(f"cannot read `{source}`: it is a directory")
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read `{source}`: {_reason(error)}") from None
    return descriptor


def _read(descriptor: int, source: str) -> bytes:
    try:
        if not select.select([descriptor], [], [], PATIENCE_S)[0]:
            raise UsageError(f"cannot read `{source}`: nothing was written to it in {PATIENCE_S:.0f} s")
        return os.read(descriptor, 1 << 16)
    except OSError as error:
        raise UsageError(f"cannot read `{source}`: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
