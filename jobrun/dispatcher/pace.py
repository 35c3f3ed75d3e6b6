"""How long jobs of a task have taken of late: what is short may be handed to a worker ahead of time.

A worker that waits for the COMMIT between any two of its jobs spends most of its time waiting when
they are short. It is given a few more then, its reserve. They are running jobs as far as the file
tells; what no worker has begun is taken back as soon as one takes long.
"""

from __future__ import annotations

import math
from collections import OrderedDict

from jobrun.model import Kind

_WEIGHT = 0.2  # of the newest in the moving average
_MOST_TASKS = 1024  # that are remembered, the last ones seen

Task = tuple[Kind, str]


class Pace:
    """A moving average of seconds for each task."""

    def __init__(self) -> None:
        self._took_s: OrderedDict[Task, float] = OrderedDict()

    def note(self, task: Task, took_s: float) -> None:
        """Learn from an attempt; one that took long counts at once, that tasks are short has to be shown."""
        before_s = self._took_s.get(task, took_s)
        self._took_s[task] = max(before_s + _WEIGHT * (took_s - before_s), took_s * _WEIGHT)
        self._took_s.move_to_end(task)
        if len(self._took_s) > _MOST_TASKS:
            self._took_s.popitem(last=False)

    def expected_s(self, task: Task) -> float:
        """Return how long a job of this task is likely to take; of an unknown one nobody knows."""
        return self._took_s.get(task, math.inf)
