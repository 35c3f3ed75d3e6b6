"""Why a job ended as it did, and why it is not tried again."""

from __future__ import annotations

from jobrun.actions.reasons import causes
from jobrun.actions.reasons.words import JobFacts, Reason, Rule, every, first
from jobrun.model import TROUBLED, OnCrash, State
from jobrun.units import plural, wall


def of_ended(facts: JobFacts) -> list[Reason]:
    """Return the cause of an end, and what it means for another try."""
    return [*(first(ENDED, facts) or [unknown(facts)]), *every(AGAIN, facts)]


def succeeded(facts: JobFacts) -> Reason | None:
    job = facts.job
    if job.state is not State.SUCCEEDED:
        return None
    note = f"; note: {job.note}" if job.note else ""
    return Reason(
        code="succeeded",
        text=f"Its last attempt ended well{note}.",
        next=f"nothing; `jobrun logs {job.id}` shows what it printed",
    )


def cancelled(facts: JobFacts) -> Reason | None:
    job = facts.job
    if job.state is not State.CANCELLED:
        return None
    when = "while it ran" if job.attempt else "before it ran"
    return Reason(
        code="cancelled",
        text=f"A person or a program cancelled it {when}.",
        next=f"`jobrun retry {job.id}` queues it again",
    )


def expired(facts: JobFacts) -> Reason | None:
    """Say that no worker was free in time."""
    job = facts.job
    if job.state is not State.EXPIRED:
        return None
    latest = "" if job.expires_at is None else f" by {wall(job.expires_at, facts.zone)}"
    return Reason(
        code="expired",
        text=f"It was due at {wall(job.run_at, facts.zone)}, and no worker had begun it{latest}.",
        next=f"`jobrun retry {job.id}` runs it all the same; more workers or a longer `--expires` spare the next",
    )


def nothing_to_do(facts: JobFacts) -> Reason | None:
    job = facts.job
    if job.state is not State.SKIPPED:
        return None
    return Reason(
        code="nothing-to-do",
        text=f"It said itself that there was nothing to do{f' ({job.reason})' if job.reason else ''}.",
        next=f"nothing; `jobrun logs {job.id}` shows what it printed",
    )


def crashed_thrice(facts: JobFacts) -> Reason | None:
    """Tell of a job that was stopped because it kills its workers."""
    job = facts.job
    if job.state is not State.CRASHED or not (job.reason or "").startswith("poison"):
        return None
    last = facts.attempt.ending.cause if facts.attempt else None
    who = "fork" if job.terms.isolate else "worker"
    return Reason(
        code="crashed-thrice",
        text=f"Its {who} died {job.crashes} times in a row, so it was stopped{f'; the last time: {last}' * bool(last)}.",
        next=causes.look_closer(facts),
    )


def no_time(facts: JobFacts) -> Reason | None:
    job = facts.job
    if job.state is not State.FAILED or not (job.reason or "").startswith("its deadline"):
        return None
    return Reason(
        code="no-time",
        text=f"{_sentence(job.reason or '')}.",
        next=f"`jobrun logs {job.id}` shows what went wrong; `jobrun retry {job.id}` runs it without a deadline",
    )


def unknown(facts: JobFacts) -> Reason:
    job = facts.job
    return Reason(
        code="unknown",
        text=f"{_sentence(job.reason)}." if job.reason else "Nothing more is known of its end.",
        next=f"`jobrun inspect {job.id}` shows all that is kept",
    )


def useless(facts: JobFacts) -> Reason | None:
    """Say that retries were left, and why none was made."""
    job = facts.job
    if job.state is not State.FAILED or job.failures > job.retries or no_time(facts):
        return None
    is_crash = job.on_crash is OnCrash.FAIL and job.crashes > 0
    because = "its `on_crash` is fail" if is_crash else "the same would come of it"
    left = plural(job.retries - job.failures + 1, "retry")
    return Reason(
        code="useless",
        text=f"It was not tried again, though it had {left} left: {because}.",
        next=f"mend the cause, then `jobrun retry {job.id}` queues it again",
    )


def parked(facts: JobFacts) -> Reason | None:
    job = facts.job
    if job.state is not State.CRASHED or crashed_thrice(facts) or job.failures > job.retries:
        return None
    return Reason(
        code="parked",
        text="It was parked for a person, for it may have done a part of its work.",
        next=f"see what it has done, then `jobrun retry {job.id}` queues it again, or `jobrun purge {job.id}` removes it",
    )


def no_retry_left(facts: JobFacts) -> Reason | None:
    job = facts.job
    if job.state not in TROUBLED or job.failures <= job.retries or crashed_thrice(facts):
        return None
    used = (
        f"All of its {plural(job.retries, 'retry')} are used up."
        if job.retries > 1
        else "Its retry is used up."
    )
    return Reason(
        code="no-retry-left",
        text=used if job.retries else "It was to be tried once.",
        next=f"`jobrun retry {job.id}` queues it again"
        + ("" if job.retries else "; `--retries N` tries the next ones more often"),
    )


def key_taken(facts: JobFacts) -> Reason | None:
    """Say that a retry would be refused, for another job has the key now."""
    job = facts.job
    if facts.key_holder is None or job.state not in TROUBLED | {State.CANCELLED, State.EXPIRED}:
        return None
    return Reason(
        code="key-taken",
        text=f"Job {facts.key_holder} has its key `{job.key}` now, and may do the same work.",
        next=f"`jobrun why {facts.key_holder}` tells of it; no retry is possible before it has ended",
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


ENDED: tuple[Rule[JobFacts], ...] = (
    succeeded,
    cancelled,
    expired,
    nothing_to_do,
    crashed_thrice,
    no_time,
    *causes.CAUSES,
)
AGAIN: tuple[Rule[JobFacts], ...] = (useless, parked, no_retry_left, key_taken)
