"""What a worker is told of a job that was claimed for it."""

from __future__ import annotations

from jobrun.model import Job
from jobrun.wire.messages import Run


def order_of(job: Job, *, grace_s: float, environment: dict[str, str]) -> Run:
    """Return the order to run a claimed job in its captured environment (empty for calls)."""
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
        cwd=job.cwd,
        umask=job.umask,
        environment=environment,
    )
