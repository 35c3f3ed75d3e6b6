"""A round runs as a process of its own, so that nothing of it can hang, leak or outlive the run."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from jobrun import procs
from tests.chaos.drills import DRILLS
from tests.chaos.trial import MARK, CannotTry, Trial

ROOT = Path(__file__).resolve().parents[2]
_NO_FILE = Path("/nonexistent")
_EXTRA_S = 300.0  # for what a round finishes and judges after its time
_END_S = 10.0  # for the death of what was left
_LOOK_S = 0.1  # between looks whether it is to be stopped


@dataclass(frozen=True, slots=True)
class Found:
    """What one round found."""

    drill: str
    seed: int
    seconds: float  # how long it was to go on
    took_s: float
    counts: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    cannot: str | None = None  # why it could not be tried here
    is_stopped: bool = False  # before its end, so that it says nothing
    folder: Path | None = None  # kept, for a look, if something did not hold

    @property
    def replay(self) -> str:
        usual = self.seconds == DRILLS[self.drill].long_s
        how_long = "" if usual else f" --seconds {self.seconds:g}"
        return f"./install.sh chaos {self.drill} --seed {self.seed} --rounds 1{how_long}"


def run(name: str, seed: int, seconds: float, stop: Event | None = None) -> Found:
    """Run one round of a drill, until `stop` is set at most, and end what it left behind."""
    folder = Path(tempfile.mkdtemp(prefix=f"jobrun-{name}-{seed}-", dir=_ground()))
    begun = time.monotonic()
    child = _start(name, seed, seconds, folder)
    is_stopped = False
    faults = []
    try:
        if not (is_stopped := _wait(child, seconds + _EXTRA_S, stop or Event())) and child.returncode is None:
            faults.append(f"hangs: not over after {seconds + _EXTRA_S:.0f} s")
    finally:
        child.kill()
        child.wait()
    said = _said(folder)
    if said is None and not faults:
        faults.append(f"the drill itself failed, see {folder}/drill.log: {_last_line(folder / 'drill.log')}")
    if left := _end(folder):
        faults.append(f"{left} processes were left")
    said = said or {}
    found = Found(
        drill=name,
        seed=seed,
        seconds=seconds,
        took_s=time.monotonic() - begun,
        counts=said.get("counts", {}),
        faults=[] if is_stopped else [*said.get("faults", []), *faults],
        cannot=said.get("cannot"),
        is_stopped=is_stopped,
        folder=folder,
    )
    if not found.faults:
        shutil.rmtree(folder, ignore_errors=True)
    return found


def _start(name: str, seed: int, seconds: float, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.chaos.rounds", name, str(seed), str(seconds), str(folder)]
    with (folder / "drill.log").open("wb") as log:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, MARK: str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _wait(child: subprocess.Popen[bytes], limit_s: float, stop: Event) -> bool:
    """Wait for the end of a round, for a while; say whether it was to be stopped before."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_LOOK_S)
            return False
        if stop.is_set():
            return True
    return False


def _ground() -> str:
    """Return where rounds work: on a disk, since a file system in memory syncs nothing."""
    return os.environ.get("TMPDIR", "/var/tmp")


def _said(folder: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads((folder / "found.json").read_text()))
    except FileNotFoundError:
        return None


def _last_line(path: Path) -> str:
    return ([line for line in path.read_text(errors="replace").splitlines() if line.strip()] or [""])[-1][
        :300
    ]


def _end(folder: Path) -> int:
    """Kill what a round left running, and return how many there were."""
    found: set[int] = set()
    end = time.monotonic() + _END_S
    while (left := procs.carriers(f"{MARK}={folder}", _NO_FILE)) and time.monotonic() < end:
        found.update(left)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_LOOK_S / 10)
    return len(found)


def _main(name: str, seed: str, seconds: str, folder: str) -> None:
    """Be the process of a round."""
    os.umask(0o077)
    trial = Trial(seed=int(seed), folder=Path(folder), seconds=float(seconds))
    cannot = None
    try:
        DRILLS[name].run(trial)
    except CannotTry as reason:
        cannot = str(reason)
    said = {"counts": trial.counts, "faults": trial.faults, "cannot": cannot}
    (trial.folder / "found.json").write_text(json.dumps(said))


if __name__ == "__main__":
    _main(*sys.argv[1:])
