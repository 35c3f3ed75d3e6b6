"""How a job ends that was told to end: as what, in which words, and whether it may be tried again."""

from __future__ import annotations

from jobrun.model import Ending, ErrorInfo, Outcome
from jobrun.wire.messages import Why

OUTCOMES = {
    Why.TIMEOUT: Outcome.TIMEOUT,
    Why.DEADLINE: Outcome.TIMEOUT,
    Why.CANCELLED: Outcome.CANCELLED,
    Why.INTERRUPTED: Outcome.INTERRUPTED,
}
CAUSES = {
    Why.TIMEOUT: "stopped at its time limit",
    Why.DEADLINE: "stopped at its deadline",
    Why.CANCELLED: "cancelled",
    Why.INTERRUPTED: "interrupted by a shutdown",
}


def stopped(why: Why, *, how: str | None = None, error: ErrorInfo | None = None) -> Ending:
    """Return the ending of an attempt that heeded; `how` says what became of its process."""
    return Ending(
        outcome=OUTCOMES[why],
        cause=", ".join(filter(None, [CAUSES[why], how])),
        error=error,
        is_permanent=why is Why.DEADLINE,
    )
