"""Pausing queues: nothing begins in them until the pause is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from jobrun.measures import Pause
from jobrun.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """The pauses as they are now; `unknown` are queues that no job is known of, and may be mistyped."""

    pauses: tuple[Pause, ...]
    unknown: tuple[str, ...]
    known: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """The pauses that ended now, and the queues that were not paused."""

    pauses: tuple[Pause, ...]
    others: tuple[str, ...]


def pause(store: Store, queues: Sequence[str], how: Pause) -> Paused:
    """Pause queues as `how` says, each in place of a pause that it has, all in one commit."""
    pauses = tuple(replace(how, queue=queue) for queue in dict.fromkeys(queues))
    with store.group():
        for each in pauses:
            store.pauses.begin(each)
    known = store.queue.seen()
    unknown = tuple(
        each.queue for each in pauses if each.queue not in known and not store.queue.has_scheduled(each.queue)
    )
    return Paused(pauses=pauses, unknown=unknown, known=tuple(known))


def resume(store: Store, queues: Sequence[str], *, now: datetime) -> Resumed:
    """End the pauses of queues, all in one commit; what waits there begins at once."""
    names = dict.fromkeys(queues)
    with store.group():
        ended = {queue: store.pauses.end(queue, now=now) for queue in names}
    return Resumed(
        pauses=tuple(each for each in ended.values() if each is not None),
        others=tuple(queue for queue, each in ended.items() if each is None),
    )
