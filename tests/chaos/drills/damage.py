"""L8: the job file and what lies beside it are removed, replaced, cut and flipped under a busy group."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.scene import Group, Scene
from tests.chaos.trial import Drill, Trial
from tests.process.site import kill

NOTICED_S = 10.0
GOES_ON_S = 3.0  # longer than a housekeeper's round
SLOW_S = 20.0  # more, on a loaded machine
SAID = (
    "was removed",
    "was replaced",
    "is damaged",
    "is not a job file",
    "cannot be read or written",
    "is empty",
)


@dataclass(frozen=True, slots=True)
class Case:
    """One way to hurt what a group works on."""

    hurt: Callable[[Scene, Trial], None]
    ends: bool | None  # whether the group ends for it; None: it may, or may not notice
    mend: Callable[[Scene], None] | None = None  # puts all back: then nothing may be lost, or run again
    groups: int = 1
    is_asked: bool = True  # while it happens
    size: int = 0  # of results: what is large travels through the side folder
    work_s: float = 0.4  # that the other jobs take


def _run(trial: Trial) -> None:
    name, case = list(CASES.items())[trial.seed % len(CASES)]
    trial.count(name)
    scene = Scene(trial)
    asker: subprocess.Popen[bytes] | None = None
    try:
        _prepare(scene, case)
        groups = [scene.start("--drain", "5s") for _ in range(case.groups)]
        asker = scene.person("asker", str(scene.papers.acknowledged), "0.02") if case.is_asked else None
        if not _until(lambda: len(scene.papers.ids(scene.papers.acknowledged)) and _effects(scene) > 2, 60):
            trial.fault(f"{name}: nothing began: {groups[0].errors}")
        case.hurt(scene, trial)
        began = time.monotonic()
        for group in groups:
            _watch(trial, name, case, group, began)
        if asker:
            kill(asker.pid)
            asker.wait()
        _say_what_holds(scene, name, case)
    finally:
        if asker:
            kill(asker.pid)
            asker.wait()
        scene.close()


def _prepare(scene: Scene, case: Case) -> None:
    lines = [f"chaostasks:works {case.work_s}"] * 12
    if case.size:
        lines[::2] = [f"chaostasks:answers {case.size}"] * 6
    batch = scene.folder / "batch"
    batch.write_text("".join(f"{line}\n" for line in lines))
    told = scene.run("enqueue", "-q", "--batch", str(batch))
    scene.papers.acknowledged.write_text(told.stdout)


def _watch(trial: Trial, name: str, case: Case, group: Group, began: float) -> None:
    """See whether the group ends as it should, in time, and says why."""
    if case.ends is False:
        trial.expect(
            not _until(lambda: not group.is_up, GOES_ON_S), f"{name}: the group ended: {group.errors}"
        )
        return
    within_s = NOTICED_S + SLOW_S if case.ends else 2.0
    if not _until(lambda: not group.is_up, within_s):
        trial.expect(not case.ends, f"{name}: the group goes on: {group.errors}")
        return
    trial.count("ended in 10 s", time.monotonic() - began <= NOTICED_S)
    code = group.process.returncode
    trial.expect(code == 4, f"{name}: the group ended with {code}: {group.errors}")
    trial.expect(any(said in group.log() for said in SAID), f"{name}: it does not say why: {group.errors}")


def _say_what_holds(scene: Scene, name: str, case: Case) -> None:
    """What can be put back is put back, and all must hold; in any case nobody may meet a traceback."""
    trial = scene.trial
    wal = _beside(scene, "-wal")  # while it waits for the file, nobody makes another
    is_missed = case.mend is not None and wal.exists() and wal.stat().st_size > 0 and not scene.path.exists()
    for words in (["enqueue", "-q", "chaostasks:short"], ["list"], ["status"]):
        told = scene.run(*words, within_s=60)
        bad = "Traceback" in told.stderr or told.returncode not in {0, 4, 75}
        trial.expect(not bad, f"{name}: {words} gave {told.returncode}: {told.stderr[-300:]}")
        if is_missed and words[0] != "status":
            trial.expect(
                told.returncode == 4, f"{name}: {words} gave {told.returncode}: {told.stdout[-100:]}"
            )
        elif words[0] == "enqueue" and told.returncode == 0 and case.ends is False:
            with scene.papers.acknowledged.open("a") as paper:
                paper.write(told.stdout)
    if case.mend:
        case.mend(scene)
    if case.mend or case.ends is False:
        scene.finish()
        crashed = [row for row in scene.verdict().attempts.values() if row.outcome == "crashed"]
        trial.expect(not crashed, f"{name}: nobody died, and yet: {crashed[:2]}")
        return
    for group in scene.groups:
        if group.is_up and group.stop() is None:
            trial.fault(f"{name}: a group did not end: {group.errors}")
        trial.expect("Traceback" not in group.log(), f"{name}: a traceback: {group.errors}")


def _until(look: Callable[[], object], within_s: float) -> bool:
    end = time.monotonic() + within_s
    while not look():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _effects(scene: Scene) -> int:
    with contextlib.suppress(FileNotFoundError):
        return scene.papers.effects.read_bytes().count(b"\n")
    return 0


def _beside(scene: Scene, end: str) -> Path:
    return Path(f"{scene.path}{end}")


def _away(scene: Scene, _trial: Trial) -> None:
    scene.path.rename(scene.folder / "away")


def _back(scene: Scene) -> None:
    (scene.folder / "away").replace(scene.path)


def _replaced(scene: Scene, _trial: Trial) -> None:
    other = scene.folder / "other.db"
    scene.run("--db", str(other), "enqueue", "-q", "chaostasks:short")
    with contextlib.ExitStack() as both:
        both.callback(other.replace, scene.path)
        scene.path.rename(scene.folder / "away")


def _all_away(scene: Scene, _trial: Trial) -> None:
    for end in ("", "-wal", "-shm"):
        _beside(scene, end).rename(scene.folder / f"away{end}")


def _all_back(scene: Scene) -> None:
    for end in ("", "-wal"):
        with contextlib.suppress(FileNotFoundError):
            (scene.folder / f"away{end}").replace(_beside(scene, end))


def _gone(*ends: str) -> Callable[[Scene, Trial], None]:
    def hurt(scene: Scene, _trial: Trial) -> None:
        for end in ends:
            _beside(scene, end).unlink()

    return hurt


def _cut(size: int) -> Callable[[Scene, Trial], None]:
    def hurt(scene: Scene, _trial: Trial) -> None:
        os.truncate(scene.path, size if size >= 0 else scene.path.stat().st_size + size)

    return hurt


def _flipped(end: str) -> Callable[[Scene, Trial], None]:
    def hurt(scene: Scene, trial: Trial) -> None:
        path = _beside(scene, end)
        size = path.stat().st_size
        with path.open("r+b") as file:
            for _ in range(trial.dice.choice([1, 8, 64])):
                place = trial.dice.randrange(size)
                file.seek(place)
                [byte] = file.read(1)
                file.seek(place)
                file.write(bytes([byte ^ 1 << trial.dice.randrange(8)]))

    return hurt


def _side_gone(pattern: str) -> Callable[[Scene, Trial], None]:
    def hurt(scene: Scene, _trial: Trial) -> None:
        for path in [scene.side] if pattern == "." else list(scene.side.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    return hurt


CASES: dict[str, Case] = {
    "moved away": Case(_away, ends=True, mend=_back),
    "replaced by another": Case(_replaced, ends=True, is_asked=False),
    "removed": Case(_gone(""), ends=True),
    "moved away with its -wal": Case(_all_away, ends=True, is_asked=False),
    "removed with its -wal": Case(_gone("", "-wal", "-shm"), ends=True),
    "-wal removed": Case(_gone("-wal"), ends=True),
    "-shm removed": Case(_gone("-shm"), ends=True),
    "cut to 0": Case(_cut(0), ends=None),
    "cut to 5,000 bytes": Case(_cut(5000), ends=None),
    "cut by a page": Case(_cut(-4096), ends=None),
    "bits flipped": Case(_flipped(""), ends=None),
    "bits of -wal flipped": Case(_flipped("-wal"), ends=None),
    "bits of -shm flipped": Case(_flipped("-shm"), ends=None),
    "side folder removed": Case(_side_gone("."), ends=False, is_asked=False, size=100_000),
    "bells removed": Case(_side_gone("bell.*"), ends=False),
    "gate removed": Case(_side_gone("gate*"), ends=False),
    "housekeeper removed": Case(_side_gone("housekeeper"), ends=False),
    "locks removed": Case(_side_gone("locks/*"), ends=False, is_asked=False),
    "locks removed under two groups": Case(
        _side_gone("locks/*"), ends=False, groups=2, work_s=2.5, is_asked=False
    ),
    "spool removed": Case(_side_gone("spool"), ends=False, is_asked=False, size=100_000),
    "messages removed": Case(_side_gone("spool/*"), ends=False, is_asked=False, size=100_000),
    "logs removed": Case(_side_gone("logs"), ends=False, is_asked=False),
}
DRILL = Drill(
    level="L8", says="job file and side files removed, replaced, cut, flipped", run=_run, short_s=1, long_s=1
)
