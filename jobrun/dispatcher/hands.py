"""Who of a group can take a job: whoever is free, and for short jobs whoever has little before him."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from jobrun.dispatcher.pace import Pace, Task
from jobrun.dispatcher.seat import Seat

RESERVE = 96  # short jobs that a worker may hold besides the one it runs
MOST_AT_ONCE = 256  # jobs of one commit, for which all other writers wait
AHEAD_S = 0.01  # how long they may take together, as far as their tasks are known


@dataclass(slots=True, kw_only=True)
class _Load:
    """What a worker holds: how many jobs, and for how long they keep it."""

    name: str
    count: int
    seconds: float


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
                self._loads.append(_Load(name=seat.name, count=len(left), seconds=seconds))

    @property
    def room(self) -> int:
        """The most jobs that could be taken, were all of them short, and that one commit should hold."""
        return min(sum(max(RESERVE + 1 - load.count, 0) for load in self._loads), MOST_AT_ONCE)

    def place(self, task: Task) -> str | None:
        """Choose who takes a job, the one that is free first; None if nobody can."""
        load = min(self._loads, key=_weight, default=None)
        if load is None or load.count > RESERVE:
            return None
        takes_s = self._pace.expected_s(task)
        if load.count and load.seconds + takes_s > AHEAD_S:
            return None
        load.count += 1
        load.seconds += takes_s
        return load.name


def _weight(load: _Load) -> tuple[float, int]:
    return load.seconds, load.count
