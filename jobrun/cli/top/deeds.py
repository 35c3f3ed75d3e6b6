"""What is done to a job or a queue at the press of a key, and what is said of it."""

from __future__ import annotations

from datetime import datetime

from jobrun.actions import acting
from jobrun.actions.acting import Changed
from jobrun.actions.looking import get
from jobrun.cli.person import me
from jobrun.cli.top.steering import Deed, Order
from jobrun.measures import Pause
from jobrun.model import State
from jobrun.store import Store

REASON = "paused in top"


def do(store: Store, order: Order, *, now: datetime) -> str:
    """Do it, and return what became of it in a line; raises `JobrunError`."""
    if order.deed is Deed.PAUSE:
        return _pause_or_resume(store, order.queue, now)
    if order.deed is Deed.RETRY:
        return _said(acting.retry(store, [order.job_id], now=now), f"job {order.job_id} is queued again")
    changed = acting.cancel(store, [order.job_id], now=now)
    is_running = get(store, order.job_id).state is State.RUNNING
    how = "is to be stopped by its worker" if is_running else "is cancelled"
    return _said(changed, f"job {order.job_id} {how}")


def _said(changed: Changed, done: str) -> str:
    return "; ".join(each.why for each in changed.refused) or done


def _pause_or_resume(store: Store, queue: str, now: datetime) -> str:
    """End the pause of a queue, or else begin one that lasts until somebody ends it."""
    with store.group():
        if store.pauses.end(queue, now=now) is not None:
            return f"queue {queue} goes on"
        store.pauses.begin(Pause(queue=queue, since=now, until=None, by=me(), reason=REASON))
    return f"queue {queue} is paused: none of its jobs begin until somebody resumes it (p)"
