"""What the exit code of a job that ended by itself means, on the terms of the job."""

from __future__ import annotations

from dataclasses import replace

from jobrun.model import Ending, Outcome, Terms


def judged(ending: Ending, terms: Terms) -> Ending:
    """Return an ending as the job's lists of exit codes read it; without an exit code it stays as it is.

    The lists count in the order `ok_exit`, `skip_exit`, `no_retry_exit`; what is in none has failed.
    """
    code = ending.exit_code
    if code is None:
        return ending
    if code in terms.ok_exit:
        return replace(ending, outcome=Outcome.OK, cause=None, error=None)
    if code in terms.skip_exit:
        cause = f"exit {code}: nothing to do"
        return replace(ending, outcome=Outcome.OK, cause=cause, error=None, is_skip=True)
    return replace(
        ending,
        outcome=Outcome.ERROR,
        cause=ending.cause or f"exit {code}",
        is_permanent=code in terms.no_retry_exit,
    )
