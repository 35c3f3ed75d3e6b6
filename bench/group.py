"""A group of workers on a job file, and what is in that file."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from bench.peers import ROOT
from jobrun.store import open_store

LIMIT_S = 60.0  # the longest wait for a group to come up, to do its work, and to leave
JOBRUN = [sys.executable, "-m", "jobrun"]


@contextmanager
def group(
    path: Path, *words: str, workers: int = 2, variables: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run so many workers until the block ends; they can import what is in this checkout."""
    command = [*JOBRUN, "--db", str(path), "worker", "-n", str(workers), "--path", str(ROOT), *words]
    with path.with_suffix(".log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **(variables or {})})
        try:
            wait_until(lambda: path.exists() and _workers(path) == workers)
            yield process
        finally:
            process.terminate()
            process.wait(LIMIT_S)


def ended(path: Path) -> int:
    """Return how many jobs have succeeded."""
    with closing(sqlite3.connect(path)) as connection:
        [(count,)] = connection.execute("SELECT count(*) FROM jobs WHERE state = 'succeeded'").fetchall()
    return int(count)


def wait_until(condition: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
    """Ask each 20 ms; raise `TimeoutError` when it takes too long."""
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{limit_s:.0f} s are over")
        time.sleep(0.02)


def _workers(path: Path) -> int:
    with open_store(path) as store:
        return len(store.workers.all())
