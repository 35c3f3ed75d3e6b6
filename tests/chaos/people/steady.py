"""A program that asks for jobs of all kinds, as evenly as it can: a second of it is like any other."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random

import jobrun
from jobrun.api import Options
from jobrun.model import NewJob
from tests.chaos import ledger

ROUND_S = 0.2
QUICK = Options(retries=3, backoff_s=0.1, max_backoff_s=0.5)


def main() -> None:
    acknowledged = Path(os.environ["ACKNOWLEDGED"])
    begun = time.monotonic()
    with jobrun.open(os.environ["JOBRUN_DB"]) as jobs:
        for turn in count():
            ledger.write(acknowledged, jobs.enqueue_many(list(_jobs(turn))))
            time.sleep(max(0.0, begun + (turn + 1) * ROUND_S - time.monotonic()))


def _jobs(turn: int) -> Iterator[NewJob]:
    """Yield what is asked for in one round: mostly short jobs, now and then one of each other kind."""
    dice = Random(turn)
    yield QUICK.job("chaostasks:waited", time.time_ns())
    for _ in range(8):
        yield QUICK.job("chaostasks:short")
    yield QUICK.job("chaostasks:works", dice.uniform(0.001, 0.05))
    if turn % 3 == 0:
        yield QUICK.job("chaostasks:fails", dice.choice([1, 2]))
        yield QUICK.job("chaostasks:asks", 1)
    if turn % 5 == 0:
        yield QUICK.job("chaostasks:answers", 70_000)
        yield QUICK.job("chaostasks:prints", 100_000)
        yield Options(in_s=1.0, retries=3, backoff_s=0.1).job("chaostasks:short")


if __name__ == "__main__":
    main()
