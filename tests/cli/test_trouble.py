"""Faults of the system around us: whatever call meets them, one line says so."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jobrun.errors import JobFileUnusable
from jobrun.trouble import around_us

# A command in a process that can load nothing any more once it is at work.
STARVED = """
import builtins, sys
from jobrun.cli import door
import jobrun.cli.enqueue, jobrun.cli.straight, jobrun.store.opening

class Nothing:
    def find_spec(self, name, *_):
        raise OSError(24, "Too many open files", name)

sys.meta_path.insert(0, Nothing())
sys.exit(door.run(sys.argv[1:]))
"""


@pytest.mark.parametrize("verb", [["enqueue", "m:f"], ["enqueue", "m:f", "--json"]])
def test_a_fault_is_told_though_nothing_can_be_loaded_any_more(tmp_path: Path, verb: list[str]) -> None:
    path = tmp_path / "j\u00f6bs.db"
    path.write_text("no job file")
    path.chmod(0o600)

    done = subprocess.run(
        [sys.executable, "-c", STARVED, "--db", path, *verb], capture_output=True, text=True, check=False
    )

    assert done.returncode == 4
    assert done.stdout == ""
    assert done.stderr.splitlines()[0].startswith("jobrun: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (errno.EMFILE, "too few file descriptors"),
        (errno.ENFILE, "too few file descriptors"),
        (errno.ENOMEM, "out of memory"),
        (errno.EIO, "cannot use `/a`: Input/output error"),
        (errno.ENOSPC, "cannot use `/a`: No space left on device"),
        (errno.EACCES, "cannot use `/a`: Permission denied"),
        (errno.ENOLCK, "cannot use `/a`: No locks available"),
    ],
)
def test_what_only_the_system_can_mend_is_no_bug(code: int, told: str) -> None:
    found = around_us(OSError(code, os.strerror(code), "/a"))

    assert isinstance(found, JobFileUnusable)
    assert found.message == told


@pytest.mark.parametrize(
    "error", [ValueError("x"), FileNotFoundError(errno.ENOENT, "no", "/a"), OSError("x"), ImportError("no m")]
)
def test_a_bug_stays_a_bug(error: Exception) -> None:
    assert around_us(error) is None


def test_want_of_memory_is_no_bug_wherever_it_shows() -> None:
    for error in (MemoryError(), ImportError(f"/lib/x.so: {os.strerror(errno.ENOMEM)}")):
        found = around_us(error)
        assert found is not None
        assert found.message == "out of memory"


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("flock:error=ENOLCK", 0),  # the gate is an optimisation
        ("link,linkat:error=EIO", 4),
        ("fsync:error=EIO", 4),
    ],
)
def test_a_command_that_a_fault_meets_ends_with_a_known_code_and_one_line(
    tmp_path: Path, fault: str, code: int
) -> None:
    path = tmp_path / "jobs.db"
    words = [sys.executable, "-m", "jobrun", "--db", str(path), "enqueue", "-q", "m:f"]
    calls = fault.partition(":")[0]
    faults = ["-e", f"trace={calls}", "-e", f"inject={fault}"]

    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", "/dev/null", *faults, *words],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == code, done.stderr
    assert bool(done.stdout) == (code == 0)
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("jobrun: ")
