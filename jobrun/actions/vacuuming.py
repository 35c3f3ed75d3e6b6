"""Giving back what a job file does not use any more."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from jobrun import locks
from jobrun.errors import Busy, NoRoom
from jobrun.paths import side_dir
from jobrun.store import Store
from jobrun.units import format_size

BYTES_A_S = 40 << 20  # that a slow disk takes; only to say beforehand how long it will last
LONG_S = 2.0  # who enqueues waits 5 seconds
CUTS, REST_S = 20, 0.1  # tries to cut off the WAL, which is as long as the file then


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What it takes to write a file anew. Sizes are bytes."""

    used: int
    size: int
    takes_s: float  # at most, for as long as nobody else can write
    has_workers: bool

    @property
    def is_long(self) -> bool:
        return self.takes_s > LONG_S and self.has_workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Vacuumed:
    """The bytes of the file before and after, and how long nobody else could write."""

    before: int
    after: int
    took_s: float


def need(store: Store) -> Need:
    """Return what a vacuum takes. Raises `NoRoom` if the disk has less."""
    used = store.aging.used()
    folders = [store.path.resolve().parent, Path(tempfile.gettempdir())]
    if os.access("/var/tmp", os.W_OK) and "TMPDIR" not in os.environ:  # noqa: S108 -- where SQLite puts it
        folders[1] = Path("/var/tmp")  # noqa: S108
    wanted: dict[int, int] = {}
    for folder in folders:
        device = folder.stat().st_dev
        wanted[device] = wanted.get(device, 0) + used + used // 16
        found = os.statvfs(folder)
        if found.f_bavail * found.f_frsize < wanted[device]:
            raise NoRoom(
                f"{format_size(wanted[device])} must be free in `{folder}`, and {format_size(found.f_bavail * found.f_frsize)} are; "
                "nothing was changed",
                hint="free some disk space, or remove jobs first: their room is used again without this",
            )
    return Need(
        used=used,
        size=store.path.stat().st_size,
        takes_s=2 * used / BYTES_A_S,
        has_workers=locks.any_held(side_dir(store.path) / "locks"),
    )


def vacuum(store: Store) -> Vacuumed:
    """Write the file anew, and return what that gave back. Raises `Busy`, `NoRoom`."""
    store.check_is_writable()
    _cut_wal(store)
    before, begin = store.path.stat().st_size, time.monotonic()
    store.vacuum()
    took_s = time.monotonic() - begin
    _cut_wal(store)
    return Vacuumed(before=before, after=store.path.stat().st_size, took_s=took_s)


def _cut_wal(store: Store) -> None:
    """Put into the file what is in the WAL; while somebody reads, a housekeeper has to do that later."""
    for _ in range(CUTS):
        with contextlib.suppress(Busy):
            if store.checkpoint():
                return
        time.sleep(REST_S)
