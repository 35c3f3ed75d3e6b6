"""The order of a job's last attempt, made once more for whoever wants to repeat it outside of the queue."""

from __future__ import annotations

import os
from dataclasses import replace

from jobrun.model import Job
from jobrun.run.mark import entry_variables
from jobrun.run.order import order_of
from jobrun.store import Store
from jobrun.wire.messages import Run

GRACE_S = 10.0


def order_again(store: Store, job: Job) -> Run:
    """Return the order, under a name that no attempt has; a job that never ran has that of its first one.

    When a job of its cron entry last succeeded is told as it is now.
    """
    entry = None if job.entry is None else store.entries.get(job.entry)
    named = replace(job, token=f"again-{os.urandom(8).hex()}", attempt=max(job.attempt, 1))
    return order_of(
        named,
        environment=(job.environment and store.ledger.environment(job.environment)) or {},
        variables=entry_variables(job, None if entry is None else entry.last_success_at),
        grace_s=GRACE_S,
    )
