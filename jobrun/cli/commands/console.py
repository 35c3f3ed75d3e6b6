"""console: to be written."""

from __future__ import annotations

import typer


def top(ctx: typer.Context) -> int:
    """top: to be written."""
    raise NotImplementedError
