from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Finished = subprocess.CompletedProcess[str]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Return the environment of every program of a test."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {
        **kept,
        "JOBRUN_DB": str(tmp_path / "jobs.db"),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PY": sys.executable,
    }


@pytest.fixture
def sh(environ: dict[str, str], tmp_path: Path) -> Callable[..., Finished]:
    """Run a line of bash in which `jobrun` is the program; `None` unsets a variable."""

    def run(line: str, **more: str | None) -> Finished:
        env = {name: value for name, value in {**environ, **more}.items() if value is not None}
        return subprocess.run(
            ["bash", "-c", f'jobrun() {{ "$PY" -P -m jobrun "$@"; }}\n{line}'],
            env=env,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=60,
            check=False,
        )

    return run
