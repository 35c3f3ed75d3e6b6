"""What there is to be named in a job file: ids, queues, tasks, tags and entries, for who types them."""

from __future__ import annotations

from jobrun.model import LIVE, TROUBLED, Job, JobFilter, State
from jobrun.queues import public
from jobrun.store import Store

MOST = 50  # nobody reads more of them
_STATES = {
    "failed": TROUBLED,
    "retry": frozenset(state for state in State if state.is_final) - {State.SUCCEEDED},
    "debug": TROUBLED,
    "cancel": LIVE,
    "wait": LIVE,
    "edit": frozenset({State.SCHEDULED, State.READY}),
    "purge": frozenset(state for state in State if state.is_final),
}


def jobs(store: Store, verb: str) -> list[Job]:
    """Return the newest jobs that a verb could be meant for."""
    return store.ledger.select(JobFilter(states=_STATES.get(verb, frozenset())), limit=MOST)


def queues(store: Store) -> list[str]:
    """Return the queues that somebody has used, listens to or has paused."""
    heard = {public(queue) for worker in store.workers.all() for queue in worker.queues}
    return sorted(heard | store.measuring.queues() | {public(job.queue) for job in jobs(store, "")})


def tasks(store: Store) -> list[str]:
    """Return the calls that were asked for."""
    known = {work for work in store.measuring.works() if ":" in work}
    return sorted(known | {job.task for job in jobs(store, "") if ":" in job.task and " " not in job.task})


def tags(store: Store) -> list[str]:
    """Return the tags of the newest jobs."""
    return sorted({tag for job in jobs(store, "") for tag in job.tags})


def entries(store: Store) -> list[str]:
    """Return the entries that tables have."""
    return [row.name for row in store.entries.rows() if row.removed_at is None]
