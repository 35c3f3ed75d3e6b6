"""L8: jobs leave trees of processes that do not want to end; none may outlive its attempt, and nobody else is hurt."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from jobrun import procs
from jobrun.model import Kind, NewJob, Outcome, Surroundings
from jobrun.store import Store, open_store
from tests.chaos.scene import ROOT, Group, Scene
from tests.chaos.trial import CannotTry, Drill, Trial
from tests.process.site import is_alive, kill

LIMIT_S = 0.4
GRACE_S = 0.3  # as the scene starts its groups
LONGEST_S = GRACE_S + 2.0  # from the end of its time to that of all its processes
NOISE_S = 8.0  # of a machine that does much else
AT_A_TIME = 6
FEW_PIDS = 500  # the kernel gives those above 300 again and again
_EVERY = 3  # round that is tried with few pids
_INSIDE = "JOBRUN_DRILL_HAS_FEW_PIDS"
_PID_MAX = Path("/proc/sys/kernel/pid_max")
_KINDS = (Kind.CALL, Kind.SHELL, Kind.COMMAND)


def _run(trial: Trial) -> None:
    if trial.seed % _EVERY or _INSIDE in os.environ:
        _fell_trees(trial)
    else:
        _with_few_pids(trial)


class _Wood:
    """The trees that were planted, and what became of them."""

    def __init__(self, trial: Trial, scene: Scene, store: Store) -> None:
        self._trial = trial
        self._scene = scene
        self._store = store
        self._cancelled: set[int] = set()
        self._ended: set[int] = set()
        self._planted: set[int] = set()

    @property
    def growing(self) -> set[int]:
        return self._planted - self._ended

    def plant(self) -> None:
        """Enqueue a job that grows a tree, and will be stopped by its time limit or by a person."""
        dice = self._trial.dice
        kind, seed = dice.choice(_KINDS), dice.randrange(10**9)
        is_cancelled = dice.random() < 0.15
        [added] = self._store.intake.add(
            [self._job(kind, seed, None if is_cancelled else LIMIT_S)], now=datetime.now(UTC)
        )
        self._planted.add(added.id)
        if is_cancelled:
            self._cancelled.add(added.id)

    def cancel(self) -> None:
        """Cancel whatever is to be cancelled and has grown."""
        grown = self.processes()
        for job_id in self._cancelled & self.growing & grown.keys():
            with contextlib.suppress(Exception):  # it may have ended by itself
                self._store.orders.cancel(job_id, now=datetime.now(UTC))

    def look(self, *, is_shutdown: bool = False) -> None:
        """Judge each job that has ended since the last look."""
        for job_id in sorted(self.growing):
            job = self._store.ledger.get(job_id)
            if job is None or not job.state.is_final:
                continue
            self._ended.add(job_id)
            left = [pid for pid, ticks in self.processes()[job_id] if _lives(pid, ticks)]
            attempt = self._store.ledger.attempts(job_id)[-1]
            what = f"job {job_id} ({job.kind} {' '.join(map(str, job.args))})"
            if left:
                self._trial.fault(f"{what} has ended, and {len(left)} of its processes live: {left[:5]}")
            wanted = Outcome.CANCELLED if job_id in self._cancelled else Outcome.TIMEOUT
            if attempt.ending.outcome is not wanted and not is_shutdown:
                self._trial.fault(f"{what} ended as {attempt.ending.outcome}: {attempt.ending.cause}")
            if attempt.ending.outcome is Outcome.TIMEOUT:
                took_s = (attempt.finished_at - attempt.started_at).total_seconds()
                if took_s > LIMIT_S + LONGEST_S + NOISE_S:
                    self._trial.fault(f"{what}: its tree was gone after {took_s:.1f} s only")
                self._trial.count("time-outs")
            elif attempt.ending.outcome is Outcome.CANCELLED:
                self._trial.count("cancels")

    def processes(self) -> defaultdict[int, list[tuple[int, int]]]:
        """Return pids and starts of all processes that noted themselves, by their job."""
        found: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        with contextlib.suppress(FileNotFoundError):
            for line in Path(f"{self._scene.papers.effects}.trees").read_text().splitlines():
                pid, ticks, job, _token = line.split()
                found[int(job)].append((int(pid), int(ticks)))
        return found

    def _job(self, kind: Kind, seed: int, timeout_s: float | None) -> NewJob:
        program = [sys.executable, "-S", "-E", str(self._scene.tasks / "chaostrees.py"), str(seed)]
        around = Surroundings(cwd=str(self._scene.folder), umask=0o077, environment=self._scene.environment())
        if kind is Kind.CALL:
            return NewJob(kind=kind, task="chaostrees:grow", args=(seed,), timeout_s=timeout_s)
        if kind is Kind.COMMAND:
            return NewJob(
                kind=kind,
                task="chaostrees",
                args=tuple(program),
                timeout_s=timeout_s,
                surroundings=around,
            )
        words = " ".join(map(_quoted, program))
        lines = (f"{words}", f"{words} & wait", f"trap '' TERM; sleep 600 & {words}; sleep 600")
        return NewJob(kind=kind, task=lines[seed % 3], timeout_s=timeout_s, surroundings=around)


def _fell_trees(trial: Trial) -> None:
    scene = Scene(trial)
    with open_store(scene.path, create=True) as store, _bystanders(scene) as bystanders:
        try:
            wood = _Wood(trial, scene, store)
            group = scene.start(n=2 if _INSIDE in os.environ else 3)
            while not trial.is_over or wood.growing:
                while not trial.is_over and len(wood.growing) < AT_A_TIME:
                    wood.plant()
                wood.cancel()
                wood.look()
                if trial.is_over and time.monotonic() - trial.begun > trial.seconds + 60:
                    trial.fault(f"{len(wood.growing)} jobs did not end: {group.errors}")
                    break
                time.sleep(0.02)
            _shut_down(trial, scene, wood, group)
            trial.count("processes", sum(map(len, wood.processes().values())))
            for line in bystanders():
                trial.fault(line)
        finally:
            scene.close()


def _shut_down(trial: Trial, scene: Scene, wood: _Wood, group: Group) -> None:
    """End a group in a hurry while trees grow."""
    before = len(wood.processes())
    for _ in range(3):
        wood.plant()
    end = time.monotonic() + LIMIT_S
    while len(wood.processes()) == before and time.monotonic() < end:
        time.sleep(0.01)
    kill(group.pid, signal.SIGTERM)
    while "stopping" not in group.log() and group.is_up:
        time.sleep(0.01)
    if group.stop() is None:
        trial.fault(f"a group did not end: {group.errors}")
    wood.look(is_shutdown=True)
    left = [pid for tree in wood.processes().values() for pid, ticks in tree if _lives(pid, ticks)]
    marked = set(procs.carriers(f"JOBRUN_DB={scene.path}", Path("/nonexistent"))) - {os.getpid()}
    if left or marked:
        trial.fault(f"the group has ended, and of its jobs live {left[:5]}, marked {sorted(marked)[:5]}")
    trial.count("shutdowns")


@contextlib.contextmanager
def _bystanders(scene: Scene) -> Iterator[Callable[[], list[str]]]:
    """Run strangers with the names of those in the trees; yields what tells what was done to them."""
    notes = scene.folder / "strangers"
    commands = [
        ["/bin/sleep", "600.0"],
        [sys.executable, "-S", "-E", str(scene.tasks / "strangers.py"), str(notes)],
    ]
    running = [
        subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=is_alone)
        for words in commands
        for is_alone in (True, False)
    ]

    def hurt() -> list[str]:
        scene.trial.count("bystanders", len(running))
        ended = [process.args for process in running if process.poll() is not None]
        heard = notes.read_text().splitlines() if notes.exists() else []
        return [*(f"a bystander was killed: {words!r}" for words in ended), *heard[:5]]

    try:
        yield hurt
    finally:
        for process in running:
            process.kill()
            process.wait()


def _with_few_pids(trial: Trial) -> None:
    """Run the same round where pids are given again within a second: in a namespace that has few of them."""
    outer = _PID_MAX.read_text()
    if os.geteuid() != 0 or _kernel() < (6, 14):
        raise CannotTry("needs root, and a kernel that counts the pids of each namespace (6.14)")
    inner = trial.folder / "inner"
    inner.mkdir()
    line = f'echo {FEW_PIDS} > {_PID_MAX}; "$@"; exit $?'
    words = [
        sys.executable,
        "-m",
        "tests.chaos.rounds",
        "trees",
        str(trial.seed),
        str(trial.seconds),
        str(inner),
    ]
    done = subprocess.run(
        ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", line, "sh", *words],
        cwd=ROOT,
        env={**os.environ, _INSIDE: "1"},
        check=False,
        timeout=trial.seconds + 100,
    )
    if _PID_MAX.read_text() != outer:
        trial.fault(
            f"the pids of this machine were changed: {outer.strip()} to {_PID_MAX.read_text().strip()}"
        )
    said = inner / "found.json"
    if not said.exists():
        trial.fault(f"the round with few pids failed with {done.returncode}, see {trial.folder}/drill.log")
        return
    found = json.loads(said.read_text())
    trial.counts.update(found["counts"])
    trial.faults.extend(f"with few pids: {fault}" for fault in found["faults"])
    trial.count("rounds with few pids")


def _kernel() -> tuple[int, ...]:
    return tuple(map(int, os.uname().release.split("-")[0].split(".")[:2]))


def _lives(pid: int, ticks: int) -> bool:
    return procs.start_ticks(pid) == ticks and is_alive(pid)


def _quoted(word: str) -> str:
    return f"'{word}'"


DRILL = Drill(
    level="L8",
    says="jobs leave trees of processes that do not want to end",
    run=_run,
    short_s=4.0,
)
