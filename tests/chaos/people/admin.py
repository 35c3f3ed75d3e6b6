"""Who cancels, retries and purges at random; each order is on paper before it is given."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from jobrun.errors import JobrunError
from jobrun.model import JobFilter, State
from jobrun.store import Store, open_store
from tests.chaos.ledger import Papers, write

ENDED_BADLY = (State.FAILED, State.CRASHED, State.CANCELLED)


def main(seed: str, folder: str) -> None:
    """Give orders until killed."""
    dice, papers = Random(int(seed)), Papers(Path(folder))
    with open_store(Path(os.environ["JOBRUN_DB"]), create=False) as store:
        while True:
            [order] = dice.choices(list(_ORDERS), list(_ORDERS.values()))
            try:
                order(store, papers, dice)
            except JobrunError as error:
                sys.stderr.write(f"{error}\n")
            time.sleep(dice.choice((0.005, 0.02, 0.1)))


def _cancel(store: Store, papers: Papers, dice: Random) -> None:
    state = dice.choice((State.RUNNING, State.RUNNING, State.RUNNING, State.READY))
    ids = _some(store, (state,), 40, newest_first=True)
    for number in dice.sample(ids, min(len(ids), dice.choice((1, 1, 3)))):
        write(papers.cancelled, [number])
        store.orders.cancel(number, now=datetime.now(UTC))


def _retry(store: Store, papers: Papers, _dice: Random) -> None:
    ids = _some(store, ENDED_BADLY, 5, newest_first=True)
    write(papers.retried, ids)
    store.orders.retry(ids, now=datetime.now(UTC))


def _purge(store: Store, papers: Papers, _dice: Random) -> None:
    ids = _some(store, (State.SUCCEEDED, *ENDED_BADLY), 5, newest_first=False)
    write(papers.purged, ids)
    store.orders.purge(ids)


def _some(store: Store, states: tuple[State, ...], limit: int, *, newest_first: bool) -> list[int]:
    found = store.ledger.select(JobFilter(states=frozenset(states)), limit=limit, newest_first=newest_first)
    return [job.id for job in found]


_ORDERS: dict[Callable[[Store, Papers, Random], None], int] = {_cancel: 7, _retry: 2, _purge: 1}

if __name__ == "__main__":
    main(*sys.argv[1:])
