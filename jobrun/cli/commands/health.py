"""health: to be written."""

from __future__ import annotations

import typer


def health(ctx: typer.Context) -> int:
    """health: to be written."""
    raise NotImplementedError
