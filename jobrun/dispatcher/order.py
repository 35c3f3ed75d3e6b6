"""What a worker is told of a job that was claimed for it."""

from __future__ import annotations

from datetime import datetime

from jobrun.model import Job
from jobrun.run.mark import entry_variables
from jobrun.wire.messages import Run


def order_of(
    job: Job, *, grace_s: float, environment: dict[str, str], last_success_at: datetime | None
) -> Run:
    """Return the order to run a claimed job, in its captured environment and with what its entry tells it."""
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
        grace_s=grace_s,
        cwd=job.cwd or None,
        umask=job.umask,
        environment=environment,
        variables=entry_variables(job, last_success_at),
        terms=job.terms,
    )
