"""Who of a group can take a job: whoever is free, and for short jobs whoever has little before him."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable
from typing import NamedTuple

from jobrun.dispatcher.pace import Pace, Task
from jobrun.dispatcher.seat import Seat

RESERVE = 160  # short jobs that a worker may hold besides the one it runs
MOST_AT_ONCE = 256  # jobs of one commit, for which all other writers wait
AHEAD_S = 0.01  # how long they may take together, as far as their tasks are known


class _Load(NamedTuple):
    """For how long what a worker holds keeps it, and how many jobs that are; the lighter one comes first."""

    seconds: float
    jobs: int
    number: int  # none are equal, so that names need no order
    name: str


class Hands:
    """The workers of one round that can take a job, and what each of them holds."""

    def __init__(self, seats: Iterable[Seat], over: Collection[str], pace: Pace) -> None:
        """Weigh what is left of each worker's jobs; `over` are the tokens of those that have ended."""
        self._pace = pace
        self._loads: list[_Load] = []
        for seat in seats:
            left = [job for token, job in seat.jobs.items() if token not in over]
            seconds = sum(pace.expected_s((job.kind, job.task)) for job in left)
            if seat.is_open and not (left and (seat.is_stuck or seconds >= AHEAD_S)):
                self._loads.append(_Load(seconds, len(left), seat.number, seat.name))
        heapq.heapify(self._loads)

    @property
    def room(self) -> int:
        """The most jobs that could be taken, were all of them short, and that one commit should hold."""
        return min(sum(max(RESERVE + 1 - load.jobs, 0) for load in self._loads), MOST_AT_ONCE)

    def place(self, task: Task) -> str | None:
        """Choose who takes a job, the one that is free first; None if nobody can."""
        if not self._loads or self._loads[0].jobs > RESERVE:
            return None
        seconds, jobs, number, name = self._loads[0]
        takes_s = self._pace.expected_s(task)
        if jobs and seconds + takes_s > AHEAD_S:
            return None
        heapq.heapreplace(self._loads, _Load(seconds + takes_s, jobs + 1, number, name))
        return name
