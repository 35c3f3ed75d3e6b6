"""why: what a job waits for or ended by, and which runs of an entry did not happen."""

from __future__ import annotations

from datetime import datetime, tzinfo

import typer

from jobrun.actions import why as facts
from jobrun.actions.entries import entry_of
from jobrun.actions.reasons.entries import of_entry
from jobrun.actions.reasons.ticks import of_gap, of_tick
from jobrun.actions.reasons.words import EntryFacts, GapFacts, Reason, TickFacts
from jobrun.actions.why import EntryStory
from jobrun.cli import entrypages, jsonout, jsonstories, nextrun, options, render, stories
from jobrun.cli.caller import zone_of, zone_to_show
from jobrun.cli.place import opened, utc_now
from jobrun.cli.readers import entry_name, job_id
from jobrun.cron.clocks import change_around
from jobrun.cron.words import Entry, Neighbours
from jobrun.errors import UsageError
from jobrun.units import rfc3339
from jobrun.when import SkippedTime, parse_when

SHOWN = 20  # ticks


def why(
    ctx: typer.Context, *, word: options.JobOrEntry, at: options.At = None, as_json: options.AsJson = False
) -> int:
    """Tell why a job is as it is, or why an entry ran or did not run, and what to do next.

    A number is a job, anything else an entry of a table.
    """
    if not word.isdigit():
        name = entry_name(word)
        return _entry(ctx, name, as_json=as_json) if at is None else _tick(ctx, name, at, as_json=as_json)
    if at is not None:
        raise UsageError("--at asks about an entry, not about a job", hint="name the entry")
    with opened(ctx) as store:
        found = facts.of_job(store, job_id(word), now=utc_now(), zone=zone_to_show())
    told, reasons = stories.of_job(found), facts.reasons(found)
    if as_json:
        _print_json(jsonout.job_object(found.job), reasons, why=stories.paragraph(told, reasons=reasons))
    else:
        stories.show(told, reasons=reasons)
    return 0


def _entry(ctx: typer.Context, name: str, *, as_json: bool) -> int:
    """Tell how an entry stands, and what became of its last ticks."""
    now = utc_now()
    with opened(ctx) as store:
        story = facts.of_entry(store, name, at=None, limit=SHOWN)
    entry, coming = nextrun.in_table(story.row), nextrun.next_run(story.row.table, [story.row], now)
    next_at = None if coming is None else coming.occurrence.at
    reasons = of_entry(
        EntryFacts(
            row=story.row,
            table=story.table,
            now=now,
            zone=zone_of(story.row.zone_name),
            entry=entry,
            next_at=next_at,
            ticks=story.ticks,
        )
    )
    if as_json:
        told = {**jsonstories.story_object(story, now), "next_at": next_at and rfc3339(next_at)}
        _print_json(told, reasons)
    else:
        entrypages.entry(story, coming, now, in_words=_in_words(entry))
        stories.show(reasons=reasons)
        entrypages.ticks(story)
    return 0


def _tick(ctx: typer.Context, name: str, asked: str, *, as_json: bool) -> int:
    """Tell what became of an entry at an instant."""
    now = utc_now()
    with opened(ctx) as store:
        at, aside = _instant(asked, zone_of(entry_of(store, name).zone_name), now)
        story = facts.of_entry(store, name, at=at, limit=SHOWN)
    reasons = _about(at, story, now)
    if as_json:
        told = jsonstories.story_object(story, now)
        _print_json(told, reasons, why=stories.paragraph(aside, reasons=reasons))
    else:
        stories.show(aside, reasons=reasons)
    return 0


def _print_json(told: dict[str, object], reasons: list[Reason], **more: object) -> None:
    render.line(jsonout.dump({**told, **more, "reasons": [stories.reason_object(each) for each in reasons]}))


def _instant(asked: str, zone: tzinfo, now: datetime) -> tuple[datetime, str]:
    """Return the instant that is asked about, as the clock of the entry shows it.

    For a time that this clock skipped it is the end of the gap, where such a run is moved to; the text says so.
    """
    try:
        return parse_when(asked, now, zone, is_past=True), ""
    except SkippedTime as error:
        change = change_around(error.wall, zone)
        return change.at, f"There is no {error.wall:%Y-%m-%d %H:%M} in {zone}: {change.in_words}."


def _about(at: datetime, story: EntryStory, now: datetime) -> list[Reason]:
    """Say what became of the ticks at an instant, or why there is none."""
    row, zone = story.row, zone_of(story.row.zone_name)
    if not story.ticks:
        return of_gap(GapFacts(at=at, row=row, now=now, zone=zone, found=_neighbours(at, story)))
    return [
        reason
        for tick in story.ticks
        for reason in of_tick(
            TickFacts(
                tick=tick,
                row=row,
                now=now,
                zone=zone,
                job=story.jobs.get(tick.job_id or 0),
                in_way=story.jobs.get(tick.in_way or 0),
            )
        )
    ]


def _neighbours(at: datetime, story: EntryStory) -> Neighbours | None:
    entry = nextrun.in_table(story.row)
    if entry is None:
        return None
    from jobrun.actions.coming import neighbours  # noqa: PLC0415 -- what computes times is loaded for them alone

    return neighbours(entry, story.row, at, within=facts.NEAR)


def _in_words(entry: Entry | None) -> str:
    if entry is None:
        return ""
    from jobrun.cron.english import explain  # noqa: PLC0415 -- as above

    return explain(entry.schedule)
