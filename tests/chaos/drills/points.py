"""L4: each command is killed at every n-th call that it makes on our files."""

from __future__ import annotations

from jobrun import procs
from tests.chaos.cases import Case
from tests.chaos.healing import is_bug
from tests.chaos.scene import Scene
from tests.chaos.sweep import Try, sweep
from tests.chaos.tracing import Answer, Point, hurt
from tests.chaos.trial import Drill, Trial


def _run(trial: Trial) -> None:
    procs.adopt_orphans()
    sweep(trial, _tries, _hurt, _law)


def _tries(points: list[Point], _case: Case) -> list[Try]:
    return [(point, "signal=SIGKILL") for point in points]


def _hurt(scene: Scene, case: Case, tried: Try) -> Answer:
    point, how = tried
    return hurt(scene, case.command, point, how)


def _law(case: Case, answer: Answer) -> list[str]:
    """Who is not the killed one must not be confused by it."""
    if not case.command.is_group and not answer.was_hurt and answer.code != 0:
        return [f"ended with {answer.code}, though nothing hurt it"]
    return [f"said: {line}" for line in answer.err.splitlines() if is_bug(line)][:3]


DRILL = Drill(
    level="L4", says="each command is killed at every call on its files", run=_run, long_s=30.0, share=2.0
)
