"""A client that enqueues without a pause until it gets SIGTERM, then writes how long each call took.

python -m bench.writing FILE DURABILITY
"""

from __future__ import annotations

import array
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import jobrun
from bench.peers import ROOT
from jobrun.errors import JobrunError


@dataclass(frozen=True, slots=True)
class Found:
    """What one client saw."""

    seconds: Sequence[float]  # of each enqueue
    errors: int


@contextmanager
def client(path: Path, durability: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a client; it writes a byte when it has the file open, and begins when it gets one."""
    command = [sys.executable, "-m", "bench.writing", str(path), durability]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ) as process:
        try:
            yield process
        finally:
            process.kill()  # it has ended, unless the run was cut short


def result(process: subprocess.Popen[bytes]) -> Found:
    """Return what a client has written that was told to end."""
    told, _ = process.communicate()
    taken = array.array("d")
    taken.frombytes(told[8:])
    return Found(taken, int.from_bytes(told[:8], "little"))


def main() -> None:
    path, durability = sys.argv[1:]
    stop: list[int] = []
    taken, errors = array.array("d"), 0
    with jobrun.open(path, durability=durability) as jobs:
        signal.signal(signal.SIGTERM, lambda number, _frame: stop.append(number))
        os.write(1, b".")
        os.read(0, 1)
        while not stop:
            begin = time.perf_counter()
            try:
                jobs.enqueue("builtins:abs", 1)
            except JobrunError:
                errors += 1
            taken.append(time.perf_counter() - begin)
    sys.stdout.buffer.write(errors.to_bytes(8, "little") + taken.tobytes())


if __name__ == "__main__":
    main()
