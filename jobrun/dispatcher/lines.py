"""What the log is told of jobs: of those that went as expected only to whom that is worth a line."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobrun.lifecycle import Settlement
from jobrun.log import is_told
from jobrun.model import TROUBLED, Ending, Job, Kind


@dataclass(frozen=True, slots=True)
class Line:
    """An event of `jobrun.log`, in words, and with what programs look for."""

    event: str
    text: str
    ids: dict[str, int | float | str | None] = field(default_factory=dict)


def of_begin(job: Job) -> Line | None:
    """Return what is told of a job that is handed out."""
    if not is_told("job-begun"):
        return None
    return Line("job-begun", f"job {job.id} attempt {job.attempt}: handed to {job.worker}", _ids(job))


def of_end(job: Job, ending: Ending, becomes: Settlement | None) -> Line | None:
    """Return what is told of the end of an attempt; `becomes` None: it was settled before."""
    attempt = f"job {job.id} attempt {job.attempt}"
    ids = {
        **_ids(job),
        "outcome": ending.outcome.value,
        "took_s": None if ending.took_s is None else round(ending.took_s, 6),
    }
    if becomes is None:
        return Line("job-late", f"{attempt}: {ending.outcome} came too late, it was ended before", ids)
    if not ending.has_begun:
        return None
    if becomes.state in TROUBLED:
        return Line("job-failed", f"{attempt}: {ending.outcome}, {ending.cause}; now {becomes.state}", ids)
    if not becomes.state.is_final:
        return Line("job-retried", f"{attempt}: {ending.outcome}, {ending.cause}; now {becomes.state}", ids)
    if not is_told("job-ended"):
        return None
    took = "" if ending.took_s is None else f" in {ending.took_s:.3g} s"
    return Line("job-ended", f"{attempt}: {ending.outcome}{took}; now {becomes.state}", ids)


def _ids(job: Job) -> dict[str, int | float | str | None]:
    task = job.task if job.kind is Kind.CALL else None  # a shell line may hold what is secret
    return {"job": job.id, "attempt": job.attempt, "task": task, "worker": job.worker}
