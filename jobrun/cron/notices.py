"""The job that tells somebody of a change of an entry's luck."""

from __future__ import annotations

from jobrun.cron.words import Entry, Turn
from jobrun.model import NewJob

RETRIES = 5
TIMEOUT_S = 60.0


def notice_of(entry: Entry, turn: Turn) -> NewJob | None:
    """Return the job to be added when an entry takes a turn, or None where nobody is told.

    It belongs to no entry itself, so that a notice that fails makes no notice.
    """
    notice = entry.on_failure if turn is Turn.FAILED else entry.on_recovery
    if notice is None:
        return None
    return NewJob(
        kind=notice.kind,
        task=notice.task,
        args=notice.args,
        queue=entry.queue,
        priority=entry.priority,
        retries=RETRIES,
        timeout_s=TIMEOUT_S,
        name=f"{entry.name}-{turn}",
        surroundings=notice.surroundings,
    )
