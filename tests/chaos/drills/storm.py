"""L6: everything is killed at random moments, while jobs come in and run."""

from __future__ import annotations

import time

from tests.chaos.judge import doubled
from tests.chaos.scene import Scene
from tests.chaos.trial import Drill, Trial
from tests.process.site import kill


def _run(trial: Trial) -> None:
    scene = Scene(trial)
    try:
        scene.run("enqueue", "-q", "chaostasks:short")
        scene.papers.acknowledged.write_text("1\n")
        group = scene.start()
        while not trial.is_over:
            for pid in group.workers()[:1]:
                kill(pid)
                trial.count("kills")
            time.sleep(trial.dice.expovariate(4))
        scene.finish()
        trial.count("doubled", doubled(scene.verdict()))
    finally:
        scene.close()


DRILL = Drill(level="L6", says="everything is killed at random moments", run=_run)
