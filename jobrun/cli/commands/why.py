"""why: what a job waits for or ended by, and which runs of an entry did not happen."""

from __future__ import annotations

from datetime import datetime, tzinfo

import typer

from jobrun.actions import why as facts
from jobrun.actions.entries import entry_of
from jobrun.actions.why import EntryStory
from jobrun.cli import cronpages, jsonout, jsonviews, nextrun, options, render, stories
from jobrun.cli.caller import zone_of
from jobrun.cli.human import wall
from jobrun.cli.place import opened, utc_now
from jobrun.cli.readers import entry_name, job_id
from jobrun.cron.clocks import change_around
from jobrun.cron.words import Entry
from jobrun.errors import UsageError
from jobrun.units import rfc3339
from jobrun.when import SkippedTime, parse_when

SHOWN = 20  # ticks


def why(
    ctx: typer.Context, *, word: options.JobOrEntry, at: options.At = None, as_json: options.AsJson = False
) -> int:
    """Tell why a job is as it is, or why an entry ran or did not run.

    A number is a job, anything else an entry of a table.
    """
    if not word.isdigit():
        return _entry(ctx, entry_name(word), at, as_json=as_json)
    if at is not None:
        raise UsageError("--at asks about an entry, not about a job", hint="name the entry")
    with opened(ctx) as store:
        story = facts.of_job(store, job_id(word))
    told = stories.of_job(story, utc_now())
    if as_json:
        render.line(jsonout.dump({**jsonout.job_object(story.job), "why": told}))
    else:
        render.paragraph(told)
    return 0


def _entry(ctx: typer.Context, name: str, asked: str | None, *, as_json: bool) -> int:
    now = utc_now()
    with opened(ctx) as store:
        at, aside = (
            (None, "") if asked is None else _instant(asked, zone_of(entry_of(store, name).zone_name), now)
        )
        story = facts.of_entry(store, name, at=at, limit=SHOWN)
    entry = nextrun.in_table(story.row)
    if at is not None:
        told = aside + _told_about(at, story, entry, now)
        if as_json:
            render.line(jsonout.dump({**jsonviews.story_object(story, now), "why": told}))
        else:
            render.paragraph(told)
        return 0
    coming = nextrun.next_run(story.row.table, [story.row], now)
    if as_json:
        next_at = None if coming is None else rfc3339(coming.occurrence.at)
        render.line(jsonout.dump({**jsonviews.story_object(story, now), "next_at": next_at}))
    else:
        cronpages.entry(story, coming, now, in_words=_in_words(entry))
    return 0


def _instant(asked: str, zone: tzinfo, now: datetime) -> tuple[datetime, str]:
    """Return the instant that is asked about, as the clock of the entry shows it.

    For a time that this clock skipped it is the end of the gap, where such a run is moved to; the text says so.
    """
    try:
        return parse_when(asked, now, zone, is_past=True), ""
    except SkippedTime as error:
        change = change_around(error.wall, zone)
        return change.at, f"There is no {error.wall:%Y-%m-%d %H:%M} in {zone}: {change.in_words}. "


def _told_about(at: datetime, story: EntryStory, entry: Entry | None, now: datetime) -> str:
    """Say what became of the ticks at an instant, or why there is none."""
    name, zone = story.row.name, zone_of(story.row.zone_name)
    if story.ticks:
        told = (stories.of_tick(tick, story.jobs.get(tick.job_id or 0), zone, now) for tick in story.ticks)
        return " ".join(f"`{name}` {each}." for each in told)
    if entry is None:
        return f"Nothing is known of `{name}` at {wall(at, zone)}."
    from jobrun.actions.coming import neighbours  # noqa: PLC0415 -- what computes times is loaded for them alone

    found = neighbours(entry, story.row, at, within=facts.NEAR)
    return f"`{name}` {stories.of_no_tick(at, found, story, now)}"


def _in_words(entry: Entry | None) -> str:
    if entry is None:
        return ""
    from jobrun.cron.english import explain  # noqa: PLC0415 -- as above

    return explain(entry.schedule)
