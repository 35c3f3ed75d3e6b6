"""What is kept of jobs that have ended, as the tables say that were taken into the job file."""

from __future__ import annotations

import math
from collections.abc import Iterator

from jobrun.actions.checkup.words import Finding, Patient, ok
from jobrun.keeping import Keeping, keeping
from jobrun.units import format_duration, format_size, plural

SECTION = "retention"


def look_at_retention(patient: Patient) -> Iterator[Finding]:
    """Tell which rules hold; a worker with --keep has its own for what ended well."""
    if patient.store is None:
        return
    said = {path: each[SECTION] for path, each in patient.store.sections.all().items() if SECTION in each}
    by = f"[retention] of {', '.join(said)}" if said else "no table has [retention]"
    yield ok(f"{told(keeping(said.values()))} ({by}; --keep of the workers wins)")


def told(rules: Keeping) -> str:
    """Put what is kept into words.

    >>> told(Keeping(keep_failed_s=86400.0, max_size=1 << 30))
    'what ended well 7d, what failed 1d, at most 1.0 GiB used'
    """
    parts = [
        f"what ended well {_kept(rules.keep_s, rules.keep_runs)}",
        f"what failed {_kept(rules.keep_failed_s, rules.keep_failed_runs)}",
        "" if math.isinf(rules.keep_output_s) else f"output {_kept(rules.keep_output_s, None)}",
        "" if rules.max_size is None else f"at most {format_size(rules.max_size)} used",
    ]
    return ", ".join(filter(None, parts))


def _kept(span_s: float, runs: int | None) -> str:
    spanned = "until purged" if math.isinf(span_s) else format_duration(span_s)
    return spanned if runs is None else f"{spanned} and {plural(runs, 'run')} of each work"
