"""The job file and where it lies: that it opens, who else can read it, its file system, room, WAL and wholeness."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from jobrun.actions.checkup.words import Finding, Patient, ok, problem, warning
from jobrun.errors import JobrunError
from jobrun.paths import side_dir
from jobrun.store import check_for_workers, medium
from jobrun.store.integrity import Integrity
from jobrun.units import format_duration, format_size, plural

MIB = 1024 * 1024
LEAST_FREE = 64 * MIB  # below this the next commits may fail
LITTLE_FREE = 512 * MIB
FEW_NAMES = 1000  # free inodes
LONG_WAL = 96 * MIB  # it is kept at 64 MiB while it can be emptied
ENDLESS_WAL = 1024 * MIB
PASSING = {"tmpfs": "memory", "ramfs": "memory", "overlay": "a layer of a container"}


def look_at_file(patient: Patient) -> Iterator[Finding]:
    """Look whether the job file can be opened and written."""
    if patient.fault is not None:
        yield problem(patient.fault.message, patient.fault.hint)
    if patient.store is None:
        return
    try:
        patient.store.check_is_writable()
    except JobrunError as error:
        yield problem(error.message, error.hint)
        return
    size = format_size(_size(patient.path))
    yield ok(f"{patient.path} (by {patient.named_by}), {size}, can be read and written")


def look_at_modes(patient: Patient) -> Iterator[Finding]:
    """Look who else can read or change the job file, and whether workers would refuse it."""
    if not patient.path.exists():
        return
    side = side_dir(patient.path)
    places = [Path(f"{os.path.realpath(patient.path)}{end}") for end in ("", "-wal", "-shm")]
    found = [finding for place in (*places, side) if (finding := mode(place)) is not None]
    try:
        check_for_workers(patient.path)
    except JobrunError as error:
        found.append(problem(f"workers refuse it: {error.message}", error.hint))
    yield from found or [ok("nobody but its owner can read or change it")]


def mode(place: Path) -> Finding | None:
    """Judge the mode of a file or folder; None if it is private or missing."""
    try:
        bits = stat.S_IMODE(place.stat().st_mode)
    except OSError:
        return None
    mend = f"chmod {'700' if place.is_dir() else '600'} {place}"
    if bits & 0o022:
        return problem(
            f"{place} can be changed by others (mode {bits:04o}), who could run code as its owner", mend
        )
    if bits & 0o044:
        return warning(f"{place} can be read by others (mode {bits:04o}), with all arguments in it", mend)
    return None


def look_at_file_system(patient: Patient) -> Iterable[Finding]:
    """Look what the job file lies on."""
    folder = patient.path.parent
    return [file_system(medium.file_system(folder, medium.MOUNTS))] if folder.exists() else []


def file_system(kind: str) -> Finding:
    """Judge the type of a file system."""
    if medium.is_networked(kind):
        return problem(
            f"{kind} cannot hold a job file: two hosts would see two", "keep it on a local disk (--db PATH)"
        )
    if kind in PASSING:
        said = f"{kind} is {PASSING[kind]}: the jobs end with it"
        return warning(said, "keep the job file on a disk (--db PATH), unless that is meant")
    return ok(f"{kind}, a local disk" if kind else "cannot tell which it is")


def look_at_room(patient: Patient) -> Iterable[Finding]:
    """Look how much the job file can still grow."""
    try:
        found = os.statvfs(patient.path.parent)
    except OSError:
        return []
    names = found.f_favail if found.f_files else None  # some file systems do not count them
    return [room(found.f_bavail * found.f_frsize, _size(patient.path), names)]


def room(free: int, size: int, names: int | None) -> Finding:
    """Judge the free bytes, and free inodes, of a file system with a job file of this size."""
    told = f"{format_size(free)} free"
    if free < LEAST_FREE:
        return problem(
            f"{told}: the next jobs may not fit", "free some disk space; `jobrun purge --older-than 7d`"
        )
    if names is not None and names < FEW_NAMES:
        return warning(
            f"{told}, but only {names} more files can be made", "remove files (`df -i` counts them)"
        )
    if free < max(LITTLE_FREE, size):
        return warning(f"{told}, too little for a copy of the job file", "free some disk space")
    return ok(told)


def look_at_wal(patient: Patient) -> Iterable[Finding]:
    """Look how much was committed and not yet copied into the file itself."""
    return [wal(_size(Path(f"{os.path.realpath(patient.path)}-wal")), patient.path)] if patient.store else []


def wal(size: int, path: Path) -> Finding:
    """Judge the length of a WAL."""
    told = f"{format_size(size)}" if size else "empty"
    if size < LONG_WAL:
        return ok(told)
    todo = f"`fuser -v {path}` shows who has it open: a program that reads for long, or no worker that empties it"
    if size < ENDLESS_WAL:
        return warning(f"{told}, more than it should be", todo)
    return problem(f"{told}: it grows without end", todo)


def look_through(patient: Patient) -> Iterable[Finding]:
    """Read through the file for what is damaged."""
    if patient.store is None:
        return []
    return [integrity(patient.store.integrity(budget_s=patient.budget_s), patient.path)]


def integrity(found: Integrity, path: Path) -> Finding:
    """Judge what was found damaged."""
    if found.faults:
        more = f" (and {len(found.faults) - 1} more faults)" if found.faults[1:] else ""
        todo = f"put a backup in its place; `sqlite3 {path} .recover` prints what can still be read"
        return problem(f"damaged: {found.faults[0]}{more}", todo)
    told = f"no fault in {plural(len(found.checked), 'table')}"
    if found.left:
        return ok(
            f"{told}; not looked through in {_span(found)}: {' and '.join(found.left)} (--full does it)"
        )
    return ok(f"{told}, looked through in {_span(found)}")


def _span(found: Integrity) -> str:
    return f"{found.took_s:.1f} s" if found.took_s < 10 else format_duration(round(found.took_s))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
