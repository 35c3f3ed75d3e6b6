"""debugging: to be written."""

from __future__ import annotations

import typer


def debug(ctx: typer.Context) -> int:
    """debug: to be written."""
    raise NotImplementedError
