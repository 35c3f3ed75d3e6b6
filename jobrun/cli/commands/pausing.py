"""pausing: to be written."""

from __future__ import annotations

import typer


def pause(ctx: typer.Context) -> int:
    """pause: to be written."""
    raise NotImplementedError


def resume(ctx: typer.Context) -> int:
    """resume: to be written."""
    raise NotImplementedError
