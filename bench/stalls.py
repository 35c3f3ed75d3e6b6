"""How long others wait while much is purged, and how large the WAL grows while somebody reads."""

from __future__ import annotations

import contextlib
import multiprocessing
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Event
from pathlib import Path

import jobrun
from bench.filling import fill
from jobrun.actions.acting import DISPOSABLE, purge_all
from jobrun.model import JobFilter
from jobrun.store import open_store

EVERY_S = 0.005  # one enqueue of who waits
QUIET_S = 10.0
LOAD_S = 20.0
LATE_S = 30.0  # the longest wait for a group to come up
_FORK = multiprocessing.get_context("fork")


def purge(folder: Path, *, count: int) -> None:
    """Print the waits of an enqueue while nobody else writes, and while so many jobs are purged."""
    path = folder / "jobs.db"
    fill(path, count, shares={"succeeded": 1.0})
    with group(path, "--keep", "365d"):  # it keeps house: the WAL is emptied meanwhile
        quiet = waits(path, lambda: time.sleep(QUIET_S))
        begin = time.perf_counter()
        purged = waits(path, lambda: _purge(path))
        taken = time.perf_counter() - begin
    _show_waits("enqueue, nobody else", quiet)
    _show_waits(f"enqueue, purge of {count:,} in {taken:.1f} s", purged)


def _purge(path: Path) -> None:
    with open_store(path) as store:
        purge_all(store, JobFilter(states=DISPOSABLE), tell=lambda _: None)


def waits(path: Path, work: Callable[[], None]) -> list[float]:
    """Return the sorted seconds of enqueues in another process while `work` is done."""
    done = _FORK.Event()
    receiver, sender = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=lambda: sender.send(_enqueue_until(path, done)))
    process.start()
    work()
    done.set()
    taken: list[float] = receiver.recv()
    process.join()
    return sorted(taken)


def _enqueue_until(path: Path, done: Event) -> list[float]:
    taken = []
    later = jobrun.options(in_s=86_400)
    with jobrun.open(path) as queue:
        while not done.wait(EVERY_S):
            job = later.job("shop.mail:send", 42)
            begin = time.perf_counter()
            queue.enqueue_many([job])
            taken.append(time.perf_counter() - begin)
    return taken


def _show_waits(title: str, taken: list[float]) -> None:
    p50, p99 = taken[len(taken) // 2], taken[len(taken) * 99 // 100]
    late = sum(wait > 0.05 for wait in taken)
    print(
        f"{title:44} p50 {p50 * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms, longest {taken[-1] * 1e3:.1f} ms, "
        f"{late} of {len(taken)} over 50 ms",
        flush=True,
    )


def wal(folder: Path) -> None:
    """Print the largest WAL under load, by who reads meanwhile."""
    readers: dict[str, Callable[[Path, Event], None] | None] = {
        "nobody reads": None,
        "short reads overlap": _read_shortly,
        "one read stays open": _read_long,
    }
    for number, (title, reader) in enumerate(readers.items()):
        path = folder / f"{number}.db"
        fill(path, 10_000, shares={"succeeded": 1.0})
        with group(path), _readers(path, reader):
            sizes, jobs = _load(path)
        after = _size(path)
        print(
            f"WAL, {title:22} {jobs:,} jobs in {LOAD_S:.0f} s: largest {max(sizes) / 1e6:.1f} MB, "
            f"median {sorted(sizes)[len(sizes) // 2] / 1e6:.1f} MB, {sizes[-1] / 1e6:.1f} MB at the end, "
            f"after the group has ended {after / 1e6:.1f} MB",
            flush=True,
        )


def _load(path: Path) -> tuple[list[int], int]:
    """Add jobs that are run at once, in batches; return sizes of the WAL, and how many they were."""
    sizes, jobs, end = [], 0, time.monotonic() + LOAD_S
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
def _readers(path: Path, reader: Callable[[Path, Event], None] | None) -> Iterator[None]:
    done = _FORK.Event()
    processes = [_FORK.Process(target=reader, args=(path, done)) for _ in range(2)] if reader else []
    for process in processes:
        process.start()
    yield
    done.set()
    for process in processes:
        process.join()


def _read_shortly(path: Path, done: Event) -> None:
    """Hold a read for 20 ms, again and again: two who do it leave no instant without one."""
    raw = sqlite3.connect(path, isolation_level=None)
    while not done.is_set():
        raw.execute("BEGIN")
        raw.execute("SELECT max(id) FROM jobs").fetchall()
        done.wait(0.02)
        raw.execute("COMMIT")
    raw.close()


def _read_long(path: Path, done: Event) -> None:
    """Hold one read for half of the time."""
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("BEGIN")
    raw.execute("SELECT max(id) FROM jobs").fetchall()
    done.wait(LOAD_S / 2)
    raw.execute("COMMIT")
    raw.close()


@contextlib.contextmanager
def group(path: Path, *words: str) -> Iterator[None]:
    """Run two workers on a job file."""
    command = [sys.executable, "-m", "jobrun", "--db", str(path), "worker", "-n", "2", *words]
    with path.with_suffix(".log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        end = time.monotonic() + LATE_S
        while not _workers(path):
            if time.monotonic() > end:
                raise TimeoutError
            time.sleep(0.05)
        yield
        process.terminate()
        process.wait(LATE_S)


def _workers(path: Path) -> int:
    with open_store(path) as store:
        return len(store.workers.all())
