"""What a worker is told of a job that was claimed for it."""

from __future__ import annotations

from functools import lru_cache

from jobrun.model import Job
from jobrun.run.mark import entry_variables
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
        assert job.token is not None
        return Run(
            token=job.token,
            job_id=job.id,
            attempt=job.attempt,
            max_attempts=job.max_attempts,
            kind=job.kind,
            task=job.task,
            args=list(job.args),
            kwargs=dict(job.kwargs),
            queue=job.queue,
            name=job.name,
            grace_s=self._grace_s,
            cwd=job.cwd or None,
            umask=job.umask,
            environment={} if job.environment is None else self._environment(job.environment),
            variables={} if job.entry is None else self._variables(job, job.entry),
            terms=job.terms,
        )

    def _variables(self, job: Job, entry: str) -> dict[str, str]:
        row = self._store.entries.get(entry)
        return entry_variables(job, None if row is None else row.last_success_at)
