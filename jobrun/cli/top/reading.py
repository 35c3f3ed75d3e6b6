"""The pages that are opened from the screen: what a job prints, all about it, the keys."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from datetime import datetime

from jobrun.actions import looking
from jobrun.actions.output import Follower
from jobrun.cli import pages, tables
from jobrun.cli.safe import safe_line
from jobrun.cli.top.pager import Pager
from jobrun.cli.top.steering import HELP
from jobrun.errors import JobrunError
from jobrun.model import Job
from jobrun.store import Store

LINES = 2000  # of the output of the first attempt that is shown


class Following:
    """A page of what a job prints, and what keeps it up to date."""

    def __init__(self, store: Store, job_id: int) -> None:
        """Begin with the last or running attempt; raises `JobrunError`."""
        job = looking.get(store, job_id)
        self.page = Pager(safe_line(f"job {job.id}  {job.name or job.entry or job.task}"), at_end=True)
        self._store = store
        self._job_id = job_id
        self._follower = Follower(store, job, self.page.feed, LINES)
        self.look()

    def look(self) -> None:
        """Add what was printed meanwhile."""
        try:
            job = looking.get(self._store, self._job_id)
            self._follower.look(job)
            self.page.status = _status(job, is_empty=self.page.is_empty)
        except (JobrunError, OSError) as error:
            self.page.status = safe_line(str(error))

    def close(self) -> None:
        self._follower.__exit__()


def about(store: Store, job_id: int, now: datetime) -> Pager:
    """Return all about a job, as `inspect` prints it; raises `JobrunError`."""
    found = looking.inspect(store, job_id)
    with redirect_stdout(io.StringIO()) as printed:
        pages.job(found, now, show_env=False, show_secrets=False)
    return Pager(f"job {job_id}", printed.getvalue())


def keys_page() -> Pager:
    return Pager("the keys of jobrun top", HELP)


def _status(job: Job, *, is_empty: bool) -> str:
    why = tables.why(job)
    printed = ", has printed nothing" if is_empty else ""
    return safe_line(f"{job.state}, attempt {job.attempt}{f': {why}' if why else ''}{printed}")
