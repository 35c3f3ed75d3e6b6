"""Whether a table runs its jobs when the crontab did: the next run times of both, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

from jobrun.cron.occurrences import upcoming
from jobrun.cron.words import Entry, Expression
from jobrun.crontab import oldreading
from jobrun.crontab.blocks import Block
from jobrun.crontab.dialect import is_drawn

COMPARED = 500  # run times of an entry
HORIZON = timedelta(days=40 * 365)  # for those that seldom run


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Run times of one reading that the other does not have, in UTC."""

    block: Block
    zone: tzinfo
    only_cron: Sequence[datetime] = ()
    only_here: Sequence[datetime] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How many entries have the same run times, which have not, and which could not be compared, and why."""

    same: int
    different: Sequence[Difference]
    not_compared: Mapping[str, str]


def compare(
    blocks: Sequence[Block], entries: Mapping[str, Entry], *, local: tzinfo, now: datetime
) -> Comparison:
    """Compare the next run times after an instant; the crontab is read anew, from its own words."""
    not_compared: dict[str, str] = {}
    different: list[Difference] = []
    seen: dict[tuple[object, ...], tuple[list[datetime], list[datetime]]] = {}  # many lines have one schedule
    same = 0
    for block in blocks:
        entry, when = entries[block.name], block.line.when
        reading = oldreading.read(when)
        if reading is None:
            if isinstance(entry.schedule, Expression):
                not_compared[block.name] = (
                    "cron draws it at random" if is_drawn(when) else "cron would refuse it"
                )
            continue
        named = block.line.zone_name
        zone = ZoneInfo(named) if named else local
        key = (when, named, entry.schedule, entry.zone_name, entry.dst)
        if key not in seen:
            seen[key] = _only_one_has(reading, zone, entry, now)
        only_cron, only_here = seen[key]
        same += not (only_cron or only_here)
        if only_cron or only_here:
            different.append(Difference(block=block, zone=zone, only_cron=only_cron, only_here=only_here))
    return Comparison(same=same, different=different, not_compared=not_compared)


def _only_one_has(
    reading: oldreading.Reading, zone: tzinfo, entry: Entry, now: datetime
) -> tuple[list[datetime], list[datetime]]:
    """Return the run times that only cron has, and those that only the entry has."""
    until = now + HORIZON
    old = oldreading.runs(reading, zone, now, count=COMPARED, until=until)
    coming = (occurrence.at for occurrence in upcoming(entry, now))
    new = list(islice(takewhile(lambda at: at <= until, coming), COMPARED))
    edge = min([until, *(times[-1] for times in (old, new) if len(times) == COMPARED)])
    only_old, only_new = set(old) - set(new), set(new) - set(old)
    return sorted(at for at in only_old if at <= edge), sorted(at for at in only_new if at <= edge)
