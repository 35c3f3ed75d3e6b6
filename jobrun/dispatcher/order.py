"""What a worker is told of a job that was claimed for it."""

from __future__ import annotations

from functools import lru_cache

from jobrun.model import Job
from jobrun.run.mark import entry_variables
from jobrun.run.order import order_of
from jobrun.store import Store
from jobrun.wire.messages import Run

_ENVIRONMENTS = 64  # that are kept in memory


class OrderBook:
    """Makes orders of claimed jobs, in their captured environments and with what their entries tell them."""

    def __init__(self, store: Store, *, grace_s: float) -> None:
        self._store = store
        self._grace_s = grace_s
        self._environment = lru_cache(maxsize=_ENVIRONMENTS)(store.ledger.environment)

    def order_of(self, job: Job) -> Run:
        return order_of(
            job,
            environment={} if job.environment is None else self._environment(job.environment),
            variables={} if job.entry is None else self._variables(job, job.entry),
            grace_s=self._grace_s,
        )

    def _variables(self, job: Job, entry: str) -> dict[str, str]:
        row = self._store.entries.get(entry)
        return entry_variables(job, None if row is None else row.last_success_at)
