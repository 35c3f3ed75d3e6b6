"""L3: a few actors on one job file, in orders that a seed draws, some of them killed where they stand."""

from __future__ import annotations

from functools import partial
from random import Random

from tests.chaos.trial import Drill, Trial
from tests.races.scenarios import PAIRS, TRIPLES, melee
from tests.races.scene import Arrange, one_run, serial
from tests.races.stage import every, points

CASES = [*PAIRS, *TRIPLES]
AT_ONCE = 50  # drawn schedules between looks at the clock


def _run(trial: Trial) -> None:
    with points():
        _all_of(trial, CASES[trial.seed % len(CASES)])
        while not (trial.faults or trial.is_over):
            for _ in range(AT_ONCE):
                _one_of_many(trial)


def _all_of(trial: Trial, arrange: Arrange) -> None:
    """Run all schedules of one case, as far as the time goes."""
    expected = serial(arrange)
    for played, looks, faults in every(partial(one_run, arrange)):
        trial.count("schedules")
        if looks not in expected:
            faults.append(f"as without no race: {looks}")
        for fault in faults:
            trial.fault(f"{arrange.__name__}: {fault}, after {played}")
        if faults or trial.is_over:
            return


def _one_of_many(trial: Trial) -> None:
    """Run one schedule of many actors, two of whom may die."""
    drawn = trial.dice.getrandbits(64)
    dice = Random(drawn)
    kills = dice.randrange(3)
    played, _, faults = one_run(melee(Random(drawn)), dice.choice, kills=kills)
    trial.count("schedules")
    trial.count("moves", len(played.moves))
    trial.count("kills", sum(move.startswith("kill") for move in played.moves))
    for fault in faults:
        trial.fault(f"{fault}, after {played}")


DRILL = Drill(
    level="L3",
    says="two to five actors in every order, some killed between",
    run=_run,
    short_s=3.0,
    long_s=30.0,
)
