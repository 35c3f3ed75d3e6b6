"""L9: the wall clock is set, by a second or by half a century, under a group that serves a table.

Only the wall clock is another: what is preloaded into the processes of the group adds to it what a file says
(`wallclock.c`). CLOCK_MONOTONIC, CLOCK_BOOTTIME and the times of files stay what they are.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jobrun.model import Job, Kind, NewJob, State
from jobrun.store import Store, open_store
from tests.chaos.ledger import write
from tests.chaos.scene import Group, Scene
from tests.chaos.trial import Drill, Trial
from tests.chaos.wallclock import WallClock, clock_of
from tests.process.site import children_of

TABLE = """
[jobs.minutely]
call = "chaosclock:tells"
schedule = "* * * * *"
timezone = "UTC"
overlap = "allow"

[jobs.often]
call = "chaosclock:tells"
every = "5s"
overlap = "allow"
catchup = "none"
"""
LIMIT_S = 3.0
BACKOFF_S = 3.0
LATE_S = 1.0  # that a job, a tick or a limit may be late
NOISE_S = 8.0  # of a machine that does much else
WAIT_S = 45.0
AT_REST = 0.05  # of a core
LOOK_S = 2.0  # for how long it is measured
SOON = 50  # second from which on the next full minute is waited for
STEP_S = 2.0  # what is less is not called a step
_SPANS_S = (1, 60, 3600, 86400, 365 * 86400)
_MOMENTS = (datetime(2038, 1, 19, 3, 13, 57, tzinfo=UTC), datetime(1970, 1, 1, 0, 0, 57, tzinfo=UTC))


def _run(trial: Trial) -> None:
    scene = Scene(trial)
    clock = clock_of(trial)
    table = trial.folder / "jobs.toml"
    table.write_text(TABLE)
    table.chmod(0o600)
    try:
        with open_store(scene.path, create=True) as store:
            is_behind = trial.seed % 3 == 0
            if is_behind:
                _ask(scene, store, clock, "chaosclock:tells")
                clock.set(_MOMENTS[1] - datetime.now(UTC))
            words = scene.words(
                "worker", "-n", "3", "--cron", str(table), "--path", str(scene.tasks), "--grace", "0.3s"
            )
            group = scene.launch([*clock.preload, *words])
            _until("the group works", lambda: len(group.workers()) == 3)
            if is_behind:
                _is_set_late(scene, store, clock, group)
            _step(scene, store, clock, group)
            while not trial.is_over:
                _step(scene, store, clock, group)
            _judge(scene)
            if group.stop() != 0:
                trial.fault(f"the group did not end well: {group.errors}")
            _ask(scene, store, clock, "chaosclock:tells", at=datetime.now(UTC))
        scene.finish("--keep", "forever")  # what ended by a clock of 1970 is half a century old now
        scene.verdict()
    finally:
        scene.close()


def _step(scene: Scene, store: Store, clock: WallClock, group: Group) -> None:
    """Set the clock under jobs of all kinds that know the time, and see what becomes of them."""
    trial = scene.trial
    target = _target(trial, clock)
    step_s = (target - clock.now()).total_seconds()
    hangs = _ask(scene, store, clock, "chaosclock:works", (600.0,), timeout_s=LIMIT_S)
    works = _ask(scene, store, clock, "chaosclock:works", (1.5,), timeout_s=30.0)
    retried = _ask(scene, store, clock, "chaosclock:fails_once", retries=1, backoff_s=BACKOFF_S)
    eta = target + timedelta(seconds=1)
    timed = [_ask(scene, store, clock, "chaosclock:tells", run_at=eta)] if step_s > 1 else []
    _until("jobs have begun", lambda: {hangs, works, retried} <= _told(scene).keys())
    _until("one has failed", lambda: _has_failed_once(store, retried))
    logged = _lines(group)
    _set(scene, store, clock, target)
    stepped_at = time.monotonic()
    if step_s <= 1:
        eta = clock.now() + timedelta(seconds=1)
        timed = [_ask(scene, store, clock, "chaosclock:tells", run_at=eta)]
    what = f"a step of {step_s:+.0f} s to {target:%F %T}"
    wanted = {hangs: State.FAILED, works: State.SUCCEEDED, retried: State.SUCCEEDED}
    wanted |= dict.fromkeys(timed, State.SUCCEEDED)
    ended = _ends(scene, store, wanted, what)
    for job_id in timed:
        wall, moment = _told(scene)[job_id][0]
        if wall < eta.timestamp() - 0.001:
            trial.fault(f"job {job_id} began {eta.timestamp() - wall:.3f} s before its time, after {what}")
        if moment - stepped_at > 1 + LATE_S + NOISE_S:
            trial.fault(f"job {job_id} began {moment - stepped_at - 1:.1f} s late, after {what}")
    lived_s = ended[hangs] - _told(scene)[hangs][0][1]
    if not LIMIT_S - 0.2 <= lived_s <= LIMIT_S + LATE_S + NOISE_S:
        trial.fault(f"a limit of {LIMIT_S} s was kept after {lived_s:.1f} s, after {what}")
    _is_at_rest(scene, group, what)
    if target.second >= SOON:
        _until(f"a tick is decided after {what}", lambda: _is_served(store, target))
    _says_so_once(scene, group, logged, is_step=abs(step_s) > STEP_S, what=what)
    trial.count("steps")


def _set(scene: Scene, store: Store, clock: WallClock, target: datetime) -> None:
    """Set the clock, or have a job set it."""
    if scene.trial.dice.random() < 0.5:
        clock.set(clock.offset + (target - clock.now()))
        return
    offset = clock.offset + (target - clock.now())
    sets = _ask(scene, store, clock, "chaosclock:sets", (offset // timedelta(microseconds=1) * 1000,))
    _until("a job sets the clock", lambda: _job(store, sets).state.is_final)
    clock.offset = offset
    scene.trial.count("steps by a job")


def _is_set_late(scene: Scene, store: Store, clock: WallClock, group: Group) -> None:
    """Begin with a clock that nobody has set since the boot, and set it."""
    trial = scene.trial
    _until("the clock is found behind", lambda: "no tick is served" in group.log())
    time.sleep(2 * LOOK_S)
    if store.ticks.of("often", limit=1):
        trial.fault("a tick was served by a clock that was not set yet")
    clock.set(timedelta())
    _until("ticks are served once it is set", lambda: bool(store.ticks.of("often", limit=1)))
    if store.ticks.of("minutely", limit=10) and min(
        tick.at for tick in store.ticks.of("minutely", limit=10)
    ) < datetime(2000, 1, 1, tzinfo=UTC):
        trial.fault("ticks of a time in which nobody lived were decided")
    trial.count("late clocks")


def _target(trial: Trial, clock: WallClock) -> datetime:
    """Draw to what the clock is set: somewhere else, right before a full minute; or back to the truth."""
    kind = trial.dice.randrange(8)
    if kind == 0:
        return trial.dice.choice(_MOMENTS)
    if kind == 1:
        return datetime.now(UTC)
    span = timedelta(seconds=trial.dice.choice(_SPANS_S) * trial.dice.choice((-1, 1)))
    target = max(clock.now() + span, _MOMENTS[1])
    return target.replace(second=57) if abs(span.total_seconds()) > STEP_S else target


def _ask(
    scene: Scene,
    store: Store,
    clock: WallClock,
    task: str,
    args: tuple[object, ...] = (),
    *,
    at: datetime | None = None,
    **options: object,
) -> int:
    new = NewJob(kind=Kind.CALL, task=task, args=args, **options)  # type: ignore[arg-type]
    [added] = store.intake.add([new], now=at or clock.now())
    write(scene.papers.acknowledged, [added.id])
    scene.trial.count("jobs")
    return added.id


def _ends(scene: Scene, store: Store, wanted: dict[int, State], what: str) -> dict[int, float]:
    """Wait for the ends of jobs, note those that are others than wanted, and return when they came."""
    ended: dict[int, float] = {}

    def look() -> bool:
        for job_id in wanted.keys() - ended.keys():
            if _job(store, job_id).state.is_final:
                ended[job_id] = time.monotonic()
        return len(ended) == len(wanted)

    _until(f"jobs {list(wanted)} have ended after {what}", look)
    for job_id, state in wanted.items():
        if (job := _job(store, job_id)).state is not state:
            scene.trial.fault(f"job {job_id}, {job.task}, is {job.state} after {what}: {job.reason}")
    return ended


def _is_at_rest(scene: Scene, group: Group, what: str) -> None:
    """Measure what the group uses when nothing is to be done; the best of a few looks counts."""
    _until("nothing is to be done", lambda: scene.live() == 0)
    used = []
    for _ in range(4):
        before = _cpu_s(group)
        time.sleep(LOOK_S)
        used.append((_cpu_s(group) - before) / LOOK_S)
        if used[-1] < AT_REST:
            return
    scene.trial.fault(f"at rest the group uses {min(used):.0%} of a core after {what}")


def _is_served(store: Store, target: datetime) -> bool:
    """Say whether the full minute after a step was decided, in whatever way."""
    minute = target.replace(second=0, microsecond=0) + timedelta(minutes=1)
    told = store.ticks.told("minutely", minute - timedelta(seconds=1), minute + timedelta(days=1))
    return bool(told)


def _says_so_once(scene: Scene, group: Group, before: list[str], *, is_step: bool, what: str) -> None:
    said = [line for line in _lines(group)[len(before) :] if "the clock was set" in line]
    for who in ("dispatcher", "scheduler"):
        count = sum(f" {who}: " in line for line in said)
        if count != is_step:
            scene.trial.fault(f"the {who} spoke {count} times of {what}: {said}")


def _judge(scene: Scene) -> None:
    """No tick has two jobs, and what was missed came in no burst."""
    twice = scene.rows(
        "SELECT entry, scheduled_for, count(*) FROM jobs WHERE entry IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1"
    )
    if twice:
        scene.trial.fault(f"ticks that have two jobs: {twice[:5]}")
    made = scene.rows("SELECT count(*) FROM jobs WHERE entry = 'minutely'")[0][0]
    most = 3 * (scene.trial.counts["steps"] + 1) + (time.monotonic() - scene.trial.begun) / 60 + 1
    if made > most:
        scene.trial.fault(f"{made} jobs of an entry that was due {most:.0f} times at most")
    scene.trial.count("ticks that ran", len(scene.rows("SELECT 1 FROM ticks WHERE state = 'ran'")))


def _told(scene: Scene) -> dict[int, list[tuple[float, float]]]:
    """Return by which wall and monotonic clock each job began, each time."""
    found: dict[int, list[tuple[float, float]]] = {}
    with contextlib.suppress(FileNotFoundError):
        for line in Path(f"{scene.papers.effects}.clock").read_text().splitlines():
            job, wall, moment = line.split()
            found.setdefault(int(job), []).append((float(wall), float(moment)))
    return found


def _has_failed_once(store: Store, job_id: int) -> bool:
    return bool(store.ledger.attempts(job_id))


def _job(store: Store, job_id: int) -> Job:
    job = store.ledger.get(job_id)
    assert job is not None
    return job


def _lines(group: Group) -> list[str]:
    return group.log().splitlines()


def _cpu_s(group: Group) -> float:
    """Return what the processes of a group have used until now."""
    ticks = 0
    for pid in [group.pid, *children_of(group.pid)]:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _until(what: str, look: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not look():
        assert time.monotonic() < end, f"not so after {WAIT_S:.0f} s: {what}"
        time.sleep(0.02)


DRILL = Drill(
    level="L9",
    says="the clock is set, by a second or by half a century",
    run=_run,
    short_s=1.0,
    long_s=60.0,
    share=2.0,
)
