"""L8, L9: what is stopped is not dead. Nothing that lives is started again, however long it says nothing."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jobrun.lifecycle import settle
from jobrun.model import Ending, Job, Kind, NewJob, OnCrash, Outcome, State, Surroundings
from jobrun.store import Store, open_store
from tests.chaos.judge import doubled
from tests.chaos.ledger import write
from tests.chaos.scene import Group, Scene
from tests.chaos.trial import Drill, Trial
from tests.process.site import children_of, kill

WAIT_S = 60.0  # for what takes a second at most, on a loaded machine
LIMIT_S = 2.5  # of jobs that need less, but not less than they may be stopped for
_POLLS = ("7", "219")  # poll, begun or gone on with, in /proc/PID/syscall, where that is to be seen (x86-64)


def _run(trial: Trial) -> None:
    case = _CASES[trial.seed % len(_CASES)]
    scene = Scene(trial)
    try:
        with open_store(scene.path, create=True) as store:
            case(scene, store)
            for group in scene.groups:
                if group.is_up and group.stop() is None:
                    trial.fault(f"a group did not end: {group.errors}")
            _ask(scene, store, 0.0)  # the last group has something to do
        scene.finish()
        trial.count("doubled", doubled(scene.verdict()))
        overlaps = Path(f"{scene.papers.effects}.overlaps")
        if overlaps.exists():
            trial.fault(f"two attempts of one job overlapped: {overlaps.read_text().split(chr(10))[:3]}")
    finally:
        for group in scene.groups:
            _send(_tree_of(group.pid), signal.SIGCONT)
        scene.close()


def _some_are_stopped(scene: Scene, store: Store) -> None:
    """Stop any of a group's processes for a while, again and again; another group works on meanwhile."""
    trial = scene.trial
    group, _other = scene.start(n=2), scene.start(n=2)
    while not trial.is_over:
        for _ in range(trial.dice.randint(1, 5)):
            _ask(scene, store, 0.3)
        time.sleep(trial.dice.uniform(0.05, 0.4))
        victims = _victims(trial, group)
        with _stopped(victims):
            time.sleep(_spell_s(trial))
        trial.count("freezes")
    _all_went_well(scene)


def _all_are_stopped(scene: Scene, store: Store) -> None:
    """Stop a whole group, jobs and all, for longer than their time limit: none of them has had that time."""
    trial = scene.trial
    group = scene.start(n=3)
    while not trial.is_over:
        ids = [_ask(scene, store, 1.0, timeout_s=LIMIT_S) for _ in range(3)]
        _until(scene, f"all of {ids} have begun", lambda: _began(scene, ids))  # noqa: B023 -- it is called here
        dispatcher = group.dispatcher()
        with _stopped(_tree_of(group.pid)):
            slept = dispatcher is not None and _is_asleep(dispatcher)
            time.sleep(LIMIT_S + 1.0 + (0.0 if trial.seconds < 10 else _spell_s(trial)))
        trial.count("freezes")
        _until(scene, f"all of {ids} have ended", lambda: _ended(store, ids))  # noqa: B023
        trial.count("limits that a freeze outlasted", len(ids) if slept else 0)
        for job_id in ids if slept else []:
            job = store.ledger.get(job_id)
            if job is not None and job.state is not State.SUCCEEDED:
                trial.fault(f"a healthy job was ended as its group woke: {job.id} {job.kind} {job.state}")


def _worker_is_killed(scene: Scene, store: Store) -> None:
    """Kill the worker, or all of the group, under a command that is stopped or hears nothing of TERM."""
    trial = scene.trial
    while not trial.is_over:
        group = scene.start(n=1)
        job_id = _ask(scene, store, 0.1, times_ended=1, kind=trial.dice.choice((Kind.SHELL, Kind.COMMAND)))
        _until(scene, f"job {job_id} has begun", lambda: _began(scene, [job_id]))  # noqa: B023
        own = {group.pid, *children_of(group.pid)}
        tree = set(_tree_of(group.pid)) - own
        if trial.dice.random() < 0.5:
            _send(tree, signal.SIGSTOP)
        is_whole = trial.dice.random() < 0.5
        victims = own if is_whole else set(group.workers())
        _send(victims, signal.SIGSTOP)
        _send(victims, signal.SIGKILL)
        trial.count("kills over a living command", len(victims))
        if is_whole:
            group.process.wait()
            scene.start(n=1)
        _until(scene, f"job {job_id} has ended", lambda: _ended(store, [job_id]))  # noqa: B023
        outcomes = [attempt.ending.outcome for attempt in store.ledger.attempts(job_id)]
        if outcomes != [Outcome.CRASHED, Outcome.OK]:
            trial.fault(f"job {job_id} ended as {outcomes}")
        for each in scene.groups:
            if each.is_up:
                each.stop()


def _late_word(scene: Scene, store: Store) -> None:
    """Settle an attempt, and let another group run the next, while the dispatcher that knows its end is stopped."""
    trial = scene.trial
    while not trial.is_over:
        group = scene.start(n=1)
        job_id = _ask(scene, store, 0.4, kind=Kind.CALL)
        _until(scene, f"job {job_id} has begun", lambda: _began(scene, [job_id]))  # noqa: B023
        dispatcher = group.dispatcher()
        assert dispatcher is not None
        with _stopped([dispatcher]):
            _until(scene, f"job {job_id} has done its work", lambda: _effects(scene, "E", job_id) == 1)  # noqa: B023
            job = store.ledger.get(job_id)
            if job is None or job.state is not State.RUNNING:
                continue  # it was quicker
            _settle_as_crashed(store, job)
            other = scene.start(n=1)
            _until(scene, f"job {job_id} has ended elsewhere", lambda: _ended(store, [job_id]))  # noqa: B023
            before = store.ledger.get(job_id)
        _until(scene, "a late word is logged", lambda: "came too late" in group.log())  # noqa: B023
        if store.ledger.get(job_id) != before:
            trial.fault(f"a late word has changed job {job_id}: {before}, {store.ledger.get(job_id)}")
        outcomes = [attempt.ending.outcome for attempt in store.ledger.attempts(job_id)]
        if outcomes != [Outcome.CRASHED, Outcome.OK]:
            trial.fault(f"job {job_id} ended as {outcomes}")
        trial.count("late words")
        for each in (group, other):
            each.stop()


