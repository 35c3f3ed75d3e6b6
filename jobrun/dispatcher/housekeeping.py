"""What one dispatcher per job file does for all: settle lost attempts, forget the old, empty the WAL, sweep."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Iterable
from functools import partial
from pathlib import Path

from jobrun.dispatcher import verdict
from jobrun.dispatcher.ballast import cut_wal
from jobrun.dispatcher.ends import end_attempts, expire
from jobrun.dispatcher.recovery import Recovery
from jobrun.dispatcher.retention import Retention
from jobrun.dispatcher.seat import Seat
from jobrun.dispatcher.settings import World
from jobrun.errors import Busy, JobrunError, NoRoom
from jobrun.locks.roles import Role
from jobrun.log import Log
from jobrun.model import MAX_CRASHES, Job, WorkerRow
from jobrun.paths import side_dir
from jobrun.run.output import thin_out
from jobrun.steps import Steps
from jobrun.store import Store
from jobrun.store.creation import drafts
from jobrun.store.wal import is_filled
from jobrun.wire import shelf

EVERY_S = 2.0
WAL_LIMIT = 4 * 1024 * 1024  # bytes; it is emptied above this, and stays as long as it is
WAL_LARGEST = 4 * WAL_LIMIT  # it is cut off above this
WAL_REST_S = 60.0  # after the last write
WAL_EVERY_S = 0.05  # it is looked at; under load it grows by megabytes meanwhile
SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.25, 10.0  # between tries to empty a WAL that somebody reads
TIGHT_WAIT_S = 2.0  # while the disk has less room than the WAL: those who enqueue wait for it
STRAY_AGE_S = 86400.0  # a file nobody came for
AGELESS_S = 3600.0  # after the clock was set nobody can tell what is old; who set it wrong has time to notice


class Housekeeping:
    """The housekeeper's round; the others look each time whether the role has become free."""

    def __init__(
        self, store: Store, log: Log, world: World, keep_s: float | None, max_crashes: int = MAX_CRASHES
    ) -> None:
        self._store = store
        self._log = log
        self._world = world
        self._max_crashes = max_crashes
        self._retention = Retention(store, keep_s, partial(log.say, "file-grows"))
        self._side = side_dir(store.path)
        self._role = Role(self._side / "housekeeper")
        self._recovery = Recovery(self._side)
        self._steps = Steps(world.now, world.boottime)
        self._ageless_until = 0.0
        self._is_keeper = False
        self._next_at = 0.0
        self._checkpoint_at = 0.0
        self._checkpoint_wait_s = 0.0

    def do_round(self, seats: Iterable[Seat], *, monotonic: float) -> None:
        """Do what is due; the workers of this group look after themselves."""
        self._look_at_clock(monotonic)
        if self._is_keeper:
            self._keep_small(monotonic)
        elif monotonic < self._next_at:
            self._look_after_wal(monotonic)
        if monotonic < self._next_at:
            return
        begin = time.monotonic()
        self._next_at = monotonic + EVERY_S
        self._store.make_side_folders()  # somebody may have removed them
        self._thin_out(seats)
        self._is_keeper = self._role.try_to_take()
        if not self._is_keeper:
            return
        own = {seat.name for seat in seats}
        expire(self._store, now=self._world.now())
        self._settle_lost(own, monotonic)
        self._strike_off_dead(own)
        if monotonic >= self._ageless_until:
            self._sweep_strays()
        self._keep_small(monotonic)
        self._next_at = monotonic + max(EVERY_S, 2 * (time.monotonic() - begin))  # a slow one rests as long

    def _keep_small(self, monotonic: float) -> None:
        """Do what must keep pace with the load: it is little at a time, and others wait meanwhile."""
        if monotonic >= self._ageless_until:
            self._retention.do_round(now=self._world.now(), monotonic=monotonic)
        self._look_after_wal(monotonic)

    def _look_at_clock(self, monotonic: float) -> None:
        """Notice that the wall clock was set: nothing is old for a while, and no retry waits for the old time."""
        if step_s := self._steps.step_s():
            if step_s < 0 and self._is_keeper:
                self._store.queue.bring_forward(-step_s, now=self._world.now())
            self._ageless_until = monotonic + AGELESS_S
            self._log.say(
                "clock-set",
                f"the clock was set by {step_s:+.0f} s; nothing is removed for its age for {AGELESS_S / 60:.0f} min",
            )
        self._steps.note()

    def close(self) -> None:
        """Empty the WAL if it is ours to do, and leave the role to others."""
        with contextlib.suppress(JobrunError, OSError):  # a file that is lost; what its WAL holds stays there
            if self._role.try_to_take():
                self._empty_wal()
        self._role.give_up()

    def _thin_out(self, seats: Iterable[Seat]) -> None:
        """Keep the output of our own running jobs from filling the disk."""
        for seat in seats:
            if seat.jobs:
                thin_out(self._side / "logs" / seat.name)

    def _settle_lost(self, own: Collection[str], monotonic: float) -> None:
        workers = {worker.name: worker for worker in self._store.workers.all()}
        for job in self._store.endings.running():
            if job.worker in own:
                continue
            worker = workers.get(job.worker or "")
            if self._recovery.proven_dead(job, worker, monotonic=monotonic):
                self._settle(job, worker)

    def _settle(self, job: Job, worker: WorkerRow | None) -> None:
        pid = None if worker is None else worker.pid
        if (kept := self._recovery.kept_end(job)) is not None:
            ending, pid = kept.ending, kept.pid or pid
        elif self._recovery.was_begun(job):
            was_stopping = worker is not None and worker.stopping_at is not None
            ending = verdict.of_lost(was_stopping=was_stopping, output=self._recovery.output_of(job))
        else:
            ending = verdict.NEVER_BEGAN
        ends = [(job, ending, pid)]
        [becomes] = end_attempts(self._store, ends, self._world, max_crashes=self._max_crashes)
        if becomes is not None:
            text = (
                f"job {job.id} attempt {job.attempt}: {ending.outcome}, {ending.cause}; now {becomes.state}"
            )
            self._log.say("recovered", text, job=job.id, attempt=job.attempt, outcome=ending.outcome.value)
        self._recovery.forget(job)
        shelf.remove(self._side / "spool", job.token or "")

    def _strike_off_dead(self, own: set[str]) -> None:
        busy = {job.worker for job in self._store.endings.running()}  # their locks tell what they began
        for worker in self._store.workers.all():
            lock = self._side / "locks" / worker.name
            if worker.name in own | busy or self._recovery.lives(worker.name, worker):
                continue
            if self._store.workers.leave(worker.name):  # else it was given a job after we looked
                lock.unlink(missing_ok=True)
                (self._side / "logs" / worker.name).unlink(missing_ok=True)

    def _sweep_strays(self) -> None:
        """Remove what was left by groups of which no row tells any more."""
        known = {name for job in self._store.endings.running() for name in (job.token, job.worker)}
        known |= {shelf.name(token) for token in known if token}
        known |= {worker.name for worker in self._store.workers.all()}
        folders = [self._side / folder for folder in ("locks", "logs", "spool")]
        strays = [path for folder in folders for path in folder.iterdir() if path.name not in known]
        for path in (*strays, *drafts(self._store.path)):
            if _age_s(path) > STRAY_AGE_S:
                path.unlink(missing_ok=True)

    def _look_after_wal(self, monotonic: float) -> None:
        """Empty the WAL when it is due; while readers hinder it, try less and less often.

        A housekeeper whose own workers rest sleeps for a second while others write: who is awake
        does it then.
        """
        if monotonic < self._checkpoint_at:
            return
        self._checkpoint_at = monotonic + WAL_EVERY_S
        wal = Path(f"{self._store.path}-wal")
        is_tight = _size(wal) > _free(wal.parent)
        is_large = is_tight or _size(wal) > WAL_LARGEST or (_size(wal) > 0 and abs(_age_s(wal)) > WAL_REST_S)
        limit = WAL_LIMIT if self._is_keeper else 2 * WAL_LIMIT
        if not (is_large and self._is_keeper) and not is_filled(wal, limit):
            return
        if self._empty_wal(keeps_room=not is_large):
            self._checkpoint_wait_s = 0.0
            return
        longest_s = TIGHT_WAIT_S if is_tight else LONGEST_WAIT_S
        self._checkpoint_wait_s = min(max(self._checkpoint_wait_s * 2, SHORTEST_WAIT_S), longest_s)
        self._checkpoint_at = monotonic + self._checkpoint_wait_s

    def _empty_wal(self, *, keeps_room: bool = False) -> bool:
        if not keeps_room:
            return cut_wal(self._store, self._side)
        try:
            return self._store.checkpoint(keeps_room=True)
        except (NoRoom, Busy):
            return False  # nothing that was settled is lost by that, and nothing must wait for it


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
