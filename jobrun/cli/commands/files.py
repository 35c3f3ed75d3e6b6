"""files: to be written."""

from __future__ import annotations

import typer


def check(ctx: typer.Context) -> int:
    """check: to be written."""
    raise NotImplementedError


def vacuum(ctx: typer.Context) -> int:
    """vacuum: to be written."""
    raise NotImplementedError


def export(ctx: typer.Context) -> int:
    """export: to be written."""
    raise NotImplementedError


def import_(ctx: typer.Context) -> int:
    """import_: to be written."""
    raise NotImplementedError
