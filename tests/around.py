"""What a process that a test starts has from the run of the tests, and nothing else."""

from __future__ import annotations

import os

_PLACES = ("PATH", "HOME", "TMPDIR")
# How strict Python is, and which SQLite it loads: see tests/versions.sh.
_PYTHON = ("PYTHONDEVMODE", "PYTHONWARNINGS", "LD_LIBRARY_PATH")


def strictness() -> dict[str, str]:
    """Return what makes a Python that is started as strict as ours, on the same SQLite."""
    return _of(_PYTHON)


def kept() -> dict[str, str]:
    """Return that, and where everything is."""
    return _of(_PLACES) | strictness()


def _of(names: tuple[str, ...]) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}
