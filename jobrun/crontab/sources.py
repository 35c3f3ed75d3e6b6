"""Where crontabs are: what `crontab -l` prints, files, and those of the system."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jobrun.errors import NotDone, UsageError

SYSTEM_CRONTAB = Path("/etc/crontab")
SYSTEM_FOLDER = Path("/etc/cron.d")
LARGEST = 1024 * 1024  # bytes
PATIENCE_S = 10.0  # with `crontab -l`

_READ_NAME = re.compile(r"[A-Za-z0-9_-]+")  # Debian's rule; backups and leftovers of packages have others
_TABLE = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*\[")  # which no line of a crontab begins with


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One crontab. Bytes that are no UTF-8 stand in `text` as lone surrogates (PEP 383)."""

    name: str  # as a person would say it
    text: str
    has_users: bool  # a sixth field names who runs the command


def of_user(user: str | None) -> Source:
    """Return the crontab of a user, or our own. Raises `NotDone` when there is none, or no `crontab`."""
    command = ["crontab", *([] if user is None else ["-u", user]), "-l"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S, check=False
        )
    except FileNotFoundError:
        raise NotDone("there is no program `crontab` here", hint="name the FILE, or `-` to read it") from None
    except subprocess.TimeoutExpired:
        raise NotDone(f"`{' '.join(command)}` did not answer within {PATIENCE_S:.0f} s") from None
    if done.returncode:
        said = done.stderr.decode(errors="backslashreplace").strip().partition("\n")[0]
        raise NotDone(f"`{' '.join(command)}`: {said or f'exit {done.returncode}'}")
    return of_bytes("crontab", done.stdout, has_users=False)


def of_file(path: Path, *, has_users: bool) -> Source:
    """Return the crontab in a file; those of the system are known by their place."""
    is_system = path == SYSTEM_CRONTAB or path.parent == SYSTEM_FOLDER
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(f"cannot read `{path}`: {(error.strerror or '').lower()}") from None
    return of_bytes(str(path), data, has_users=has_users or is_system)


def of_system(folder: Path = SYSTEM_FOLDER, crontab: Path = SYSTEM_CRONTAB) -> Iterator[Source]:
    """Yield the crontabs of the system, as far as there are any; files that cron would not read are left."""
    if crontab.exists():
        yield of_file(crontab, has_users=True)
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if _READ_NAME.fullmatch(path.name) and path.is_file():
                yield of_file(path, has_users=True)


def unread(folder: Path = SYSTEM_FOLDER) -> list[Path]:
    """Return the files among the system's crontabs whose names not every cron reads."""
    if not folder.is_dir():
        return []
    files = (path for path in sorted(folder.iterdir()) if path.is_file())
    return [path for path in files if not _READ_NAME.fullmatch(path.name) and path.name[0] != "."]


def of_bytes(name: str, data: bytes, *, has_users: bool) -> Source:
    """Return what somebody has read already, as a crontab."""
    if len(data) > LARGEST:
        raise UsageError(f"`{name}` is larger than 1 MiB; this is no crontab")
    text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    if _TABLE.match(text):
        raise UsageError(f"`{name}` is a table, not a crontab", hint="`jobrun cron check FILE` reads it")
    return Source(name=name, text=text, has_users=has_users)
