"""The table as a file: read whole, and watched for a change."""

from __future__ import annotations

from collections.abc import Mapping
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
    """Where the entries come from: a table, and the host's zone that it is read in."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self._path = path
        self._environ = environ
        self._read = self._looks()
        self._seen = self._read
        self._seen_at = 0.0

    def read(self) -> Table:
        """Return the table as it is now. Raises `UsageError` with all that is wrong, or `Refused`."""
        self._read = self._seen = self._looks()
        zone.forget_zones()  # the zone data may have been replaced, too
        local = zone.local_zone(self._environ.get("TZ"))
        return read_table(self._path, local=local, local_name=str(local), environ=self._environ)

    def has_changed(self, boottime: float) -> bool:
        """Say whether the file is another than the one last read, and has come to rest."""
        looks = self._looks()
        if looks != self._seen:
            self._seen, self._seen_at = looks, boottime
        return looks != self._read and boottime - self._seen_at >= SETTLED_S

    def _looks(self) -> tuple[_Look | None, ...]:
        return (_look(self._path), _look(zone.LOCALTIME))


def _look(path: Path) -> _Look | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return _Look(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
