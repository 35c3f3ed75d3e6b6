"""Which lines of a traceback are ours: they tell the reader nothing."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent.parent


def is_ours(filename: str) -> bool:
    """Say whether a source file is one of jobrun's own."""
    return Path(filename).is_relative_to(_PACKAGE)
