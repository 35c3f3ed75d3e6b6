"""The story of an entry, as JSON; apart from other views, for it needs all reasons."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from jobrun.actions.why import EntryStory
from jobrun.cli.jsonviews import entry_object, tick_object


def story_object(story: EntryStory, now: datetime) -> dict[str, Any]:
    """Return an entry with its `ticks`, the newest first, and the pid of who serves its table."""
    scheduler = story.table.scheduler
    return {
        **entry_object(story.row, now),
        "scheduler_pid": scheduler and scheduler.pid,
        "ticks": [tick_object(tick, story.jobs.get(tick.job_id or 0)) for tick in story.ticks],
    }
