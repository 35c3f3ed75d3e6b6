"""editing: to be written."""

from __future__ import annotations

import typer


def edit(ctx: typer.Context) -> int:
    """edit: to be written."""
    raise NotImplementedError
