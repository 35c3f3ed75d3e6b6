"""How long ended jobs and decided ticks are kept: what went well is forgotten, what failed stays unless told otherwise.

What is to be kept is read anew before each pass, so that a table that is changed needs no restart. A pass is some
chores, one after the other; each finds a page of what may go, and that is removed in small commits.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from jobrun.dispatcher import chores
from jobrun.dispatcher.chores import Chore
from jobrun.keeping import Keeping, keeping
from jobrun.model import State
from jobrun.store import Store
from jobrun.store.aging import Place

TICKS_KEPT = timedelta(days=30)
EVERY_S = 60.0
FIRST, MOST = 2, 20  # jobs, after which the clock is looked at: their output goes too, and that may be much
LOOK_S = 0.002  # of a round in which nothing is found, and nobody is kept from writing
ROUND_S = 0.005  # as long as no job that waits meanwhile is late
REST = 4  # times as long as the last round took, so that a fifth of the time keeps pace with any load
LOOK_REST = 19  # the same after a round that only looked: it is in no hurry
OUTPUTS_EVERY_S = (
    86400.0  # then they are looked for from the beginning: the clock may have been set, or jobs imported
)

Say = Callable[[str], None]


class Retention:
    """The rounds in which the old is removed, a batch at a time."""

    def __init__(self, store: Store, keep_s: float | None, say: Say = lambda _: None) -> None:
        """`keep_s`, seconds, is how long a job is kept that ended well; None: as long as tables say."""
        self._store = store
        self._keep_s = keep_s
        self._say = say
        self._next_at = 0.0
        self._finds: Iterator[tuple[Chore, Sequence[int]]] = iter(())
        self._chore: Chore | None = None
        self._found: Sequence[int] = ()
        self._outputs: dict[State, Place] = {}  # how far they were looked for
        self._outputs_at = 0.0
        self._said = ""

    def do_round(self, *, now: datetime, monotonic: float) -> None:
        """Go on with the pass, or begin one if it is time, for about `ROUND_S`; then rest."""
        if monotonic < self._next_at:
            return
        if self._chore is None:
            self._finds = self._pass(now, monotonic)
        begin = time.monotonic()
        is_more = self._look(begin + LOOK_S)
        rest = LOOK_REST
        if self._found:
            rest = REST
            with self._store.group():  # one commit
                is_more = self._remove(begin + ROUND_S)
        self._next_at = monotonic + (rest * (time.monotonic() - begin) if is_more else EVERY_S)

    def _pass(self, now: datetime, monotonic: float) -> Iterator[tuple[Chore, Sequence[int]]]:
        """Yield what is found, with the chore that found it."""
        said = [each["retention"] for each in self._store.sections.all().values() if "retention" in each]
        kept = keeping(said, keep_s=self._keep_s)
        for chore in self._chores(kept, now, monotonic):
            for ids in chore.pages():
                yield chore, ids

    def _chores(self, kept: Keeping, now: datetime, monotonic: float) -> Iterator[Chore]:
        yield chores.Ticks(self._store, now - TICKS_KEPT)
        for keep_s, states in ((kept.keep_s, chores.WELL), (kept.keep_failed_s, chores.FAILED)):
            if not math.isinf(keep_s):
                yield chores.Age(self._store, states, now - timedelta(seconds=keep_s))
        most = {
            **dict.fromkeys(chores.WELL, kept.keep_runs),
            **dict.fromkeys(chores.FAILED, kept.keep_failed_runs),
        }
        if limits := {state: count for state, count in most.items() if count is not None}:
            yield chores.Runs(self._store, limits)
        if kept.max_size is not None:
            yield chores.Size(self._store, kept.max_size, now, self._say_once)
        if not math.isinf(kept.keep_output_s):
            if monotonic >= self._outputs_at:
                self._outputs, self._outputs_at = {}, monotonic + OUTPUTS_EVERY_S
            yield chores.Outputs(self._store, now - timedelta(seconds=kept.keep_output_s), self._outputs)

    def _say_once(self, text: str) -> None:
        """Say what was not said in the last pass; "": there is nothing to say."""
        if text and not self._said:
            self._say(text)
        self._said = text

    def _look(self, end: float) -> bool:
        """Look for what may go until something is found; say whether the pass goes on."""
        while not self._found:
            found = next(self._finds, None)
            if found is None:
                self._chore = None
                return False
            self._chore, self._found = found
            if time.monotonic() > end:
                break
        return True

    def _remove(self, end: float) -> bool:
        """Remove what was found, and what is found then, until the time is over; say whether there is more."""
        size = FIRST
        while time.monotonic() < end:
            if not self._look(end):
                return False
            assert self._chore is not None
            if self._found:
                self._chore.drop(self._found[:size])
                self._found, size = self._found[size:], min(2 * size, MOST)
        return True
