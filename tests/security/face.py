"""The command line as others meet it: with another umask, in another directory, or as another user."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, NoReturn

import pytest

import jobrun.cli.app
import jobrun.cli.straight
import jobrun.store.whole
import jobrun.supervisor
from jobrun.cli.door import run

jobrun.cli.app.built()  # all verbs, for the same reason

NOBODY = 65534
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
LIMIT_S = 60.0


class Answer(NamedTuple):
    code: int
    said: str  # on both outputs


def jobrun_at(db: Path, *words: str, cwd: Path, umask: int = 0o022, **variables: str) -> Answer:
    """Run the command line in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "jobrun", "--db", os.fspath(db), *words],
        cwd=cwd,
        umask=umask,
        env={**_environment(), **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    return Answer(done.returncode, done.stdout)


def as_user(uid: int, db: Path, *words: str) -> Answer:
    """Answer the words as another user, in a fork."""
    with tempfile.TemporaryFile() as file:
        pid = os.fork()
        if pid == 0:
            _answer_in_fork(uid, file.fileno(), ["--db", os.fspath(db), *words])
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        file.seek(0)
        return Answer(code, file.read().decode())


@contextmanager
def open_folder() -> Iterator[Path]:
    """Give a folder that other users may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def _answer_in_fork(uid: int, output: int, argv: list[str]) -> NoReturn:
    code = 99
    try:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        for fd in (1, 2):
            os.dup2(output, fd)
        sys.stdout, sys.stderr = (os.fdopen(os.dup(output), "w") for _ in range(2))
        code = run(argv)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {**kept, "LANG": "C.UTF-8", "TZ": "UTC"}
