"""L6: everything is killed and frozen at random moments, while jobs come in and run."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass

from tests.chaos import harms
from tests.chaos.harms import Hand, Harm, strike
from tests.chaos.judge import Evidence, doubled, strict_faults
from tests.chaos.people.crowd import Crowd
from tests.chaos.scene import Group, Scene
from tests.chaos.trial import CannotTry, Drill, Trial

# What is struck; seeds in a row try all.
CASES: tuple[tuple[Harm, ...], ...] = (
    harms.ALL,
    harms.ALL,
    harms.OF_WORKERS,
    harms.OF_DISPATCHERS,
    harms.ALL,
    harms.FREEZING,
    harms.OF_GROUPS,
    (*harms.OF_WORKERS, *harms.OF_DISPATCHERS),
    harms.ENDING,
)
# Where dispatchers alone die, each must live for a moment, or no job would ever begin.
_PAUSES_S = (0.02, 0.05, 0.1)
_LONG_PAUSE_S = 0.4
_FIGURES = ("kills", "stops", "ends", "jobs", "acknowledged", "attempts", "doubled")
_AGAIN_S = 0.005  # where nobody was struck
_JOBS = 40  # a second, at most
_STEP_S = 0.002


@dataclass(frozen=True, slots=True)
class Plan:
    """What a seed decides before the first blow."""

    harms: tuple[Harm, ...]
    sizes: tuple[int, ...]  # of the groups, all on one job file
    durability: str
    modes: tuple[str, ...]  # of clients
    pause_s: float  # between two blows, on average


def _drawn(trial: Trial) -> Plan:
    dice, chosen = trial.dice, CASES[trial.seed % len(CASES)]
    return Plan(
        harms=chosen,
        sizes=dice.choice(((4,), (4, 4), (3, 3, 1), (2, 2, 2, 2))),
        durability=dice.choice(("full", "fast")),
        modes=dice.choice((("calls", "calls", "words"), ("calls", "big"), ("calls", "calls"))),
        pause_s=dice.choice(_PAUSES_S) if chosen != harms.OF_DISPATCHERS else _LONG_PAUSE_S,
    )


def _run(trial: Trial) -> None:
    if not shutil.which("flock"):
        raise CannotTry("needs flock of util-linux, for commands that hold a lock")
    scene = Scene(trial)
    for figure in _FIGURES:
        trial.count(figure, 0)  # so that they stand in this order, also where there is none
    try:
        _storm(scene, _drawn(trial))
        scene.finish(n=3)
        _judge(scene)
    finally:
        scene.close()


def _storm(scene: Scene, plan: Plan) -> None:
    trial, hand = scene.trial, Hand(scene)
    scene.run("enqueue", "-q", "chaostasks:short")  # so that the file is there
    crowd = Crowd(scene, hand, modes=plan.modes, most=int(_JOBS * trial.seconds))
    try:
        groups = [_start(scene, plan, size) for size in plan.sizes]
        blow_at = time.monotonic() + 0.5
        while not trial.is_over:
            hand.wake()
            crowd.step()
            groups = [_replaced(scene, plan, group, n) for group, n in zip(groups, plan.sizes, strict=True)]
            if time.monotonic() >= blow_at:
                ready = [group for group in groups if group.is_up and group.workers()]
                has_hit = strike(hand, plan.harms, trial.dice.choice(ready or groups))
                blow_at = time.monotonic() + (
                    trial.dice.expovariate(1 / plan.pause_s) if has_hit else _AGAIN_S
                )
            time.sleep(_STEP_S)
    finally:
        hand.wake(all_of_them=True)
        crowd.go()


def _start(scene: Scene, plan: Plan, size: int) -> Group:
    drain = scene.trial.dice.choice(("0.05s", "0.5s", "3s"))
    return scene.start("--drain", drain, "--durability", plan.durability, n=size)


def _replaced(scene: Scene, plan: Plan, group: Group, size: int) -> Group:
    return group if group.is_up else _start(scene, plan, size)


def _judge(scene: Scene) -> None:
    seen = scene.verdict(may_leave_files=True)
    trial = scene.trial
    for fault in strict_faults(seen):
        trial.fault(fault)
    trial.count("jobs", max(seen.jobs, default=0))
    trial.count("acknowledged", len(seen.acknowledged))
    trial.count("attempts", len(seen.attempts))
    trial.count("doubled", doubled(seen))
    trial.count("kills", _by_own_hand(seen))
    trial.count("late ends", scene.heard("came too late"))


def _by_own_hand(seen: Evidence) -> int:
    """Return how many calls killed themselves, for the kills of commands were counted."""
    crashed = (seen.attempts[token] for token in seen.effects.struck if token in seen.attempts)
    return sum(row.outcome == "crashed" for row in crashed)


DRILL = Drill(
    level="L6", says="everything is killed and frozen at random moments", run=_run, long_s=60.0, share=6.0
)
