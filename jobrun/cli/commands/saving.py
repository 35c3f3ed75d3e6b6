"""backup: a copy of the job file, while everything goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobrun.actions import saving
from jobrun.cli import jsonout, options, render
from jobrun.cli.place import opened
from jobrun.cli.safe import safe_line
from jobrun.units import format_size

Target = Annotated[Path, typer.Argument(metavar="FILE", help="What to write.")]
Replace = Annotated[bool, typer.Option("--replace", help="Write it anew if it is there.")]


def backup(
    ctx: typer.Context, *, target: Target, replace: Replace = False, as_json: options.AsJson = False
) -> int:
    """Write a copy of the job file, checked and complete.

    Workers go on meanwhile. To restore it, stop them and put it in the place of the job file.
    """
    with opened(ctx) as store, render.progress("copying", 100) as tell:
        shown = 0

        def percent(done: int, pages: int) -> None:
            nonlocal shown
            now = done * 100 // max(pages, 1)
            tell(now - shown)
            shown = now

        size = saving.backup(store, target, replaces=replace, tell=percent)
    if as_json:
        render.line(jsonout.dump({"path": str(target), "bytes": size}))
    else:
        render.line(f"saved `{safe_line(str(target))}`, {format_size(size)}")
    return 0
