"""stats: to be written."""

from __future__ import annotations

import typer


def stats(ctx: typer.Context) -> int:
    """stats: to be written."""
    raise NotImplementedError
