"""No command keeps a read open while it prints or waits: the WAL could not be emptied meanwhile."""

from __future__ import annotations

import array
import fcntl
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jobrun.model import Job, Kind, NewJob, Outcome, Output
from jobrun.store import Store

Make = Callable[..., Job]
LATE_S = 30.0
PIPE, LINE = 4096, 512  # bytes: the least that a pipe holds, and more than a line has


@contextmanager
def running(words: Sequence[str], environ: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command whose output nobody reads."""
    command = [sys.executable, "-m", "jobrun", *words]
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, pipesize=PIPE
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def until(holds: Callable[[], bool]) -> bool:
    """Say whether it comes to hold in time."""
    end = time.monotonic() + LATE_S
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def is_full(child: subprocess.Popen[bytes]) -> bool:
    assert child.stdout is not None
    unread = array.array("i", [0])
    fcntl.ioctl(child.stdout, termios.FIONREAD, unread)
    return unread[0] > PIPE - LINE  # a line that has no room is not begun


def listens_and_sleeps(child: subprocess.Popen[bytes]) -> bool:
    place = Path(f"/proc/{child.pid}")
    try:
        hears = any("inotify" in str(each.readlink()) for each in (place / "fd").iterdir())
        return hears and (place / "stat").read_text().rpartition(")")[2].split()[0] == "S"
    except OSError:
        return False


def can_be_emptied(store: Store, child: subprocess.Popen[bytes]) -> bool:
    """Commit something new, and say whether the WAL can be emptied while the command lives."""
    store.intake.add([NewJob(kind=Kind.CALL, task="app:new")], now=datetime.now(UTC))
    return until(store.checkpoint) and child.poll() is None


@pytest.mark.parametrize(
    "words",
    [
        ["list", "--limit", "1000"],
        ["list", "--limit", "1000", "--json"],
        ["failed", "--limit", "1000"],
        ["inspect", "1", "--json"],
        ["logs", "1"],
        ["enqueue", "--batch", "many", "--json"],
    ],
    ids=" ".join,
)
def test_who_prints_into_a_slow_pipe_reads_no_longer(
    words: list[str], store: Store, end: Make, environ: dict[str, str], tmp_path: Path
) -> None:
    printed = Output(head=b"printed\n" * PIPE, size=8 * PIPE)
    failed = {"outcome": Outcome.ERROR, "exit_code": 3, "cause": "exit 3", "output": printed}
    end(args=("x" * 2 * PIPE,), ending=failed)
    for _ in range(100):
        end("app:" + "work" * 20, ending={**failed, "output": Output()})
    (tmp_path / "many").write_text("app:work\n" * 100)
    named = [str(tmp_path / word) if word == "many" else word for word in words]

    with running(named, environ) as child:
        assert until(lambda: is_full(child))

        assert can_be_emptied(store, child)


@pytest.mark.parametrize("words", [["wait", "1"], ["logs", "1", "-f"]], ids=" ".join)
def test_who_waits_reads_no_longer(
    words: list[str], store: Store, start: Make, environ: dict[str, str]
) -> None:
    start()

    with running(words, environ) as child:
        assert until(lambda: listens_and_sleeps(child))

        assert can_be_emptied(store, child)
