"""All drills, by the name that the command line knows."""

from __future__ import annotations

from tests.chaos.drills import cron, soak, storm
from tests.chaos.trial import Drill

DRILLS: dict[str, Drill] = {
    "storm": storm.DRILL,
    "cron": cron.DRILL,
    "soak": soak.DRILL,
}
