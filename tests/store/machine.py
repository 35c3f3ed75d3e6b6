"""A store against dicts: whatever is done in whatever order, and whoever dies between, both say the same."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from jobrun.actions import acting
from jobrun.dispatcher.ends import end_attempts, expire
from jobrun.dispatcher.settings import World
from jobrun.errors import NotDone
from jobrun.measures import Pause
from jobrun.model import Ending, Job, JobFilter, Kind, NewJob, OnCrash, Outcome, State, Surroundings, Terms
from jobrun.queues import reserved_queue as reserved
from jobrun.store import Store, open_store
from jobrun.units import from_ms
from tests.store.cronpaper import CronPaper
from tests.store.paper import LIVE, SPREAD, Paper

START = 1_800_000_000_000
QUEUES = ["a", "b"]
WORKERS = ["w1", "w2", "w3"]
GROUND = (
    "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
)  # no power is cut here, and no disk waited for
PING = "http://monitor.example/x"
seconds = st.integers(-5, 20)
soon = st.none() | seconds

new_jobs = st.fixed_dictionaries(
    {
        "queue": st.sampled_from([*QUEUES, reserved("a", 7)]),
        "priority": st.integers(-1, 1),
        "key": st.sampled_from([None, None, "x", "y"]),
        "retries": st.integers(0, 3),
        "on_crash": st.sampled_from(OnCrash),
        "entry": st.sampled_from([None, "e1", "e2"]),
        "in_s": soon,
        "expires_in_s": soon,
        "deadline_s": st.sampled_from([None, None, 1.0, 15.0]),
        "home": st.sampled_from([None, "/a", "/b"]),
        "ping": st.sampled_from([None, None, PING]),
    }
)
endings = st.builds(
    Ending,
    outcome=st.sampled_from(Outcome),
    cause=st.none() | st.just("why"),
    result=st.none() | st.just("1"),
    is_skip=st.booleans(),
    retry_in_s=st.sampled_from([None, None, 0.0, 3.0]),
    has_begun=st.just(True),
)


class Abandoned(Exception):
    """A transaction is given up in its middle."""


class JobMachine(RuleBasedStateMachine):
    """Jobs, with two processes that have the file open.

    A rule about several jobs or runs names the first by itself: Hypothesis leaves out a rule whose bundle is
    empty, but throws the whole history away when the empty bundle is inside a list.
    """

    jobs = Bundle("jobs")
    runs = Bundle("runs")

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory(dir=GROUND)
        self.lives = 1
        self.path = Path(self.folder.name) / "1" / "jobs.db"
        self.path.parent.mkdir(mode=0o700)
        self.clock = START
        self.draws = 0
        self.paper, self.cron = Paper(), CronPaper()
        self.monitored: set[int] = set()
        open_store(self.path, create=True, durability="fast").close()
        self.stores: list[Store] = []
        self.begin(self.path)

    def begin(self, path: Path) -> None:
        """Have a file open: twice, and by somebody who only reads and knows no code of ours."""
        self.end_all_processes()
        self.path, self.stores = path, [open_store(path, durability="fast") for _ in range(2)]
        self.reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        self.reader.row_factory = sqlite3.Row

    def end_all_processes(self) -> None:
        if self.stores:
            self.reader.close()
        for store in self.stores:
            store.close()

    def teardown(self) -> None:
        self.end_all_processes()
        self.folder.cleanup()

    @property
    def store(self) -> Store:
        """Return the file as one of its processes has it open, and another one next time."""
        self.stores.reverse()
        return self.stores[0]

    @rule(seconds=st.integers(-40, 60))
    def step_the_clock(self, seconds: int) -> None:
        self.clock += seconds * 1000

    @rule(given=st.lists(new_jobs, min_size=1, max_size=4), target=jobs)
    def enqueue(self, given: list[dict[str, Any]]) -> Any:
        news = [self.new(**one) for one in given]

        added = self.store.intake.add(news, now=self.now)

        expected = [self.paper.add(new, self.digest_of(new), now=self.clock) for new in news]
        self.monitored |= {
            i for (i, is_new), new in zip(expected, news, strict=True) if is_new and new.terms.ping
        }
        assert [(one.id, one.is_new) for one in added] == expected
        assert [one.state for one in added] == [self.paper.jobs[i]["state"] for i, _ in expected]
        return multiple(*(one.id for one in added))

    @rule()
    def promote(self) -> None:
        assert self.store.queue.promote(now=self.now) == self.paper.promote(now=self.clock)

    @rule()
    def expire(self) -> None:
        expire(self.store, now=self.now)
        for job_id in sorted(self.paper.expire(now=self.clock)):
            self.is_over(job_id)

    @rule(queue=st.sampled_from(QUEUES), for_s=soon, why=st.sampled_from([None, "why"]))
    def pause_queue(self, queue: str, for_s: int | None, why: str | None) -> None:
        """Pause a queue, perhaps for a time that has passed."""
        until = None if for_s is None else self.now + timedelta(seconds=for_s)
        pause = Pause(queue=queue, since=self.now, until=until, by="ann", reason=why)
        self.store.pauses.begin(pause)

        self.paper.pause(queue, until=None if for_s is None else self.clock + for_s * 1000)

    @rule(queue=st.sampled_from(QUEUES))
    def resume_queue(self, queue: str) -> None:
        ended = self.store.pauses.end(queue, now=self.now)
        assert (ended is not None) == self.paper.resume(queue, now=self.clock)

    @rule(
        target=runs,
        workers=st.lists(st.sampled_from(WORKERS), min_size=1, max_size=4),
        queues=st.sampled_from([[], [], ["a"], ["b", "a"], [reserved("a", 7), "b"]]),
        more=st.integers(0, 2),
    )
    def claim(self, workers: list[str], queues: list[str], more: int) -> Any:
        """Let some workers take jobs, each perhaps several."""
        free, limit = iter(workers), len(workers) + more
        self.draws += 1
        token = f"t{self.draws}"

        claimed = self.store.queue.claim(
            lambda _task: next(free, None),
            limit=limit,
            queues=queues,
            now=self.now,
            new_token=lambda: token,
        )

        expected = self.paper.claim(workers, queues, limit=limit, token=token, now=self.clock)
        assert [job.id for job in claimed] == expected
        return multiple(*claimed)

    @rule(run=runs, ending=endings, is_permanent=st.booleans())
    def end(self, run: Job, ending: Ending, *, is_permanent: bool) -> None:
        """End an attempt, perhaps one that was ended long ago and whose job is gone."""
        may_be = ending.outcome in {Outcome.ERROR, Outcome.TIMEOUT}
        self.end_all([(run, replace(ending, is_permanent=is_permanent and may_be))])

    @rule(run=runs, ending=endings, more=st.lists(st.tuples(runs, endings), max_size=5))
    def end_several(self, run: Job, ending: Ending, more: list[tuple[Job, Ending]]) -> None:
        """End attempts in one commit, some of them twice, and some long ended."""
        self.end_all([(run, ending), *more])

    @rule(run=runs, ending=endings, token=st.sampled_from(["", "t0", None]), off=st.integers(-1, 1))
    def end_by_a_wrong_name(self, run: Job, ending: Ending, token: str | None, off: int) -> None:
        """Say of an attempt that it ended, who is not the one that runs."""
        stranger = replace(run, token=token, attempt=run.attempt + off)
        assert self.settle([(stranger, ending)]) == [None]

    @rule(run=runs, more=st.lists(runs, max_size=2))
    def take_back(self, run: Job, more: list[Job]) -> None:
        self.end_all([(one, Ending(outcome=Outcome.INTERRUPTED, has_begun=False)) for one in [run, *more]])

    @rule(worker=st.sampled_from(WORKERS), outcome=st.sampled_from([Outcome.CRASHED, Outcome.INTERRUPTED]))
    def recover(self, worker: str, outcome: Outcome) -> None:
        """Settle all that a dead worker ran."""
        lost = self.store.endings.running([worker])

        assert {job.id for job in lost} == set(self.paper.where(lambda row: row["worker"] == worker))
        self.end_all([(job, Ending(outcome=outcome, cause="gone")) for job in lost])

    @rule(job_id=jobs)
    def cancel(self, job_id: int) -> None:
        job = self.store.orders.cancel(job_id, now=self.now)

        assert (job is None) == (job_id not in self.paper.jobs)
        if job is not None:
            self.paper.cancel(job_id, now=self.clock)

    @rule(job_id=jobs, more=st.sets(jobs, max_size=2))
    def retry(self, job_id: int, more: set[int]) -> None:
        ids = {job_id, *more}
        wanted = self.paper.retriable(ids)
        keys = [key for i in wanted if (key := self.paper.jobs[i]["key"]) is not None]
        is_taken = len(set(keys)) < len(keys) or any(self.paper.holder(key) is not None for key in keys)
        try:
            retried = self.store.orders.retry(sorted(ids), now=self.now)
        except NotDone:
            assert is_taken
            return
        assert not is_taken
        assert retried == wanted
        self.paper.retry(wanted, now=self.clock)

    @rule(states=st.sets(st.sampled_from([State.FAILED, State.CRASHED, State.CANCELLED]), min_size=1))
    def retry_all(self, states: set[State]) -> None:
        which = JobFilter(states=frozenset(states))
        done = acting.retry_all(self.store, which, now=self.now, tell=lambda _: None)

        count = 0
        for i in sorted(self.paper.where(lambda row: row["state"] in states)):
            if self.paper.holder(self.paper.jobs[i]["key"]) is None:
                self.paper.retry([i], now=self.clock)
                count += 1
        assert done.count == count

    @precondition(lambda self: len(self.bundle("jobs")) > 1)
    @rule(job_id=consumes(jobs), more=st.sets(jobs, max_size=2))
    def purge(self, job_id: int, more: set[int]) -> None:
        ids = {job_id, *more}
        assert self.store.orders.purge(sorted(ids)) == self.paper.purge(ids)

    @rule(
        states=st.sets(st.sampled_from(sorted(acting.FINAL)), min_size=1),
        queue=st.sampled_from([None, "a"]),
        age_s=st.integers(0, 60) | st.none(),
    )
    def purge_all(self, states: set[State], queue: str | None, age_s: int | None) -> None:
        before = None if age_s is None else self.clock - age_s * 1000
        which = JobFilter(
            states=frozenset(states), queue=queue, before=None if before is None else from_ms(before)
        )
        ids = self.paper.where(
            lambda row: (
                row["state"] in states
                and queue in {None, row["queue"]}
                and (before is None or row["finished_at"] < before)
            )
        )
        assert acting.purge_all(self.store, which, tell=lambda _: None) == self.paper.purge(ids)

    @rule(is_kept=st.booleans(), is_moved=st.booleans())
    def crash(self, *, is_kept: bool, is_moved: bool) -> None:
        """Die in the middle of a transaction; what was committed is in the file and its WAL."""
        store = self.store
        with contextlib.suppress(Abandoned), store.group():
            store.intake.add([NewJob(kind=Kind.CALL, task="app:lost")], now=self.now)
            store.orders.purge(list(self.paper.jobs))
            here = self._copy() if is_moved else self.path
            raise Abandoned
        if is_moved:
            self.begin(here)
        elif not is_kept:
            self.stores[0].close()
            self.stores[0] = open_store(self.path, durability="fast")

    @invariant()
    def both_say_the_same(self) -> None:
        jobs = {row["id"]: row for row in self.rows("jobs")}
        attempts = {(row["job_id"], row["number"]): row for row in self.rows("attempts")}
        kept = {row["hash"] for row in self.rows("environments")}
        assert jobs.keys() == self.paper.jobs.keys()
        for job_id, row in self.paper.jobs.items():
            assert {name: jobs[job_id][name] for name in row} == row, job_id
        assert attempts.keys() == self.paper.attempts.keys()
        for which, row in self.paper.attempts.items():
            assert {name: attempts[which][name] for name in row} == row, which
        assert {row["queue"]: row["until"] for row in self.rows("pauses")} == self.paper.pauses
        assert [pause.queue for pause in self.store.pauses.all(now=self.now)] == self.paper.paused(
            now=self.clock
        )
        assert kept == {row["environment"] for row in self.paper.jobs.values()} - {None}

    @invariant()
    def what_was_promised_holds(self) -> None:
        """I2, I4, I5, I7 and I12, of the paper: it and the file were just found equal."""
        paper = self.paper
        assert paper.added == len(paper.jobs) + paper.purged
        for job_id, row in paper.jobs.items():
            numbers = sorted(number for which, number in paper.attempts if which == job_id)
            assert numbers == list(range(1, row["attempt"] + (row["state"] != "running")))
            outcomes = [paper.attempts[job_id, number]["outcome"] for number in numbers]
            assert outcomes.count("ok") <= 1
            assert row["state"] != "succeeded" or outcomes[-1] == "ok"
        tokens = [row["token"] for row in paper.jobs.values() if row["token"] is not None]
        tokens += [row["token"] for row in paper.attempts.values()]
        assert len(set(tokens)) == len(tokens)

    def end_all(self, ends: Sequence[tuple[Job, Ending]]) -> None:
        found = self.settle(ends)

        expected = [self.paper.end(run, ending, now=self.clock) for run, ending in ends]
        assert found == expected
        for (run, _), state in zip(ends, expected, strict=True):
            if state is not None and state not in LIVE:
                self.is_over(run.id)

    def settle(self, ends: Sequence[tuple[Job, Ending]]) -> list[str | None]:
        """Settle as a dispatcher does; return the states of those that were settled now."""
        becomes = end_attempts(self.store, [(run, ending, 1) for run, ending in ends], self.world)
        return [None if one is None else str(one.state) for one in becomes]

    def rows(self, table: str, where: str = "1") -> list[dict[str, Any]]:
        """Return what is committed."""
        return [dict(row) for row in self.reader.execute(f"SELECT * FROM {table} WHERE {where}").fetchall()]

    def is_over(self, job_id: int) -> None:
        """Note what others are told of the end of a job."""

    def new(self, *, in_s: int | None, expires_in_s: int | None, home: str | None, **given: Any) -> NewJob:
        ping = given.pop("ping")
        around = None if home is None else Surroundings(cwd="/", umask=None, environment={"HOME": home})
        return NewJob(
            kind=Kind.CALL,
            task="app:work",
            run_at=None if in_s is None else self.now + timedelta(seconds=in_s),
            expires_at=None if expires_in_s is None else self.now + timedelta(seconds=expires_in_s),
            surroundings=around,
            terms=Terms(ping=ping),
            **given,
        )

    @staticmethod
    def digest_of(new: NewJob) -> str | None:
        if new.surroundings is None:
            return None
        text = json.dumps(new.surroundings.environment, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    @property
    def now(self) -> datetime:
        return from_ms(self.clock)

    @property
    def world(self) -> World:
        return World(now=lambda: self.now, spread=lambda: SPREAD)

    def _copy(self) -> Path:
        """Copy the file as a power cut would leave it: with its WAL, and without what SQLite has in memory."""
        self.lives += 1
        folder = Path(self.folder.name) / str(self.lives)
        folder.mkdir(mode=0o700)
        for name in ("jobs.db", "jobs.db-wal"):
            shutil.copy(self.path.with_name(name), folder)
        return folder / "jobs.db"
