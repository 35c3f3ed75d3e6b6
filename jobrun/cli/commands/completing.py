"""completing: to be written."""

from __future__ import annotations

import typer


def completion(ctx: typer.Context) -> int:
    """completion: to be written."""
    raise NotImplementedError
