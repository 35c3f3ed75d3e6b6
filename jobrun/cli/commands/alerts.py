"""alerts: to be written."""

from __future__ import annotations

import typer


def alerts(ctx: typer.Context) -> int:
    """alerts: to be written."""
    raise NotImplementedError
