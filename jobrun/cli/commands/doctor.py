"""doctor: to be written."""

from __future__ import annotations

import typer


def doctor(ctx: typer.Context) -> int:
    """doctor: to be written."""
    raise NotImplementedError
