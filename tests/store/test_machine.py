"""A store against a dict: whatever is done in whatever order, both say the same."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from jobrun.errors import NotDone
from jobrun.lifecycle import settle
from jobrun.model import LIVE, Ending, Job, JobFilter, Kind, NewJob, OnCrash, Outcome, State
from jobrun.store import open_store
from jobrun.units import from_ms
from tests.claims import claim

QUEUES = ["a", "b"]
RETRIABLE = {State.FAILED, State.CRASHED, State.CANCELLED, State.EXPIRED}

seconds = st.integers(-5, 20)
soon = st.none() | seconds


@dataclass(slots=True, kw_only=True)
class Expected:
    """What the dict says of one job; instants are seconds after the start."""

    queue: str
    priority: int
    key: str | None
    run_at: float
    expires_at: float | None
    state: State
    attempts: list[Outcome] = field(default_factory=list)

    @property
    def has_begun(self) -> int:
        return len(self.attempts) + (self.state is State.RUNNING)


class StoreMachine(RuleBasedStateMachine):
    jobs = Bundle("jobs")
    runs = Bundle("runs")

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.store = open_store(Path(self.folder.name) / "jobs.db", create=True)
        self.clock = 0
        self.expected: dict[int, Expected] = {}
        self.tokens = count(1)

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    @rule(seconds=st.integers(0, 30))
    def step_the_clock(self, seconds: int) -> None:
        self.clock += seconds

    @rule(
        target=jobs,
        queue=st.sampled_from(QUEUES),
        priority=st.integers(-1, 1),
        key=st.none() | st.sampled_from("xy"),
        in_s=soon,
        expires_in_s=soon,
        retries=st.integers(0, 2),
        on_crash=st.sampled_from(OnCrash),
    )
    def enqueue(  # noqa: PLR0917 -- drawn one by one
        self,
        queue: str,
        priority: int,
        key: str | None,
        in_s: int | None,
        expires_in_s: int | None,
        retries: int,
        on_crash: OnCrash,
    ) -> int:
        run_at = self.clock if in_s is None else self.clock + in_s
        expires_at = None if expires_in_s is None else self.clock + expires_in_s
        new = NewJob(
            kind=Kind.CALL,
            task="app:work",
            queue=queue,
            priority=priority,
            key=key,
            run_at=None if in_s is None else self.at(run_at),
            expires_at=None if expires_at is None else self.at(expires_at),
            retries=retries,
            on_crash=on_crash,
        )
        holder = self.holder(key)

        [added] = self.store.intake.add([new], now=self.now)

        assert added.is_new == (holder is None)
        if holder is not None:
            assert added.id == holder
            return added.id
        assert added.id not in self.expected
        self.expected[added.id] = Expected(
            queue=queue,
            priority=priority,
            key=key,
            run_at=run_at,
            expires_at=expires_at,
            state=State.SCHEDULED if run_at > self.clock else State.READY,
        )
        return added.id

    @rule()
    def promote(self) -> None:
        due = [
            one for one in self.expected.values() if one.state is State.SCHEDULED and one.run_at <= self.clock
        ]

        assert self.store.queue.promote(now=self.now) == len(due)
        for one in due:
            one.state = State.READY

    @rule(target=runs, workers=st.integers(1, 3), queues=st.sampled_from([[], ["a"], ["b"], ["b", "a"]]))
    def claim(self, workers: int, queues: list[str]) -> object:
        self.expire()
        ready = [id_ for id_, one in self.expected.items() if one.state is State.READY]
        wanted = [id_ for id_ in ready if not queues or self.expected[id_].queue in queues]
        wanted.sort(key=lambda id_: (-self.expected[id_].priority, id_))
        names = [f"w{number}" for number in range(workers)]

        claimed = claim(
            self.store, *names, queues=queues, now=self.now, new_token=lambda: f"t{next(self.tokens)}"
        )

        assert [job.id for job in claimed] == wanted[:workers]
        for job in claimed:
            self.expected[job.id].state = State.RUNNING
        return multiple(*claimed)

    @rule(run=runs, outcome=st.sampled_from(Outcome), is_permanent=st.booleans())
    def end(self, run: Job, outcome: Outcome, *, is_permanent: bool) -> None:
        """End an attempt, perhaps one that was ended long ago and whose job is gone."""
        current = self.store.ledger.get(run.id)
        is_running = current is not None and current.token == run.token
        ending = Ending(outcome=outcome, is_permanent=is_permanent)
        job = current if is_running and current is not None else run
        becomes = settle(job, ending, self.now, 0.5)

        assert self.store.endings.settle(job, ending, becomes, now=self.now, pid=1) == is_running
        if is_running:
            one = self.expected[run.id]
            one.state = becomes.state
            one.attempts.append(outcome)
            if becomes.run_at is not None:
                one.run_at = (becomes.run_at - self.at(0)) / timedelta(seconds=1)

    @rule(job_id=jobs)
    def cancel(self, job_id: int) -> None:
        job = self.store.orders.cancel(job_id, now=self.now)

        assert (job is None) == (job_id not in self.expected)
        one = self.expected.get(job_id)
        if one is not None and one.state in {State.SCHEDULED, State.READY}:
            one.state = State.CANCELLED

    @rule(ids=st.sets(jobs, max_size=3))
    def retry(self, ids: set[int]) -> None:
        wanted = sorted(i for i in ids if i in self.expected and self.expected[i].state in RETRIABLE)
        keys = [key for i in wanted if (key := self.expected[i].key) is not None]
        is_taken = len(set(keys)) < len(keys) or any(self.holder(key) is not None for key in keys)

        try:
            retried = self.store.orders.retry(sorted(ids), now=self.now)
        except NotDone:
            assert is_taken
            return
        assert not is_taken
        assert retried == wanted
        for job_id in retried:
            one = self.expected[job_id]
            one.state, one.run_at, one.expires_at = State.READY, self.clock, None

    @rule(job_id=consumes(jobs))
    def purge(self, job_id: int) -> None:
        one = self.expected.get(job_id)
        is_final = one is not None and one.state.is_final

        assert self.store.orders.purge([job_id]) == is_final
        if is_final:
            del self.expected[job_id]

    @rule()
    def expire(self) -> None:
        late = [
            one
            for one in self.expected.values()
            if one.state in {State.SCHEDULED, State.READY}
            and one.expires_at is not None
            and one.expires_at <= self.clock
        ]

        assert len(self.store.queue.expire(now=self.now)) == len(late)
        for one in late:
            one.state = State.EXPIRED

    @invariant()
    def both_say_the_same(self) -> None:
        kept = {job.id: job for job in self.store.ledger.select(JobFilter(), limit=1000)}

        assert {i: job.state for i, job in kept.items()} == {i: one.state for i, one in self.expected.items()}
        assert {i: job.attempt for i, job in kept.items()} == {
            i: one.has_begun for i, one in self.expected.items()
        }
        for job_id, one in self.expected.items():
            attempts = self.store.ledger.attempts(job_id)
            assert [attempt.ending.outcome for attempt in attempts] == one.attempts
            assert [attempt.number for attempt in attempts] == list(range(1, len(attempts) + 1))

    @invariant()
    def the_counts_add_up(self) -> None:
        assert sum(self.store.ledger.counts().values()) == len(self.expected)

    def holder(self, key: str | None) -> int | None:
        live = [
            i for i, one in self.expected.items() if key is not None and one.key == key and one.state in LIVE
        ]
        assert len(live) <= 1
        return live[0] if live else None

    @property
    def now(self) -> datetime:
        return self.at(self.clock)

    @staticmethod
    def at(seconds: float) -> datetime:
        return from_ms(1_800_000_000_000 + round(seconds * 1000))


TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=50, stateful_step_count=50, deadline=None)
