"""One job file for a few actors, and what is to hold whoever comes first."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from jobrun import locks
from jobrun.dispatcher.ends import end_attempts
from jobrun.dispatcher.housekeeping import Housekeeping
from jobrun.dispatcher.settings import World
from jobrun.errors import JobrunError
from jobrun.log import Log
from jobrun.model import Ending, Job, Kind, NewJob, Outcome, WorkerRow
from jobrun.paths import side_dir
from jobrun.store import Store, open_store
from jobrun.units import from_ms
from tests.claims import claim
from tests.races.stage import Choose, Played, apart, one_after_the_other, play

NOW = from_ms(1_800_000_000_000)
WORLD = World(now=lambda: NOW, monotonic=lambda: 0.0, spread=lambda: 0.0)
GROUND = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

Act = Callable[[Store], object]


@dataclass(slots=True)
class Scene:
    """A job file, its side folder, and descriptors of locks that somebody holds."""

    path: Path
    store: Store
    held: dict[str, int] = field(default_factory=dict)

    def add(self, **options: Any) -> int:
        new = NewJob(**{"kind": Kind.CALL, "task": "app:work", **options})
        return self.store.intake.add([new], now=NOW)[0].id

    def run(self, worker: str = "w0", *, is_held: bool = False) -> Job:
        """Let a worker have the first job; its lock is free unless somebody lives who holds it."""
        self.store.workers.join(
            WorkerRow(name=worker, number=1, pid=1, group_pid=1, queues=(), started_at=NOW, stopping_at=None)
        )
        [job] = claim(self.store, worker, now=NOW, new_token=lambda: f"of {worker}")
        if is_held:
            fd = locks.take(side_dir(self.path) / "locks" / worker)
            assert fd is not None
            self.held[worker] = fd
        return job

    def let_go(self, worker: str) -> None:
        """Free the lock of a worker."""
        os.close(self.held.pop(worker))


Arrange = Callable[[Scene], Mapping[str, Act]]


def take(worker: str) -> Act:
    """Claim a job for a worker."""

    def act(store: Store) -> object:
        claimed = claim(store, worker, now=NOW, new_token=lambda: f"of {worker}")
        return [job.id for job in claimed]

    return act


def finish(job: Job, outcome: Outcome = Outcome.OK) -> Act:
    """End an attempt as a dispatcher does."""

    def act(store: Store) -> object:
        [becomes] = end_attempts(store, [(job, Ending(outcome=outcome, cause="ended"), 1)], WORLD)
        return becomes and str(becomes.state)

    return act


def keep(store: Store) -> None:
    """Go once round as the housekeeper."""
    with open(os.devnull, "wb") as nowhere:
        keeping = Housekeeping(store, Log("keeper", nowhere.fileno()), WORLD, keep_s=None)
        try:
            keeping.do_round([], monotonic=0.0)
        finally:
            keeping._role.give_up()


@contextlib.contextmanager
def _arranged(arrange: Arrange) -> Iterator[tuple[Scene, Mapping[str, Act]]]:
    with tempfile.TemporaryDirectory(dir=GROUND) as folder:
        path = Path(folder) / "jobs.db"
        shutil.copytree(_template(), folder, dirs_exist_ok=True)
        with open_store(path, durability="fast") as store:
            scene = Scene(path, store)
            acts = arrange(scene)
            try:
                yield scene, acts
            finally:
                for fd in scene.held.values():
                    os.close(fd)


@cache
def _template() -> str:
    """Return a folder with an empty job file: to make one takes long."""
    kept = tempfile.TemporaryDirectory(dir=GROUND)
    atexit.register(kept.cleanup)
    open_store(Path(kept.name) / "jobs.db", create=True).close()
    return kept.name


def one_run(arrange: Arrange, choose: Choose, *, kills: int = 0) -> tuple[Played, str, list[str]]:
    """Play one schedule; return it, how the file looks then, and what must not be so."""
    with _arranged(arrange) as (scene, acts):
        played = play({name: _with_store(scene.path, act) for name, act in acts.items()}, choose, kills=kills)
        results = {name: str(result) for name, result in played.results.items()}
        faults = [
            f"{name}: {result!r}"
            for name, result in played.results.items()
            if isinstance(result, Exception)
            and not isinstance(result, JobrunError)  # that is told to a person
        ]
        with closing(sqlite3.connect(scene.path)) as reader:
            return played, f"{results} {_looks(reader)}", [*faults, *broken(reader)]


def serial(arrange: Arrange) -> set[str]:
    """Return how the file may look: as if the actors had come one after the other, in any order."""
    with _arranged(arrange) as (_, acts):
        names = list(acts)
    return {one_run(arrange, one_after_the_other(order))[1] for order in itertools.permutations(names)}


def _with_store(path: Path, act: Act) -> Callable[[], object]:
    def body() -> object:
        with apart():
            store = open_store(path, durability="fast")
        try:
            return act(store)
        finally:
            with apart():
                store.close()

    return body


def _looks(reader: sqlite3.Connection) -> str:
    tables = (
        "SELECT id, state, attempt, failures, token, worker, key, cancel_at, entry, scheduled_for, reason FROM jobs",
        "SELECT job_id, number, token, outcome, cause FROM attempts",
        "SELECT name FROM workers",
        "SELECT entry, at, state, job_id FROM ticks",
        "SELECT name, done_until, table_path, digest, paused_at, failed_runs FROM entries",
    )
    return str([sorted(reader.execute(sql).fetchall(), key=repr) for sql in tables])


_NEVER = {
    "an attempt is missing, or there are too many": """
        SELECT id FROM jobs
         WHERE attempt - (state = 'running') <> (SELECT count(*) FROM attempts WHERE job_id = jobs.id)
            OR attempt - (state = 'running') <> (SELECT coalesce(max(number), 0) FROM attempts WHERE job_id = jobs.id)
    """,
    "a job has succeeded, and its last attempt has not, or more than that one": """
        SELECT id FROM jobs
         WHERE (state = 'succeeded') <> (SELECT count(*) FROM attempts WHERE job_id = jobs.id AND outcome = 'ok')
    """,
    "an attempt runs and has ended": "SELECT id FROM jobs WHERE token IN (SELECT token FROM attempts)",
    "one token names two attempts": "SELECT token FROM attempts GROUP BY token HAVING count(*) > 1",
    "two live jobs have one key": """
        SELECT key FROM jobs
         WHERE key IS NOT NULL AND finished_at IS NULL
         GROUP BY key HAVING count(*) > 1
    """,
    "a tick has two jobs": """
        SELECT entry FROM jobs
         WHERE scheduled_for IS NOT NULL
         GROUP BY entry, scheduled_for HAVING count(*) > 1
    """,
    "a tick has run without a job": """
        SELECT at FROM ticks WHERE state = 'ran' AND job_id NOT IN (SELECT id FROM jobs)
    """,
}


def broken(reader: sqlite3.Connection) -> list[str]:
    """Say which invariants do not hold: I2, I4, I5, I6 and what the states imply."""
    found = [what for what, sql in _NEVER.items() if reader.execute(sql).fetchall()]
    said = reader.execute("PRAGMA integrity_check").fetchall()
    return found if said == [("ok",)] else [*found, f"integrity_check: {said}"]
