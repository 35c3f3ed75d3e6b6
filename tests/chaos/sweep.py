"""The round of a sweep: a case is prepared once, and copied for each point at which it is hurt."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.chaos.cases import CASES, Case, acknowledge
from tests.chaos.healing import heal, verdict
from tests.chaos.scene import Scene
from tests.chaos.tracing import Answer, Point, points_of
from tests.chaos.trial import Trial

Try = tuple[Point, str]  # how it is hurt, as strace(1) has it


def sweep(
    trial: Trial,
    tries_of: Callable[[list[Point], Case], list[Try]],
    hurt_at: Callable[[Scene, Case, Try], Answer],
    law: Callable[[Case, Answer], list[str]],
) -> None:
    """Hurt one case at point after point, in an order that the seed draws, until the time is up."""
    case = CASES[trial.seed % len(CASES)]
    template = trial.folder / "template"
    scene = _scene(trial)
    case.prepare(scene)
    _no_faults(scene)
    scene.folder.rename(template)
    points = points_of(_copy(trial, template), case.command)
    trial.expect(points, f"{case.name}: no point was found")
    tries = tries_of(points, case)
    trial.dice.shuffle(tries)
    for tried in tries:
        if trial.is_over:
            break
        scene = _copy(trial, template)
        answer = hurt_at(scene, case, tried)
        trial.count("points" if answer.was_hurt else "points not met")
        faults = [*law(case, answer), *_look(scene, case, answer)]
        if faults:
            kept = trial.folder / f"{tried[0].call}-{tried[0].number}-{len(trial.faults)}"
            scene.folder.rename(kept)
            for fault in faults:
                trial.fault(f"{case.name}, {tried[0]} {tried[1]}: {fault} ({kept})")


def _look(scene: Scene, case: Case, answer: Answer) -> list[str]:
    """Bring all to a good end, and judge."""
    if case.command.words[0] == "enqueue":
        acknowledge(scene, answer.out)
    faults = [] if case.heal_first is None else case.heal_first(scene)
    faults += heal(scene)
    if faults:
        return faults
    return [*verdict(scene), *case.promise(scene, answer)]


def _scene(trial: Trial) -> Scene:
    folder = trial.folder / "point"
    folder.mkdir(mode=0o700)
    return Scene(Trial(seed=trial.seed, folder=folder, seconds=trial.seconds))


def _copy(trial: Trial, template: Path) -> Scene:
    """Begin anew; always in the same folder, since jobs keep the paths that they were asked for with."""
    folder = trial.folder / "point"
    shutil.rmtree(folder, ignore_errors=True)
    # Pipes cannot be copied; they are made anew.
    scene = _scene(trial)
    shutil.copytree(template, folder, ignore=shutil.ignore_patterns("gate.*", "tasks"), dirs_exist_ok=True)
    return scene


def _no_faults(scene: Scene) -> None:
    assert scene.trial.faults == [], scene.trial.faults
