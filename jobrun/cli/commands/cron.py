"""check, next, explain: what a table says, before anything runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC
from itertools import islice

import typer

from jobrun.cli import jsonout, jsonviews, options, render, tables
from jobrun.cli.caller import zone
from jobrun.cli.place import entry_in, known_entries, table_at, utc_now
from jobrun.cli.safe import safe_line
from jobrun.cron.words import Entry, Special
from jobrun.errors import UsageError
from jobrun.model import Kind
from jobrun.units import MILLISECOND, plural

SHOWN = 10  # runs that `next` shows unless told otherwise
EXPLAINED = 5
_DRAWN = re.compile(r"(?<![A-Z])H(?![A-Z])", re.IGNORECASE)
_NAMELESS = Entry(
    name="", kind=Kind.SHELL, task="", schedule=Special.MANUAL, schedule_text="", zone=UTC, zone_name=""
)


def check(
    *,
    file: options.TableFile,
    strict: options.Strict = False,
    as_json: options.AsJson = False,
) -> int:
    """Name all that is wrong with a table, or odd about it.

    Errors end with exit code 2. Remarks are about what is allowed and perhaps not meant.
    """
    from jobrun.cron.lint import lint  # noqa: PLC0415 -- what computes times is loaded for them alone

    try:
        table = table_at(file)
    except UsageError as error:
        if as_json:
            problems = list(error.details) or [error.message]
            render.line(jsonout.dump({"entries": None, "problems": problems, "remarks": []}))
            render.remark(f"jobrun: {error.message}")
            return error.exit_code
        raise
    found = lint(table.entries, now=utc_now())
    remarks = [*table.warnings, *(f"{file}:{each.line}: {each.entry}: {each.text}" for each in found)]
    if as_json:
        answer = {"entries": len(table.entries), "problems": [], "remarks": remarks}
        render.line(jsonout.dump(answer))
    else:
        alerts = f", {plural(len(table.alerts), 'alert')}" if table.alerts else ""
        render.line(f"{safe_line(str(file))}: {plural(len(table.entries), 'entry')}{alerts}, ok")
        for remark in remarks:
            render.line(safe_line(remark))
    return int(strict and bool(remarks))


def next_(  # noqa: PLR0913 -- each option is a parameter
    ctx: typer.Context,
    *,
    file: options.TableFile,
    names: options.EntryNames = None,
    rows: options.Rows = None,
    start: options.From = None,
    as_json: options.AsJson = False,
) -> int:
    """Show what a table runs next, all entries in the order of time.

    Times are those of each entry's zone. Entries that are disabled are left out unless they are named.
    """
    from jobrun.actions.coming import coming  # noqa: PLC0415 -- what computes times is loaded for them alone

    table = table_at(file)
    enabled = [entry for entry in table.entries if entry.is_enabled]
    entries = [entry_in(table, name) for name in dict.fromkeys(names)] if names else enabled
    now = utc_now()
    after = now if start is None else start - MILLISECOND  # a run at WHEN itself is meant, too
    found = list(islice(coming(entries, known_entries(ctx), after), rows or SHOWN))
    if as_json:
        render.line(jsonout.array([jsonviews.coming_object(each, zone()) for each in found]))
        return 0
    if found:
        tables.coming(found, now, zone())
    if names or not found:
        _tell_never_due(entries)
    return 0


def explain(
    *,
    expression: options.Expression,
    zone_name: options.Zone = None,
    as_json: options.AsJson = False,
) -> int:
    """Say in words when a schedule runs, and the next five times."""
    from jobrun.actions.coming import coming  # noqa: PLC0415 -- what computes times is loaded for them alone
    from jobrun.cron.english import explain as in_words  # noqa: PLC0415
    from jobrun.cron.schedule import parse_schedule  # noqa: PLC0415
    from jobrun.zone import named_zone  # noqa: PLC0415

    schedule = parse_schedule(expression)
    here = zone() if zone_name is None else named_zone(zone_name)
    entry = replace(_NAMELESS, schedule=schedule, schedule_text=expression, zone=here)
    now = utc_now()
    found = list(islice(coming([entry], {}, now), EXPLAINED))
    if as_json:
        runs = [jsonviews.coming_object(each, here) for each in found]
        answer = {
            "expression": expression,
            "explanation": in_words(schedule),
            "timezone": zone_name or str(here),
            "next": [{name: run[name] for name in ("at", "local", "note")} for run in runs],
        }
        render.line(jsonout.dump(answer))
        return 0
    render.line(safe_line(in_words(schedule)))
    if found:
        render.line("")
        tables.coming(found, now, here)
    if _DRAWN.search(expression):
        render.remark("`H` is drawn from the name of an entry: `jobrun cron next FILE` shows its times")
    return 0


def _tell_never_due(entries: Sequence[Entry]) -> None:
    """Say of entries without a time of their own when they run."""
    from jobrun.cron.english import explain as in_words  # noqa: PLC0415 -- as above

    for entry in entries:
        if isinstance(entry.schedule, Special):
            render.remark(f"`{entry.name}` runs {in_words(entry.schedule)}")
    if not entries:
        render.remark("the table has no entry that is enabled")
