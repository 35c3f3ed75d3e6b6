"""What a job finds in its environment; `JOBRUN_TOKEN` also marks all that it starts."""

from __future__ import annotations

from pathlib import Path

from jobrun.wire.messages import Run


def variables(order: Run, job_file: Path) -> dict[str, str]:
    """Return the variables that are set for one attempt."""
    return {
        "JOBRUN_ID": str(order.job_id),
        "JOBRUN_NAME": order.name or "",
        "JOBRUN_QUEUE": order.queue,
        "JOBRUN_ATTEMPT": str(order.attempt),
        "JOBRUN_MAX_ATTEMPTS": str(order.max_attempts),
        "JOBRUN_TOKEN": order.token,
        "JOBRUN_DB": str(job_file),
    }


def mark(token: str) -> str:
    """Return the mark by which the kernel's view of a process tells its attempt."""
    return f"JOBRUN_TOKEN={token}"
