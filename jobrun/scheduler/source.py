"""The table as a file: read whole, and watched for a change, with all else that it depends on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from jobrun import zone
from jobrun.table import Table, read_table

SETTLED_S = 1.0  # a file that was written to this recently may be half written


class _Look(NamedTuple):
    """What tells one state of a file from the next."""

    device: int
    inode: int
    size: int
    written_ns: int
    changed_ns: int


class Source:
    """Where the entries come from: a table, its files of variables, and the zones that it is read in."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self._path = path
        self._environ = environ
        self._read = _looks([path, zone.LOCALTIME, *zone.RULES])
        self._seen = self._read
        self._seen_at = 0.0

    def read(self) -> Table:
        """Return the table as it is now. Raises `UsageError` with all that is wrong, or `Refused`."""
        # A further file is looked at when it is about to be read, be it there or not.
        self._read = self._seen = looks = _looks([self._path, zone.LOCALTIME, *zone.RULES])
        zone.forget_zones()  # the zone data may have been replaced, too
        local = zone.local_zone(self._environ.get("TZ"))
        return read_table(
            self._path,
            local=local,
            local_name=str(local),
            environ=self._environ,
            watch=lambda path: looks.setdefault(path, _look(path)),
        )

    def has_changed(self, boottime: float) -> bool:
        """Say whether a file is another than the one last read, and all have come to rest."""
        looks = _looks(self._read)
        if looks != self._seen:
            self._seen, self._seen_at = looks, boottime
        return looks != self._read and boottime - self._seen_at >= SETTLED_S


def _looks(paths: Iterable[Path]) -> dict[Path, _Look | None]:
    return {path: _look(path) for path in paths}


def _look(path: Path) -> _Look | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return _Look(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
