"""Entries for tests of rules: a schedule, and nothing else that matters."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import Any

from jobrun.cron.schedule import parse_schedule
from jobrun.cron.words import Entry
from jobrun.model import Kind


def entry(schedule: str = "0 * * * *", **changes: Any) -> Entry:
    plain = Entry(
        name="backup",
        kind=Kind.SHELL,
        task="true",
        schedule=parse_schedule(schedule),
        schedule_text=schedule,
        zone=UTC,
        zone_name="UTC",
    )
    return replace(plain, **changes)
