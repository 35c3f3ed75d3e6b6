"""metrics: to be written."""

from __future__ import annotations

import typer


def metrics(ctx: typer.Context) -> int:
    """metrics: to be written."""
    raise NotImplementedError
