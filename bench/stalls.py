"""How long others wait while much is purged, and how large the WAL grows while somebody reads."""

from __future__ import annotations

import contextlib
import multiprocessing
import sqlite3
import time
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Event
from pathlib import Path

import jobrun
from bench.filling import fill
from bench.group import group
from bench.tables import at, spread
from jobrun.actions.acting import DISPOSABLE, purge_all
from jobrun.model import JobFilter
from jobrun.store import open_store

EVERY_S = 0.005  # one enqueue of who waits
MEGABYTE = 1e6
PURGE_HEAD = ("one enqueue each 5 ms", "p50 ms", "p99 ms", "longest ms", "over 50 ms", "of")
WAL_HEAD = ("jobs are run", "jobs", "seconds", "largest MB", "median MB", "at the end MB", "group gone MB")
_FORK = multiprocessing.get_context("fork")


def purge(folder: Path, *, count: int, quiet_s: float) -> tuple[list[tuple[str, ...]], float]:
    """Return rows of waits of an enqueue, first while nobody else writes, then while so many jobs are purged.

    With them comes the longest wait of the latter, in milliseconds.
    """
    path = folder / "jobs.db"
    fill(path, count, shares={"succeeded": 1.0})
    with group(path, "--keep", "365d"):  # it keeps house: the WAL is emptied meanwhile
        quiet = waits(path, lambda: time.sleep(quiet_s))
        begin = time.perf_counter()
        purged = waits(path, lambda: _purge(path))
        taken = time.perf_counter() - begin
    rows = [_row("nobody else writes", quiet), _row(f"purge of {count:,} in {taken:.1f} s", purged)]
    return [PURGE_HEAD, *rows], at(purged, 100)


def _purge(path: Path) -> None:
    with open_store(path) as store:
        purge_all(store, JobFilter(states=DISPOSABLE), tell=lambda _: None)


def waits(path: Path, work: Callable[[], None]) -> list[float]:
    """Return the sorted milliseconds of enqueues in another process while `work` is done."""
    done = _FORK.Event()
    receiver, sender = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=lambda: sender.send(_enqueue_until(path, done)))
    process.start()
    try:
        work()
    finally:
        done.set()
    taken: list[float] = receiver.recv()
    process.join()
    return sorted(taken)


def _enqueue_until(path: Path, done: Event) -> list[float]:
    taken: list[float] = []
    later = jobrun.options(in_s=86_400)
    with jobrun.open(path) as queue:
        while True:
            job = later.job("shop.mail:send", 42)
            begin = time.perf_counter()
            queue.enqueue_many([job])
            taken.append((time.perf_counter() - begin) * 1e3)
            if done.wait(EVERY_S):
                return taken


def _row(title: str, taken_ms: list[float]) -> tuple[str, ...]:
    late = sum(wait > 50 for wait in taken_ms)
    return title, *spread(taken_ms, 50, 99, 100, digits=1), f"{late}", f"{len(taken_ms):,}"


def wal(folder: Path, *, load_s: float) -> list[tuple[str, ...]]:
    """Return rows of sizes of the WAL under load, by who reads meanwhile."""
    readers: dict[str, Callable[[Path, Event, float], None] | None] = {
        "nobody reads": None,
        "short reads overlap": _read_shortly,
        "one read stays open for half of it": _read_long,
    }
    rows: list[tuple[str, ...]] = [WAL_HEAD]
    for number, (title, reader) in enumerate(readers.items()):
        path = folder / f"{number}.db"
        fill(path, 10_000, shares={"succeeded": 1.0})
        with group(path), _readers(path, reader, load_s):
            sizes, jobs = _load(path, load_s)
        found = (max(sizes), sorted(sizes)[len(sizes) // 2], sizes[-1], _size(path))
        rows.append((title, f"{jobs:,}", f"{load_s:g}", *[f"{size / MEGABYTE:.1f}" for size in found]))
    return rows


def _load(path: Path, load_s: float) -> tuple[list[int], int]:
    """Add jobs that are run at once, in batches; return sizes of the WAL, and how many they were."""
    sizes, jobs, end = [], 0, time.monotonic() + load_s
    with jobrun.open(path) as queue:
        while time.monotonic() < end:
            queue.enqueue_many([("builtins:abs", (1,), {})] * 50)
            jobs += 50
            sizes.append(_size(path))
            time.sleep(0.02)
    return sizes, jobs


def _size(path: Path) -> int:
    wal_path = Path(f"{path}-wal")
    return wal_path.stat().st_size if wal_path.exists() else 0


@contextlib.contextmanager
def _readers(
    path: Path, reader: Callable[[Path, Event, float], None] | None, load_s: float
) -> Iterator[None]:
    done = _FORK.Event()
    processes = [_FORK.Process(target=reader, args=(path, done, load_s)) for _ in range(2)] if reader else []
    for process in processes:
        process.start()
    try:
        yield
    finally:
        done.set()
        for process in processes:
            process.join()


def _read_shortly(path: Path, done: Event, _load_s: float) -> None:
    """Hold a read for 20 ms, again and again: two who do it leave no instant without one."""
    raw = sqlite3.connect(path, isolation_level=None)
    while not done.is_set():
        raw.execute("BEGIN")
        raw.execute("SELECT max(id) FROM jobs").fetchall()
        done.wait(0.02)
        raw.execute("COMMIT")
    raw.close()


def _read_long(path: Path, done: Event, load_s: float) -> None:
    """Hold one read for half of the time."""
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("BEGIN")
    raw.execute("SELECT max(id) FROM jobs").fetchall()
    done.wait(load_s / 2)
    raw.execute("COMMIT")
    raw.close()
