"""The reasons to forget: for each, what may go, page by page, and how it goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from jobrun.model import TROUBLED, JobFilter, State
from jobrun.store import Store
from jobrun.store.aging import BEGIN, Place
from jobrun.units import format_size

PAGE = 100  # jobs that are looked at, as long as that takes less than a millisecond
FEW = 20  # jobs or ticks, after which it is asked again whether there are too many

WELL = (State.SUCCEEDED, State.CANCELLED, State.EXPIRED, State.SKIPPED)
FAILED = tuple(sorted(TROUBLED))


class Chore(Protocol):
    """One reason to forget."""

    def pages(self) -> Iterator[Sequence[int]]:
        """Yield ids of jobs that may go, read a moment ago; a page may be empty."""

    def drop(self, ids: Sequence[int]) -> None:
        """Remove those that may still go, within a transaction."""


class Ticks:
    """Ticks that were decided before an instant; they have no ids, so that only their number is told."""

    def __init__(self, store: Store, before: datetime) -> None:
        self._store = store
        self._before = before

    def pages(self) -> Iterator[Sequence[int]]:
        while self._store.ticks.has_before(self._before):
            yield range(FEW)

    def drop(self, ids: Sequence[int]) -> None:
        self._store.ticks.forget_before(self._before, limit=len(ids))


class Age:
    """Jobs that ended before an instant."""

    def __init__(self, store: Store, states: Sequence[State], before: datetime) -> None:
        self._store = store
        self._states = states
        self._before = before

    def pages(self) -> Iterator[Sequence[int]]:
        for state in self._states:
            place: Place | None = BEGIN
            while place is not None:
                ids, place = self._store.aging.ended(state, self._before, place, limit=PAGE)
                yield ids

    def drop(self, ids: Sequence[int]) -> None:
        _purge(self._store, ids, self._states)


class Runs:
    """Runs of an entry or a task that enough newer ones have followed.

    All jobs are walked through from the newest on: an index by tasks would cost every job, and this only
    those who want it.
    """

    def __init__(self, store: Store, most: Mapping[State, int]) -> None:
        """`most` are kept in each state; failures of both kinds count together."""
        self._store = store
        self._most = most

    def pages(self) -> Iterator[Sequence[int]]:
        seen: Counter[tuple[str, bool, str]] = Counter()
        last: int | None = None
        while runs := self._store.aging.runs(last, limit=PAGE):
            last = runs[-1].id
            found = []
            for run in runs:
                if run.work is None or (most := self._most.get(run.state)) is None:
                    continue
                which = run.work, run.is_entry, "failed" if run.state in FAILED else run.state
                seen[which] += 1
                if seen[which] > most and not run.is_last:
                    found.append(run.id)
            yield found

    def drop(self, ids: Sequence[int]) -> None:
        _purge(self._store, ids, tuple(self._most))


class Size:
    """The oldest that ended well, while the file holds more bytes than it may."""

    def __init__(self, store: Store, most: int, now: datetime, say: Callable[[str], None]) -> None:
        """`say` hears once a pass why the file stays too large, or "" if it does not."""
        self._store = store
        self._most = most
        self._now = now
        self._say = say

    def pages(self) -> Iterator[Sequence[int]]:
        for state in WELL:
            place: Place | None = BEGIN
            while place is not None and self._is_too_large():
                ids, place = self._store.aging.ended(state, self._now, place, limit=FEW)
                yield ids
        self._say(self._why() if self._is_too_large() else "")

    def drop(self, ids: Sequence[int]) -> None:
        _purge(self._store, ids, WELL)

    def _is_too_large(self) -> bool:
        return self._store.aging.used() > self._most

    def _why(self) -> str:
        return (
            f"the job file holds {format_size(self._store.aging.used())}, more than the max_size of "
            f"{format_size(self._most)}, and nothing is left in it that may go"
        )


class Outputs:
    """What jobs printed that ended before an instant."""

    def __init__(self, store: Store, before: datetime, places: dict[State, Place]) -> None:
        """`places` says where to go on, and is kept for the next pass."""
        self._store = store
        self._before = before
        self._places = places

    def pages(self) -> Iterator[Sequence[int]]:
        for state in (*WELL, *FAILED):
            place: Place | None = self._places.get(state, BEGIN)
            while place is not None:
                self._places[state] = place
                ids, place = self._store.aging.with_output(state, self._before, place, limit=PAGE)
                yield ids

    def drop(self, ids: Sequence[int]) -> None:
        self._store.aging.drop_output(ids)


def _purge(store: Store, ids: Sequence[int], states: Sequence[State]) -> None:
    """Remove jobs with all that is known of them, unless they were retried since they were looked up."""
    still = JobFilter(ids=tuple(ids), states=frozenset(states))
    store.orders.purge(store.ledger.ids(still, limit=len(ids)))
