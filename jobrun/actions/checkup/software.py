"""The software around: SQLite and its known faults, Python, and the libraries."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata

from jobrun.actions.checkup.words import Finding, Patient, ok, problem, warning
from jobrun.store.integrity import LIBRARY

Version = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault of SQLite; `mended` are the first versions without it, each for its own branch, the last for all."""

    since: Version
    mended: tuple[Version, ...]
    said: str
    todo: str

    def is_in(self, version: Version) -> bool:
        """Say whether a version has it."""
        *branches, last = self.mended
        if any(version[:2] == branch[:2] and version >= branch for branch in branches):
            return False
        return self.since <= version < last


FAULTS = (
    Fault(  # sqlite.org/wal.html#walresetbug
        since=(3, 7, 0),
        mended=((3, 44, 6), (3, 50, 7), (3, 51, 3)),
        said="can lose commits when the WAL begins anew; jobrun keeps clear of that, other programs may not",
        todo="open the job file with no other program that writes, or use SQLite 3.51.3 or later",
    ),
)


def look_at_sqlite(_patient: Patient) -> Iterable[Finding]:
    """Look whether this SQLite has a known fault."""
    return [sqlite(LIBRARY)]


def sqlite(version: Version) -> Finding:
    """Judge a version of SQLite."""
    told = ".".join(map(str, version))
    for fault in FAULTS:
        if fault.is_in(version):
            return warning(f"{told} {fault.said}", fault.todo)
    return ok(f"{told}, without a known fault that matters here")


def look_at_libraries(_patient: Patient) -> Iterable[Finding]:
    """Look at Python and what jobrun is built on."""
    try:
        wanted = metadata.requires("jobrun") or []
    except metadata.PackageNotFoundError:  # run from its source
        wanted = []
    names = [re.split(r"[^\w.-]", each, maxsplit=1)[0] for each in wanted if "extra ==" not in each]
    return [libraries(platform.python_version(), {name: _version(name) for name in ("jobrun", *names)})]


def libraries(python: str, versions: Mapping[str, str | None]) -> Finding:
    """Judge which libraries are there; None: it is missing."""
    missing: Sequence[str] = [
        name for name, version in versions.items() if version is None and name != "jobrun"
    ]
    if missing:
        return problem(f"missing: {', '.join(missing)}", "install jobrun anew")
    told = ", ".join(f"{name} {version}" for name, version in versions.items() if version is not None)
    return ok(f"Python {python}; {told}")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