_CASES: tuple[Callable[[Scene, Store], None], ...] = (
    _some_are_stopped,
    _all_are_stopped,
    _worker_is_killed,
    _late_word,
)


def _ask(
    scene: Scene,
    store: Store,
    seconds: float,
    *,
    times_ended: int = 0,
    timeout_s: float | None = None,
    kind: Kind | None = None,
) -> int:
    """Add a job that holds its lock for a while, of any kind, and acknowledge it."""
    kind = kind or scene.trial.dice.choice(tuple(Kind))
    program = [
        sys.executable,
        "-S",
        "-E",
        str(scene.tasks / "chaosfreeze.py"),
        str(seconds),
        str(times_ended),
    ]
    task = " ".join(f"'{word}'" for word in program)
    args: tuple[Any, ...] = ()
    around: Surroundings | None = Surroundings(
        cwd=str(scene.folder), umask=0o077, environment=scene.environment()
    )
    if kind is Kind.CALL:
        task, args, around = "chaosfreeze:holds", (seconds, times_ended), None
    elif kind is Kind.COMMAND:
        args = tuple(program)
    new = NewJob(
        kind=kind,
        task=task,
        args=args,
        surroundings=around,
        timeout_s=timeout_s,
        retries=1 if times_ended or timeout_s is None else 0,
        backoff_s=0.0,
        on_crash=OnCrash.RETRY,
    )
    [added] = store.intake.add([new], now=datetime.now(UTC))
    write(scene.papers.acknowledged, [added.id])
    scene.trial.count("jobs")
    return added.id


def _settle_as_crashed(store: Store, job: Job) -> None:
    """Do what a recovery would do that took silence for death."""
    now = datetime.now(UTC)
    ending = Ending(outcome=Outcome.CRASHED, cause="taken for dead")
    assert store.endings.settle(job, ending, settle(job, ending, now, 0.0), now=now, pid=None)


def _all_went_well(scene: Scene) -> None:
    """Note every attempt that was ended by something else than itself: all of them were healthy."""
    _until(scene, "all jobs have ended", lambda: scene.live() == 0)
    rows = scene.rows("SELECT job_id, number FROM attempts WHERE outcome != 'ok'")
    if rows:
        scene.trial.fault(f"healthy attempts were ended: {rows[:5]}")


def _victims(trial: Trial, group: Group) -> list[int]:
    """Draw who is stopped: one of the offices, a worker, jobs alone, any, or all."""
    own, tree = group.pids(), _tree_of(group.pid)
    jobs = sorted(set(tree) - set(own))
    choices: Sequence[Sequence[int]] = [
        [group.pid],
        [pid for pid in [group.dispatcher()] if pid is not None],
        group.workers(),
        group.workers()[:1],
        jobs,
        [pid for pid in tree if trial.dice.random() < 0.5],
        tree,
    ]
    return list(trial.dice.choice([chosen for chosen in choices if chosen]))


def _spell_s(trial: Trial) -> float:
    if trial.seconds < 10:
        return trial.dice.uniform(0.5, 2.0)
    return trial.dice.choice(
        (trial.dice.uniform(1, 3), trial.dice.uniform(3, 20), trial.dice.uniform(20, 70))
    )


@contextlib.contextmanager
def _stopped(pids: Sequence[int]) -> Iterator[None]:
    _send(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        _send(pids, signal.SIGCONT)


def _send(pids: Iterable[int], signum: signal.Signals) -> None:
    for pid in pids:
        kill(pid, signum)


def _tree_of(pid: int) -> list[int]:
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        waiting += children_of(found[-1])
    return found


def _is_asleep(pid: int) -> bool:
    """Say whether a process was stopped in its sleep, as far as one can see."""
    end = time.monotonic() + 1.0
    with contextlib.suppress(OSError):
        while time.monotonic() < end:
            if (syscall := Path(f"/proc/{pid}/syscall").read_text().split()[0]) != "running":
                return syscall in _POLLS
    return False


def _effects(scene: Scene, what: str, job_id: int) -> int:
    try:
        lines = scene.papers.effects.read_text().splitlines()
    except FileNotFoundError:
        return 0
    return sum(line.startswith(f"{what} {job_id} ") for line in lines)


def _began(scene: Scene, ids: Sequence[int]) -> bool:
    return all(_effects(scene, "S", job_id) for job_id in ids)


def _ended(store: Store, ids: Sequence[int]) -> bool:
    return all((job := store.ledger.get(job_id)) is not None and job.state.is_final for job_id in ids)


def _until(scene: Scene, what: str, look: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not look():
        if time.monotonic() > end:
            logs = [str(group.errors) for group in scene.groups]
            raise AssertionError(f"not so after {WAIT_S:.0f} s: {what}; {logs}")
        time.sleep(0.01)


DRILL = Drill(
    level="L8 L9",
    says="processes are stopped and go on, while others work",
    run=_run,
    short_s=2.0,
    long_s=60.0,
    share=2.0,
)
