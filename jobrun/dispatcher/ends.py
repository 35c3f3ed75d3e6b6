"""The end of an attempt as it is written: its job moves on, and in the same commit who is to be told will be."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from jobrun.cron.monitor import ping_url
from jobrun.dispatcher.notices import End, event_of, output_tail, telling
from jobrun.dispatcher.settings import World
from jobrun.lifecycle import Settlement, settle
from jobrun.model import MAX_CRASHES, TROUBLED, Ending, Job, Outcome, State
from jobrun.store import Store
from jobrun.store.endings import Settling
from jobrun.units import to_ms

PING_BODY = 10_000  # bytes, which every monitor takes (healthchecks.io/docs/attaching_logs)

Ended = tuple[Job, Ending, int | None]  # the pid is of who ran it
Orders = Mapping[str | None, datetime]  # tokens of attempts whose end was asked for, and when

_FAILURES = TROUBLED | {State.EXPIRED}


def end_attempts(
    store: Store, ends: Iterable[Ended], world: World, *, max_crashes: int = MAX_CRASHES
) -> list[Settlement | None]:
    """Settle running attempts, and return what becomes of their jobs; None if it was settled before."""
    now = world.now()
    with store.group():
        orders = store.endings.to_cancel()
        settlings = [_settling(end, orders, now, world.spread(), max_crashes) for end in ends]
        done = store.endings.settle_all(settlings, now=now)
        for (job, ending, becomes, _), is_ended in zip(settlings, done, strict=True):
            if is_ended and becomes.state.is_final and (job.entry or job.terms.ping):
                _tell(store, End(job=job, ending=ending, becomes=becomes, at=now))
    return [each.becomes if is_ended else None for each, is_ended in zip(settlings, done, strict=True)]


def _settling(end: Ended, orders: Orders, now: datetime, spread: float, max_crashes: int) -> Settling:
    job, ending, pid = end
    if job.token in orders:
        job = replace(job, cancel_at=orders[job.token])
    return Settling(job, ending, settle(job, ending, now, spread, max_crashes=max_crashes), pid)


def expire(store: Store, *, now: datetime) -> None:
    """End a batch of what was not started in time; to its cron entry and its monitor that is a failure."""
    with store.group():
        for job in filter(None, map(store.ledger.get, store.queue.expire(now=now))):
            becomes = Settlement(state=job.state, failures=job.failures, reason=job.reason)
            ending = Ending(outcome=Outcome.INTERRUPTED, cause=job.reason)
            _tell(store, End(job=job, ending=ending, becomes=becomes, at=now))


def tell_of_begin(store: Store, job: Job, *, now: datetime) -> None:
    """Have the monitor of a claimed job told that it begins; its retries do not begin anew."""
    if job.terms.ping is not None and not job.failures:
        url = ping_url(job.terms.ping, "start", rid=_run_id(job))
        store.pings.add(url, entry=job.entry, job_id=job.id, now=now)


def _tell(store: Store, end: End) -> None:
    _count_for_entry(store, end)
    _tell_monitor(store, end)


def _count_for_entry(store: Store, end: End) -> None:
    """Let an end count for its cron entry, and add the job that tells somebody if its luck has turned."""
    name, is_success = end.job.entry, end.becomes.state is State.SUCCEEDED
    if name is None or not (is_success or end.becomes.state in _FAILURES):
        return
    before = store.entries.get(name)
    turn = store.entries.settled(name, is_success=is_success, now=end.at)
    if before is None or turn is None:
        return
    if (template := store.entries.notice(name, turn)) is not None:
        event = event_of(end, turn, before, host=os.uname().nodename)
        store.intake.add([telling(template, event)], now=end.at)


def _tell_monitor(store: Store, end: End) -> None:
    job = end.job
    if job.terms.ping is None:
        return
    url = ping_url(job.terms.ping, _event(end), rid=_run_id(job))
    body = "\n".join(filter(None, [end.ending.cause, output_tail(end.ending.output, PING_BODY)]))
    store.pings.add(url, entry=job.entry, job_id=job.id, body=body.encode()[-PING_BODY:], now=end.at)


def _event(end: End) -> str:
    """Return the event of the monitor's protocol; nothing to do is as good as done."""
    if end.becomes.state in {State.SUCCEEDED, State.SKIPPED}:
        return ""
    if end.becomes.state is State.CANCELLED:
        return "log"
    return str(end.ending.exit_code or "fail")


def _run_id(job: Job) -> str:
    """Return what joins start and end in the monitor's eyes, the same for all attempts of a job."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{job.id} {to_ms(job.created_at)}"))
