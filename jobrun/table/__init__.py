"""The table: one TOML file that says what runs when, read and checked as a whole."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Any

from jobrun.alerts.words import Alert
from jobrun.cron.words import Entry
from jobrun.errors import UsageError
from jobrun.table import values
from jobrun.table.alerts import read_alerts, remarks_on
from jobrun.table.document import parse
from jobrun.table.entries import Host, Reader
from jobrun.table.keys import KEYS, TOP
from jobrun.table.problems import Problems, TableError, TooMany, unknown
from jobrun.table.reading import read_trusted
from jobrun.table.sections import read_sections
from jobrun.table.surroundings import Surrounder, Watch

MAX_TABLE = 4 << 20  # bytes; 10,000 entries take one or two of the four MiB
MACHINE_ID = Path("/etc/machine-id")

_REVERSED = re.compile(r"Etc/GMT(?P<sign>[+-])(?P<hours>[1-9]\d?)")

__all__ = ["Table", "TableError", "read_table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Entries in the order of the file; `warnings` are worded like problems, with file, line and key."""

    path: Path
    entries: tuple[Entry, ...]
    sections: Mapping[str, Mapping[str, Any]]  # those that it has, as they are kept in the job file
    alerts: tuple[Alert, ...]
    warnings: tuple[str, ...]


def _nobody_watches(_: Path) -> None:
    """Do nothing about a file that is read."""


def read_table(
    path: Path, *, local: tzinfo, local_name: str, environ: Mapping[str, str], watch: Watch = _nobody_watches
) -> Table:
    """Read a table; `local` is the zone of entries that name none, `environ` the environment of the reader.

    `watch` is called with each further file, just before that is read.
    Raises `TableError` with all problems, `UsageError` for a file that cannot be read, and `Refused` for one
    that others could have written.
    """
    text = read_trusted(path, limit=MAX_TABLE)
    if not text:  # a full disk leaves that of a table, or a power cut
        raise UsageError(f"`{path}` is empty", hint="in a table that is to have no jobs, say so in a comment")
    said, skeleton = parse(path, text)
    problems = Problems(path, skeleton)
    try:
        surrounder = Surrounder(path.absolute().parent, _shared(said, problems), environ, watch)
        host = Host(zone=local, zone_name=local_name, seed=_seed())
        entries = _entries(said, Reader(host, surrounder, problems), problems)
        sections = read_sections(said, problems)
        alerts = read_alerts(said.get("alerts", {}), surrounder, problems)
    except TooMany:
        raise problems.error(is_all=False) from None
    if problems:
        raise problems.error(is_all=True)
    return Table(
        path=path,
        entries=entries,
        sections=sections,
        alerts=alerts,
        warnings=(
            *_warnings(path, entries, problems, is_empty=not (entries or sections or alerts)),
            *remarks_on(alerts, entries, problems),
        ),
    )


def _shared(said: Mapping[str, Any], problems: Problems) -> dict[str, str]:
    """Return the variables of `[env]`."""
    with problems.at().blame("env"):
        return values.variables(said.get("env", {}))
    return {}


def _entries(said: Mapping[str, Any], reader: Reader, problems: Problems) -> tuple[Entry, ...]:
    top = problems.at()
    for name in said:
        if name not in TOP:
            otherwise = "the keys of a job stand below [jobs.NAME]" if name in KEYS else None
            if isinstance(said[name], dict):
                otherwise = "a job begins with [jobs.NAME]"
            top.add(name, unknown("unknown key", name, TOP, otherwise=otherwise))
    reader.set_defaults(said.get("defaults", {}))
    jobs = said.get("jobs", {})
    if not isinstance(jobs, dict):
        top.add("jobs", UsageError("must be a table", hint="begin each job with [jobs.NAME]"))
        return ()
    read = [reader.entry(name, job) for name, job in jobs.items()]
    return tuple(entry for entry in read if entry is not None)


def _warnings(path: Path, entries: tuple[Entry, ...], problems: Problems, *, is_empty: bool) -> Iterator[str]:
    if is_empty:
        yield f"`{path}` has no entries"
    first_of = {entry.zone_name: entry for entry in reversed(entries)}
    for zone_name, entry in first_of.items():
        if reversed_ := _REVERSED.fullmatch(zone_name):
            meant = f"UTC{'+-'[reversed_['sign'] == '+']}{reversed_['hours']}"
            yield problems.remark(
                ("jobs", entry.name, "timezone"),
                f"`{zone_name}` means {meant}: its sign is reversed, as in POSIX",
            )


def _seed() -> str:
    """Return what tells this host from others, so that a fleet with one table does not move as one."""
    try:
        return MACHINE_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return os.uname().nodename
