"""What is seen of a job file, kept while it cannot be read, and read again once it can."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from jobrun.actions.watching import Look, Picture, Repeated, Watcher
from jobrun.cli import nextrun
from jobrun.cron.words import Coming
from jobrun.errors import JobFileUnusable, JobrunError
from jobrun.store import Store, open_store
from jobrun.trouble import around_us

PATIENCE_S = 1.0  # nobody can press a key meanwhile
AGAIN_S = 3.0  # between trials to open a file that could not be read
COMING_S = 30.0  # between looks at the tables, when nothing else asks for one


class Sight:
    """The last picture, what comes next, and why they are not of now."""

    def __init__(self, path: Path, now: datetime) -> None:
        """Open the job file and look at it; raises `JobrunError`."""
        self.path = path
        self.trouble = ""
        self.again_s = 0.0  # when a file that could not be read is tried again, by the monotonic clock
        self.coming: Sequence[Coming] = ()
        self._begun_at = now  # when one of these was seen to be due
        self._store: Store | None = None
        self._open()
        self.picture, self.coming = self._look(now, at_once=True)

    def refresh(self, now: datetime, *, at_once: bool = False) -> None:
        """Look again; what goes wrong is told, and the last picture stays."""
        if self._store is None and time.monotonic() < self.again_s:
            return
        try:
            if self._store is None:
                self._open()
            self.picture, self.coming = self._look(now, at_once=at_once)
            self.trouble = ""
        except (JobrunError, OSError) as error:
            known = error if isinstance(error, JobrunError) else around_us(error)
            self.trouble = str(error) if known is None else known.message
            self.close()
            self.again_s = time.monotonic() + AGAIN_S

    def store(self) -> Store:
        """Return the open job file; raises `JobFileUnusable` where there is none for now."""
        if self._store is None:
            raise JobFileUnusable(self.trouble)
        return self._store

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _open(self) -> None:
        store = open_store(self.path, patience_s=PATIENCE_S)
        self._store, self._watcher = store, Watcher(store)
        self._coming = Repeated(self._next_runs, within_s=COMING_S)

    def _look(self, now: datetime, *, at_once: bool) -> tuple[Picture, Sequence[Coming]]:
        clock_s = time.monotonic()
        picture = self._watcher.look(now, clock_s=clock_s, at_once=at_once)
        self._tables = {view.path: view.entries for view in picture.tables}
        if any(run.occurrence.at <= now for run in self.coming):
            self._begun_at = now  # their entries come again later
        look = Look(now, clock_s, hash((picture.tables, self._begun_at)), at_once=False)
        return picture, [run for run in self._coming.value(look) if run.occurrence.at > now]

    def _next_runs(self, now: datetime) -> list[Coming]:
        return nextrun.next_runs(self._tables, now) if self._tables else []
