"""The whole store: every part of an open job file."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from jobrun.durability import FULL, check_durability
from jobrun.store import opening
from jobrun.store.database import Database
from jobrun.store.endings import Endings
from jobrun.store.intake import Intake
from jobrun.store.ledger import Ledger
from jobrun.store.opening import PATIENCE_S
from jobrun.store.orders import Orders
from jobrun.store.pauses import Pauses
from jobrun.store.queue import Queue
from jobrun.store.workers import Workers

if TYPE_CHECKING:  # loaded when first used: who asks for a job has no use for the words of cron
    from jobrun.store.aging import Aging
    from jobrun.store.alerts import Alerts
    from jobrun.store.edits import Edits
    from jobrun.store.entries import Entries
    from jobrun.store.exporting import Exporting
    from jobrun.store.history import History
    from jobrun.store.integrity import Integrity
    from jobrun.store.measuring import Measuring
    from jobrun.store.merging import Merging
    from jobrun.store.pings import Pings
    from jobrun.store.pulse import Pulse
    from jobrun.store.readings import Readings
    from jobrun.store.sections import Sections
    from jobrun.store.soundness import Soundness
    from jobrun.store.standing import Standing
    from jobrun.store.tables import Tables
    from jobrun.store.tallies import Tallies
    from jobrun.store.ticks import Ticks
    from jobrun.store.usual import UsualTimes


class Store:
    """An open job file, each part of it a few verbs."""

    def __init__(self, path: Path, database: Database, *, created: bool) -> None:
        self.path = path
        self.created = created  # this opening made the file
        self.group = database.write  # several changes, one commit
        self.savepoint = database.savepoint  # one of several changes, to be made or not
        self.reading = database.reading
        self.checkpoint = database.checkpoint
        self.vacuum = database.vacuum
        self.check_is_writable = database.check_is_writable
        self.check_is_in_place = database.check_is_in_place
        self.intake = Intake(database)
        self.endings = Endings(database)
        self.pauses = Pauses(database)
        self.queue = Queue(database, self.endings, self.pauses)
        self.orders = Orders(database)
        self.ledger = Ledger(database)
        self.workers = Workers(database)
        self._database = database

    @cached_property
    def aging(self) -> Aging:
        from jobrun.store import aging  # noqa: PLC0415 -- as said above

        return aging.Aging(self._database)

    @cached_property
    def exporting(self) -> Exporting:
        from jobrun.store import exporting  # noqa: PLC0415 -- as said above

        return exporting.Exporting(self._database, self.ledger)

    @cached_property
    def soundness(self) -> Soundness:
        from jobrun.store import soundness  # noqa: PLC0415 -- as said above

        return soundness.Soundness(self._database)

    @cached_property
    def merging(self) -> Merging:
        from jobrun.store import merging  # noqa: PLC0415 -- as said above

        return merging.Merging(self._database)

    @cached_property
    def entries(self) -> Entries:
        from jobrun.store import entries  # noqa: PLC0415 -- as said above

        return entries.Entries(self._database)

    @cached_property
    def ticks(self) -> Ticks:
        from jobrun.store import ticks  # noqa: PLC0415 -- as said above

        return ticks.Ticks(self._database, self.intake)

    @cached_property
    def tables(self) -> Tables:
        from jobrun.store import tables  # noqa: PLC0415 -- as said above

        return tables.Tables(self._database)

    @cached_property
    def alerts(self) -> Alerts:
        from jobrun.store import alerts  # noqa: PLC0415 -- as said above

        return alerts.Alerts(self._database, self.intake)

    @cached_property
    def readings(self) -> Readings:
        from jobrun.store import readings  # noqa: PLC0415 -- as said above

        sources = readings.Sources(
            path=self.path,
            measuring=self.measuring,
            workers=self.workers,
            endings=self.endings,
            usual=self.usual,
        )
        return readings.Readings(self._database, sources)

    @cached_property
    def sections(self) -> Sections:
        from jobrun.store import sections  # noqa: PLC0415 -- as said above

        return sections.Sections(self._database)

    @cached_property
    def pings(self) -> Pings:
        from jobrun.store import pings  # noqa: PLC0415 -- as said above

        return pings.Pings(self._database)

    @cached_property
    def measuring(self) -> Measuring:
        from jobrun.store import measuring  # noqa: PLC0415 -- as said above

        return measuring.Measuring(self._database, self.pauses)

    @cached_property
    def pulse(self) -> Pulse:
        from jobrun.store import pulse  # noqa: PLC0415 -- as said above

        return pulse.Pulse(self._database)

    @cached_property
    def usual(self) -> UsualTimes:
        from jobrun.store import usual  # noqa: PLC0415 -- as said above

        return usual.UsualTimes(self._database)

    @cached_property
    def tallies(self) -> Tallies:
        from jobrun.store import tallies  # noqa: PLC0415 -- as said above

        return tallies.Tallies(self._database)

    @cached_property
    def history(self) -> History:
        from jobrun.store import history  # noqa: PLC0415 -- as said above

        return history.History(self._database)

    @cached_property
    def standing(self) -> Standing:
        from jobrun.store import standing  # noqa: PLC0415 -- as said above

        return standing.Standing(self._database)

    @cached_property
    def edits(self) -> Edits:
        from jobrun.store import edits  # noqa: PLC0415 -- as said above

        return edits.Edits(self._database, self.intake)

    def integrity(self, *, budget_s: float | None) -> Integrity:
        """Look whether the file is whole, for so long at most; None: at all of it, however long that takes."""
        from jobrun.store import integrity  # noqa: PLC0415 -- as said above

        if budget_s is None:
            return integrity.look_through_all(self._database)
        return integrity.look_through(self._database, budget_s=budget_s)

    def make_side_folders(self) -> None:
        """Make those folders beside the file that are missing."""
        opening.make_side_folders(self.path)

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def open_store(
    path: Path, *, create: bool = False, patience_s: float = PATIENCE_S, durability: str = FULL
) -> Store:
    """Open a job file, made first if `create` allows it and it is missing.

    With `durability` "fast" its commits wait for no disk: they outlive any process, and the last of them may be
    lost at a power cut. Raises `JobFileUnusable`, `Refused`, or `Busy` after `patience_s`.
    """
    check_durability(durability)
    created = create and not store_exists(path) and _make(path)
    database = opening.open_database(path, busy_s=patience_s, durability=durability)
    return Store(path, database, created=created)


def _make(path: Path) -> bool:
    from jobrun.store import creation  # noqa: PLC0415 -- once in the life of a file

    return creation.create(path)


def store_exists(path: Path) -> bool:
    """Say whether there is anything of that name; whether it is a job file, opening tells."""
    return os.path.lexists(path)  # False, too, where we may not look
