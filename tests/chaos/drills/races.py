"""L3: a few actors on one job file, in orders that a seed draws, some of them killed where they stand."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from random import Random

from tests.chaos.trial import Drill, Trial
from tests.races import protocol
from tests.races.scenarios import PAIRS, TRIPLES, melee
from tests.races.scene import Arrange, one_run, serial
from tests.races.stage import Move, every, points

CASES = [*PAIRS, *TRIPLES]
CHANGE = 0.25  # how likely a move is another than the plain one


def _run(trial: Trial) -> None:
    with points():
        _all_of(trial, CASES[trial.seed % len(CASES)])
        while not (trial.faults or trial.is_over):
            _one_of_many(trial)
            _one_story(trial)


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


def _one_story(trial: Trial) -> None:
    """Let a dispatcher and workers run two jobs, cut each other short, die and be replaced."""
    dice = Random(trial.dice.getrandbits(64))

    def choose(moves: Sequence[Move]) -> Move:
        return dice.choice(moves) if dice.random() < CHANGE else moves[0]

    with protocol.points():
        story = protocol.tell(choose, dispatchers=dice.randrange(3), workers=dice.randrange(3), switches=8)
    trial.count("stories")
    trial.count("moves", len(story.moves))
    trial.count("kills", story.kills)
    for fault in story.faults:
        trial.fault(f"{fault}, after {story}")


DRILL = Drill(
    level="L3",
    says="two to five actors in every order, some killed between",
    run=_run,
    short_s=3.0,
    long_s=30.0,
)
