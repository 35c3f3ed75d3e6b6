"""From a claimed job to the order by which it is run."""

from __future__ import annotations

from collections.abc import Mapping

from jobrun.model import Job
from jobrun.wire.messages import Run


def order_of(
    job: Job, *, environment: Mapping[str, str], variables: Mapping[str, str], grace_s: float
) -> Run:
    """Return the order for the attempt that the job's token names, in the environment of whoever asked for it.

    `variables` are those that its cron entry tells it.
    """
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
        environment=dict(environment),
        variables=dict(variables),
        terms=job.terms,
    )
