"""The live screen on a real terminal: tmux shows what a person would see, and types what one would type."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobrun.model import Job, Kind, State
from jobrun.store import Store
from tests.screen import Screen, needs_tmux

pytestmark = [
    pytest.mark.process,
    needs_tmux,
]


class Watched(Screen):
    """A shell, and `top` in it."""

    def __init__(self, environ: dict[str, str], cwd: Path) -> None:
        super().__init__("sh", environ, cwd)
        self._place = cwd

    def top(self) -> int:
        """Begin to watch, and return the pid of who shows it."""
        self.type(f"stty -a >before; sh -c 'echo $$ >pid; exec {sys.executable} -m jobrun top'", "Enter")
        self.until("RUNNING", "q leave")
        return int((self._place / "pid").read_text())

    def how_it_was_left(self) -> str:
        """Return what the shell shows after the screen, whose settings are to be as before."""
        self.type("echo left=$?.; stty -a >after", "Enter")
        self.wait(lambda: re.search(r"left=\d", self.text()) is not None, "the shell")
        self.wait((self._place / "after").exists, "stty")
        self.wait(lambda: (self._place / "after").stat().st_size > 0, "stty")
        assert (self._place / "after").read_text() == (self._place / "before").read_text()
        return self.text()


@pytest.fixture
def screen(environ: dict[str, str], tmp_path: Path) -> Iterator[Watched]:
    with Watched(environ, tmp_path) as opened:
        yield opened


@pytest.fixture
def worker(environ: dict[str, str], tmp_path: Path, store: Store) -> Iterator[None]:
    """Have a worker run jobs meanwhile."""
    assert store.created
    child = subprocess.Popen(
        [sys.executable, "-m", "jobrun", "worker", "-n", "1", "--drain", "0s"],
        env=environ,
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield
    child.terminate()
    child.wait(timeout=60)


@pytest.mark.usefixtures("worker")
def test_a_person_watches_a_job_reads_its_log_and_ends_it(
    screen: Watched, store: Store, add: Callable[..., Job]
) -> None:
    job = add("echo here I am; exec sleep 1000", kind=Kind.SHELL, queue="mail")
    screen.top()
    screen.until("RUNNING 1", "> echo here", "workers 1".upper())

    screen.type("Enter")
    screen.until("job 1", "\nhere I am\n", "running, attempt 1", "q back")
    screen.type("q")
    screen.until("RUNNING 1", "q leave")

    screen.resize(160, 40)
    screen.wait(lambda: len(screen.text().splitlines()[0]) == 160, "a wide screen")
    screen.resize(40, 10)
    screen.until("too small")
    screen.resize(80, 24)
    screen.until("RUNNING 1")

    screen.type("c")
    screen.until("cancel job 1? y or n")
    screen.type("n")
    screen.until("left as it is")
    screen.type("c")
    screen.until("cancel job 1? y or n")
    screen.type("y")
    screen.until("RUNNING 0", "nothing runs")
    ended = store.ledger.get(job.id)
    assert ended is not None
    assert ended.state is State.CANCELLED


def test_a_person_pauses_a_queue_and_retries_a_job(
    screen: Watched, store: Store, fail: Callable[..., Job]
) -> None:
    job = fail("app:broken", queue="mail")
    screen.top()
    screen.until("FAILED 1", "exit 3")

    screen.type("Tab", "p")
    screen.until("paused by", "queue mail is paused")
    screen.type("p")
    screen.until("queue mail goes on")
    screen.type("Tab", "i")
    screen.until("attempt 1: error: exit 3", "q back")
    screen.type("q")
    screen.until("q leave")
    screen.type("r")
    screen.until("job 1 is queued again", "FAILED 0")
    retried = store.ledger.get(job.id)
    assert retried is not None
    assert retried.state is State.READY


@pytest.mark.parametrize(
    ("key", "signum", "code"),
    [("q", None, 0), ("C-c", None, 0), (None, signal.SIGTERM, 143), (None, signal.SIGHUP, 129)],
)
@pytest.mark.usefixtures("store")
def test_the_terminal_is_left_as_it_was(
    screen: Watched, key: str | None, signum: signal.Signals | None, code: int
) -> None:
    screen.type("echo what was there before", "Enter")
    pid = screen.top()
    assert screen.is_other_screen()

    if key is not None:
        screen.type(key)
    if signum is not None:
        os.kill(pid, signum)
    screen.wait(lambda: not screen.is_other_screen(), "the first screen")

    text = screen.how_it_was_left()
    assert "what was there before" in text
    assert f"left={code}." in text
    assert "RUNNING" not in text
    assert screen.tmux("display-message", "-p", "#{cursor_flag}").strip() == "1"


@pytest.mark.usefixtures("store")
def test_a_stopped_screen_gives_the_terminal_back_and_goes_on_where_it_was(screen: Watched) -> None:
    pid = screen.top()
    screen.type("C-z")
    screen.wait(lambda: not screen.is_other_screen(), "the first screen")
    screen.wait(lambda: _state(pid) == "T", "the stop")
    screen.type("stty -a >after", "Enter")
    screen.type("fg", "Enter")
    screen.until("RUNNING 0", "q leave")
    assert screen.is_other_screen()

    screen.type("q")
    screen.wait(lambda: not screen.is_other_screen(), "the first screen")
    assert "RUNNING" not in screen.how_it_was_left()


@pytest.mark.usefixtures("store")
def test_a_terminal_that_is_hung_up_ends_it(screen: Watched) -> None:
    pid = screen.top()
    screen.tmux("new-session", "-d", "-s", "other", "sh")
    screen.tmux("kill-session", "-t", "0")

    screen.wait(lambda: _state(pid) == "", "its end")


def test_a_file_that_is_removed_does_not_end_it(
    screen: Watched, path: Path, fail: Callable[..., Job]
) -> None:
    fail("app:broken", queue="mail")
    screen.top()
    screen.until("FAILED 1")
    for end in ("", "-wal", "-shm"):
        path.with_name(f"{path.name}{end}").unlink()

    screen.until("as it was at", "app:broken")
    screen.type("r")
    screen.until("as it was at")
    screen.type("q")
    assert "left=0." in screen.how_it_was_left()


def _state(pid: int) -> str:
    """Return how a process is, as proc(5) names it; nothing of one that is gone."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if state == "Z" else state
