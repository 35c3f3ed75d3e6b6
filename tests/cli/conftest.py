from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from jobrun.cron.digest import digest, schedule_digest
from jobrun.cron.words import EntrySpec
from jobrun.lifecycle import settle
from jobrun.model import Ending, Job, Kind, NewJob, Outcome
from jobrun.store import Store, open_store
from jobrun.table import read_table
from tests.around import kept
from tests.claims import claim

Finished = subprocess.CompletedProcess[str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with open_store(path, create=True) as opened:
        yield opened


@pytest.fixture
def add(store: Store) -> Callable[..., Job]:
    """Add a job, and return it as it is stored."""

    def added(task: str = "app:work", *, now: datetime | None = None, **options: Any) -> Job:
        new = NewJob(**{"kind": Kind.CALL, "task": task, **options})
        job = store.ledger.get(store.intake.add([new], now=now or datetime.now(UTC))[0].id)
        assert job is not None
        return job

    return added


@pytest.fixture
def start(store: Store, add: Callable[..., Job]) -> Callable[..., Job]:
    """Add a job and claim it, as a dispatcher does; nothing runs it."""
    numbers = count(1)

    def started(task: str = "app:work", *, job: Job | None = None, **options: Any) -> Job:
        wanted = job or add(task, **options)
        now = datetime.now(UTC)
        [claimed] = claim(store, "w1", now=now, new_token=lambda: f"token{next(numbers)}")
        assert claimed.id == wanted.id, "another job was ready, too"
        return claimed

    return started


@pytest.fixture
def settled(store: Store) -> Callable[..., Job]:
    """End a running job; `ago_s` seconds in the past."""

    def ended(job: Job, *, ago_s: float = 0, spread: float = 0.0, **ending: Any) -> Job:
        now = datetime.now(UTC) - timedelta(seconds=ago_s)
        how = Ending(**{"outcome": Outcome.OK, **ending})
        assert store.endings.settle(job, how, settle(job, how, now, spread), now=now, pid=4711)
        after = store.ledger.get(job.id)
        assert after is not None
        return after

    return ended


@pytest.fixture
def end(start: Callable[..., Job], settled: Callable[..., Job]) -> Callable[..., Job]:
    """Add a job and end it, well unless told otherwise."""

    def ended(task: str = "app:work", *, ending: dict[str, Any] | None = None, **options: Any) -> Job:
        ago_s = options.pop("ago_s", 0)
        return settled(start(task, **options), ago_s=ago_s, **(ending or {}))

    return ended


@pytest.fixture
def fail(end: Callable[..., Job]) -> Callable[..., Job]:
    """Add a job and let it fail with exit code 3."""

    def failed(task: str = "app:work", **options: Any) -> Job:
        return end(task, ending={"outcome": Outcome.ERROR, "exit_code": 3, "cause": "exit 3"}, **options)

    return failed


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """Write a table, and return its path."""

    def written(text: str, name: str = "jobs.toml") -> Path:
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        file.chmod(0o600)
        return file

    return written


@pytest.fixture
def load(store: Store) -> Callable[..., None]:
    """Have the job file know the entries of a table since an instant, as a scheduler does."""

    def loaded(file: Path, *, now: datetime) -> None:
        entries = read_table(file, local=UTC, local_name="UTC", environ={}).entries
        specs = [EntrySpec(entry=e, digest=digest(e), schedule_digest=schedule_digest(e)) for e in entries]
        store.entries.load(str(file), specs, boot_id="b1", now=now)

    return loaded


@pytest.fixture
def environ(path: Path) -> dict[str, str]:
    """Return the environment of every command of a test."""
    return {**kept(), "JOBRUN_DB": str(path), "LANG": "C.UTF-8", "TZ": "UTC"}


@pytest.fixture
def jobrun(environ: dict[str, str], tmp_path: Path) -> Callable[..., Finished]:
    """Run the command line in a process of its own, without a terminal."""

    def run(*argv: str, text: str = "", **more: str) -> Finished:
        command = [sys.executable, "-m", "jobrun", *argv]
        return subprocess.run(
            command,
            input=text,
            env={**environ, **more},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def jobrun_json(jobrun: Callable[..., Finished]) -> Callable[..., Any]:
    """Run a command that must succeed, and return the JSON that it prints."""

    def run(*argv: str) -> Any:
        done = jobrun(*argv, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture
def terminal(environ: dict[str, str], tmp_path: Path) -> Callable[..., str]:
    """Run the command line on a terminal of its own, and return all that it shows."""

    def run(*argv: str, columns: int = 80, lines: int = 50, keys: str = "", **more: str) -> str:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        child = subprocess.Popen(
            [sys.executable, "-m", "jobrun", *argv],
            env={**environ, "TERM": "xterm-256color", **more},
            cwd=tmp_path,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        os.write(ours, keys.encode())
        shown = b"".join(_until_closed(ours))
        os.close(ours)
        child.wait(timeout=60)
        return shown.decode().replace("\r\n", "\n")

    return run


def _until_closed(fd: int) -> Iterator[bytes]:
    with contextlib.suppress(OSError):  # EIO: the other side of a terminal is closed
        while chunk := os.read(fd, 65536):
            yield chunk
