"""Looking whether a job file is sound: what is wrong, and what to do about each of it."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jobrun import locks
from jobrun.actions import looking
from jobrun.errors import JobrunError
from jobrun.paths import side_dir
from jobrun.store import Store
from jobrun.store.invariants import AT_ONCE, Broken
from jobrun.units import listed, plural
from jobrun.wire import shelf

STRAY_AGE_S = 2 * 86400.0  # a housekeeper sweeps after a day
RESTORE = "stop all workers, and put a backup in its place; `jobrun db export` writes what can be read"
OF_US = "a bug of jobrun, or somebody else wrote to the file: please tell, with a backup kept"

Tell = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is not as it should be: where it was looked for, what it is, and what to do."""

    check: str  # pages, schema, jobs, rows, workers, permissions or leftovers
    what: str
    advice: str


def check(store: Store, *, is_full: bool, begin: Callable[[int], Tell]) -> list[Finding]:
    """Return all that is wrong. `begin` hears how many steps there are; what it returns, of each that is done."""
    ranges: list[tuple[int, int]] = []
    with contextlib.suppress(JobrunError):
        ranges = store.soundness.job_ranges()
    others: list[Callable[[], list[Finding]]] = [
        lambda: _pages(store, is_full=is_full),
        lambda: _schema(store),
        lambda: _rest(store, is_full=is_full),
        lambda: _workers(store),
        lambda: _permissions(store.path),
        lambda: _leftovers(store),
    ]
    tell = begin(len(ranges) + len(others))
    found: list[Finding] = []
    counts: dict[str, Broken] = {}
    for first, last in ranges:
        try:
            for broken in store.soundness.jobs(first, last):
                before = counts.get(broken.what, Broken(broken.what, 0, ()))
                counts[broken.what] = Broken(
                    broken.what, before.number + broken.number, before.rows or broken.rows
                )
        except JobrunError as error:
            found.append(Finding(check="jobs", what=_reason(error), advice=RESTORE))
            break
        finally:
            tell(1)
    found += [_of(broken, "jobs") for broken in counts.values()]
    for look in others:
        try:
            found += look()
        except JobrunError as error:
            found.append(Finding(check="pages", what=_reason(error), advice=RESTORE))
        tell(1)
    return list(dict.fromkeys(found))


def _pages(store: Store, *, is_full: bool) -> list[Finding]:
    said = store.soundness.pages(is_full=is_full)
    return [Finding(check="pages", what=each, advice=RESTORE) for each in said]


def _schema(store: Store) -> list[Finding]:
    advice = "somebody else changed the file; put a backup in its place, or undo that"
    return [Finding(check="schema", what=each, advice=advice) for each in store.soundness.schema()]


def _rest(store: Store, *, is_full: bool) -> list[Finding]:
    return [_of(broken, "rows") for broken in store.soundness.rest(is_full=is_full)]


def _of(broken: Broken, where: str) -> Finding:
    count = f"{broken.number}{' or more' if broken.number == AT_ONCE else ''}"
    return Finding(check=where, what=f"{broken.what}: {count} ({listed(broken.rows, most=5)})", advice=OF_US)


def _workers(store: Store) -> list[Finding]:
    """Find what runs on workers that are dead and that nobody settles."""
    if locks.is_held(side_dir(store.path) / "housekeeper"):
        return []  # it does so within seconds
    lost = looking.left_behind(store)
    if not lost:
        return []
    names = listed([f"job {job.id}" for job in lost], most=5)
    what = f"{plural(len(lost), 'job')} run on workers that are dead: {names}"
    return [Finding(check="workers", what=what, advice="start `jobrun worker`; it settles them as crashed")]


def _permissions(path: Path) -> list[Finding]:
    real, side = Path(os.path.realpath(path)), side_dir(path)
    files = [real, *(Path(f"{real}{end}") for end in ("-wal", "-shm"))]
    folders = [side, *(side / name for name in ("locks", "logs", "spool"))]
    found = []
    for place in (*files, *folders):
        try:
            here = place.lstat()
        except FileNotFoundError:
            continue
        if stat.S_IMODE(here.st_mode) & 0o077:
            mode = stat.S_IMODE(here.st_mode)
            found.append(
                Finding(
                    check="permissions",
                    what=f"`{place}` is open to others (mode {mode:04o})",
                    advice=f"chmod go= {place}",
                )
            )
    return found


def _leftovers(store: Store) -> list[Finding]:
    """Find files that nobody came for, though a housekeeper sweeps them after a day."""
    tokens = {job.token for job in store.endings.running() if job.token}
    known = tokens | {shelf.name(token) for token in tokens}
    strays = [path for path in _spooled(side_dir(store.path)) if path.name not in known]
    if not strays:
        return []
    names = listed(sorted(path.name for path in strays), most=3)
    what = (
        f"{plural(len(strays), 'file')} that nobody came for in `{side_dir(store.path) / 'spool'}`: {names}"
    )
    return [Finding(check="leftovers", what=what, advice="any `jobrun worker` sweeps them after a day")]


def _spooled(side: Path) -> Iterator[Path]:
    with contextlib.suppress(FileNotFoundError):
        for path in (side / "spool").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.lstat().st_mtime > STRAY_AGE_S:
                    yield path


def _reason(error: JobrunError) -> str:
    return error.message.removesuffix("; nothing was changed")
