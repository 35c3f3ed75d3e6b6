"""Job files as lines of JSON: written, and read again elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from jobrun import __version__
from jobrun.errors import NotDone
from jobrun.paths import side_dir
from jobrun.store import Store, creation, importing, open_store, store_exists
from jobrun.store.exporting import Wanted
from jobrun.store.importing import MAX_LINE, Choice, Filled
from jobrun.store.merging import Merged
from jobrun.units import rfc3339

Line = dict[str, Any]
Tell = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What was read, and what was put in."""

    read: Filled
    merged: Merged


def lines(store: Store, wanted: Wanted, *, now: Any, tell: Tell) -> Iterator[list[Line]]:
    """Yield the lines of an export, page by page; `tell` hears how many jobs were on a page."""
    yield [store.exporting.head(wanted, version=__version__, at=rfc3339(now))]
    counts: dict[str, int] = {}
    for page in store.exporting.pages(wanted):
        for line in page:
            [kind] = line
            counts[kind] = counts.get(kind, 0) + 1
        yield page
        tell(sum("job" in line for line in page))
    yield [{"end": counts}]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where lines come from; `name` is what messages call it."""

    stream: BinaryIO
    name: str


def take_in(path: Path, source: Source, choice: Choice, tell: Tell) -> Imported:
    """Import lines into a job file, made if it is missing; `tell` hears of each line.

    Nothing is put in unless every line is right. Raises `UsageError` with all that is not, and `NotDone` for a
    file that has jobs, unless they are to be merged.
    """
    read: list[Filled] = []

    def fill(draft: Path) -> None:
        read.append(importing.fill(draft, source.name, _numbered(source.stream, tell), choice))

    if not store_exists(path):
        if creation.create(path, fill):
            return Imported(read=read[0], merged=Merged(jobs=read[0].lines["job"], skipped=0))
        raise NotDone(f"`{path}` was made by another process meanwhile; nothing was imported")
    with open_store(path) as store:
        store.check_is_writable()
        if not (choice.merges or store.merging.is_virgin()):
            raise _has_jobs(path)
        draft = side_dir(path) / "spool" / f"import-{os.urandom(4).hex()}"
        try:
            creation.make_at(draft)
            fill(draft)
            merged = store.merging.take_whole(draft)
            if merged is None and not choice.merges:
                raise _has_jobs(path)
            return Imported(read=read[0], merged=merged or store.merging.add(draft, lambda _: None))
        finally:
            for end in ("", "-wal", "-shm", "-journal"):
                Path(f"{draft}{end}").unlink(missing_ok=True)


def _numbered(source: BinaryIO, tell: Tell) -> Iterator[tuple[int, bytes]]:
    """Yield lines with their numbers; of one that is too long only so much that this is seen."""
    number = 0
    while line := source.readline(MAX_LINE + 1):
        number += 1
        yield number, line
        while len(line) > MAX_LINE and not line.endswith(b"\n"):
            line = source.readline(MAX_LINE + 1)
        tell(1)


def _has_jobs(path: Path) -> NotDone:
    return NotDone(
        f"`{path}` has jobs; nothing was imported",
        hint="--merge adds those of the export, with ids of their own; or name a new file with --db PATH",
    )
