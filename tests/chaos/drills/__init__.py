"""All drills, by the name that the command line knows."""

from __future__ import annotations

from tests.chaos.drills import (
    clock,
    cron,
    damage,
    errors,
    freeze,
    full,
    fuzz,
    model,
    points,
    power,
    races,
    rlimits,
    soak,
    storm,
    trees,
)
from tests.chaos.trial import Drill

DRILLS: dict[str, Drill] = {
    "storm": storm.DRILL,
    "cron": cron.DRILL,
    "points": points.DRILL,
    "errors": errors.DRILL,
    "rlimits": rlimits.DRILL,
    "full": full.DRILL,
    "damage": damage.DRILL,
    "power": power.DRILL,
    "freeze": freeze.DRILL,
    "clock": clock.DRILL,
    "trees": trees.DRILL,
    "model": model.DRILL,
    "races": races.DRILL,
    "fuzz": fuzz.DRILL,
    "soak": soak.DRILL,
}
