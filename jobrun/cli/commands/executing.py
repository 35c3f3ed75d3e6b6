"""executing: to be written."""

from __future__ import annotations

import typer


def exec_(ctx: typer.Context) -> int:
    """exec_: to be written."""
    raise NotImplementedError
