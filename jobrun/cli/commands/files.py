"""db check, db vacuum: the job file itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Annotated

import typer

from jobrun.actions import soundness, vacuuming
from jobrun.actions.soundness import Finding
from jobrun.cli import jsonout, options, render
from jobrun.cli.place import opened
from jobrun.cli.safe import safe_line
from jobrun.errors import NotDone, UsageError
from jobrun.units import format_duration, format_size, plural

Thorough = Annotated[
    bool, typer.Option("--full", help="Compare every index with its table, too; takes longer.")
]


def check(ctx: typer.Context, *, full: Thorough = False, as_json: options.AsJson = False) -> int:
    """Look whether the job file is sound.

    Its pages, its schema, whether jobs, attempts and ticks agree, and who can read it. Nothing is changed, and
    workers go on.
    """
    with opened(ctx) as store, ExitStack() as stack:
        found = soundness.check(
            store,
            is_full=full,
            begin=lambda total: stack.enter_context(render.progress("checking", total)),
        )
        path = str(store.path)
    if as_json:
        objects = [{"check": each.check, "what": each.what, "advice": each.advice} for each in found]
        render.line(jsonout.dump({"path": path, "is_sound": not found, "findings": objects}))
    else:
        for line in _in_words(path, found):
            render.line(line)
    return int(bool(found))


def _in_words(path: str, found: Sequence[Finding]) -> Iterator[str]:
    if not found:
        yield f"`{safe_line(path)}` is sound"
        return
    yield f"`{safe_line(path)}` is not sound: {plural(len(found), 'finding')}"
    advice = ""
    for each in sorted(found, key=lambda one: (one.advice, one.check)):
        if advice and each.advice != advice:
            yield f"  -> {safe_line(advice)}"
        advice = each.advice
        yield f"{each.check}: {safe_line(each.what)}"
    yield f"  -> {safe_line(advice)}"


def vacuum(ctx: typer.Context, *, yes: options.Yes = False, as_json: options.AsJson = False) -> int:
    """Give the pages that the job file does not use back to the disk.

    While that lasts nobody else can write, and all who want to wait.
    """
    with opened(ctx) as store:
        store.check_is_writable()
        need = vacuuming.need(store)
        told = (
            f"{format_size(min(need.used, need.size))} of {format_size(need.size)} are used; for up to "
            f"{format_duration(max(need.takes_s, 0.1))} nobody else can write"
        )
        if need.is_long and not yes:
            _confirm(told)
        elif not as_json:
            render.remark(told)
        done = vacuuming.vacuum(store)
    if as_json:
        said = {"before_bytes": done.before, "after_bytes": done.after, "took_s": round(done.took_s, 3)}
        render.line(jsonout.dump(said))
    else:
        render.line(
            f"{format_size(done.before)} before, {format_size(done.after)} now; took {format_duration(done.took_s)}"
        )
    return 0


def _confirm(told: str) -> None:
    """Ask before others have to wait for long. Raises `NotDone` when the answer is not yes."""
    if not render.can_ask():
        raise UsageError(
            f"workers run, and {told}", hint="--yes does it all the same; or stop the workers first"
        )
    if not render.ask(f"workers run, and {told}; go on?"):
        raise NotDone("nothing was changed")
