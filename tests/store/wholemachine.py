"""The whole store against dicts: jobs together with entries, ticks, workers, monitors and queries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, invariant, rule

from jobrun.cron.words import EntrySpec, Errand, NewTick, TickState
from jobrun.dispatcher.chores import WELL
from jobrun.dispatcher.retention import Retention
from jobrun.model import Job, JobFilter, Kind, NewJob, State, WorkerRow
from jobrun.units import from_ms
from tests.rules.entries import entry
from tests.store.machine import START, WORKERS, JobMachine, soon
from tests.store.paper import LIVE, WAITING, Row

Which = TypeVar("Which")

NAMES = ["e1", "e2"]
TABLE = "/t.toml"
KEPT_S = 40.0
slots = st.integers(-6, 12)  # nominal instants, ten seconds apart
tables = st.dictionaries(
    st.sampled_from(NAMES), st.sampled_from([("d1", "s1"), ("d2", "s1"), ("d3", "s2")]), max_size=2
)


class StoreMachine(JobMachine):
    """All of the store."""

    jobs = Bundle("jobs")

    @rule(table=tables, boot_id=st.sampled_from("bc"))
    def load(self, table: dict[str, tuple[str, str]], boot_id: str) -> None:
        specs = [_spec(name, *digests) for name, digests in table.items()]

        changes = self.store.entries.load(TABLE, specs, boot_id=boot_id, now=self.now)

        expected = self.cron.load(table, boot_id=boot_id, now=self.clock)
        assert (changes.added, changes.changed, changes.removed) == expected

    @rule(name=st.sampled_from(NAMES), for_s=soon)
    def pause(self, name: str, for_s: int | None) -> None:
        until = None if for_s is None else self.clock + for_s * 1000
        row = self.store.entries.pause(name, until=None if until is None else from_ms(until), now=self.now)
        assert (row is not None) == self.cron.pause(name, until=until, now=self.clock)

    @rule(name=st.sampled_from(NAMES))
    def resume(self, name: str) -> None:
        row = self.store.entries.resume(name, now=self.now)
        assert (row is not None) == self.cron.resume(name, now=self.clock)

    @rule(name=st.sampled_from(NAMES), slot=slots, boot_id=st.sampled_from("bc"))
    def go_on(self, name: str, slot: int, boot_id: str) -> None:
        """Note how far an entry has come."""
        with self.store.group():
            self.stores[0].entries.advance(name, done_until=_at(slot))
            self.stores[0].entries.saw_boot(name, boot_id)
        if name in self.cron.entries:
            self.cron.entries[name].update(done_until=_ms(slot), boot_id=boot_id)

    @rule()
    def rewind(self) -> None:
        self.store.entries.rewind(TABLE, now=self.now)
        self.cron.rewind(now=self.clock)

    @rule(name=st.sampled_from(NAMES), slot=slots, state=st.sampled_from(TickState), more=st.integers(0, 2))
    def decide(self, name: str, slot: int, state: TickState, more: int) -> None:
        """Decide a tick, or several in one; perhaps one that was decided before."""
        has_run, last = state is TickState.RAN, slot + (more if state is TickState.MISSED else 0)
        job = self.job_of(name, slot) if has_run else None
        tick = NewTick(at=_at(slot), state=state, job=job, last=_at(last), count=last - slot + 1)

        decided = self.store.ticks.record(name, tick, now=self.now)

        is_open = self.cron.is_open(name, _ms(slot), state)
        assert (decided is not None) == is_open
        if decided is not None:
            row: Row = {"state": str(state), "last": _ms(last), "decided_at": self.clock, "reason": None}
            row["job_id"] = None if job is None else self.paper.add(job, None, now=self.clock)[0]
            self.cron.ticks[name, _ms(slot)] = row

    @rule(name=st.sampled_from(NAMES), slot=slots, is_dropped=st.booleans())
    def decide_what_waits(self, name: str, slot: int, *, is_dropped: bool) -> None:
        row = self.cron.pending(name).get(_ms(slot))
        if is_dropped:
            self.store.ticks.drop_pending(name, _at(slot), reason="why", now=self.now)
            if row is not None:
                row.update(state="skipped", reason="why", decided_at=self.clock)
            return
        job = self.job_of(name, slot)
        tick = self.store.ticks.promote_pending(name, _at(slot), job, now=self.now)
        assert (tick is None) == (row is None)
        if row is not None:
            job_id, _ = self.paper.add(job, None, now=self.clock)
            row.update(state="ran", job_id=job_id, decided_at=self.clock)

    @rule(name=st.sampled_from(WORKERS), is_known=st.booleans())
    def hire(self, name: str, *, is_known: bool) -> None:
        worker = WorkerRow(
            name=name,
            number=1,
            pid=4711,
            group_pid=7,
            queues=(),
            started_at=self.now,
            stopping_at=None,
        )
        for _ in range(1 + is_known):
            self.store.workers.join(worker)
        self.cron.workers.setdefault(name, {"started_at": self.clock, "stopping_at": None})

    @rule(names=st.sets(st.sampled_from(WORKERS)))
    def shut_down(self, names: set[str]) -> None:
        self.store.workers.stopping(names, now=self.now)
        for name in names & self.cron.workers.keys():
            row = self.cron.workers[name]
            row["stopping_at"] = self.clock if row["stopping_at"] is None else row["stopping_at"]

    @rule(name=st.sampled_from(WORKERS))
    def leave(self, name: str) -> None:
        busy = {row["worker"] for row in self.paper.jobs.values()}
        assert self.store.workers.leave(name) == self.cron.leave(name, busy)

    @rule()
    def forget_the_old(self) -> None:
        """Let retention go round until nothing is left for it."""
        retention = Retention(self.store, KEPT_S)
        monotonic = 0.0
        while monotonic == 0.0 or retention._next_at < monotonic:
            monotonic += 50.0
            retention.do_round(now=self.now, monotonic=monotonic)
        before = self.clock - round(KEPT_S * 1000)
        self.paper.purge(
            set(self.paper.where(lambda row: row["state"] in WELL and row["finished_at"] < before))
            - set(self.cron.last_runs.values())
        )

    @rule(before_s=st.integers(-60, 10))
    def forget_ticks(self, before_s: int) -> None:
        before = self.clock + before_s * 1000
        gone = self.store.ticks.forget_before(from_ms(before), limit=999)
        assert gone == self.cron.forget_ticks(before=before, limit=999)

    @rule(
        states=st.frozensets(st.sampled_from(State)),
        queue=st.sampled_from([None, "a"]),
        limit=st.integers(1, 4),
    )
    def look(self, states: frozenset[State], queue: str | None, limit: int) -> None:
        """Page through what matches, both ways, and ask what is there to do."""
        which = JobFilter(states=states, queue=queue)
        wanted = self.paper.where(
            lambda row: (not states or row["state"] in states) and queue in {None, row["queue"]}
        )
        store = self.store
        assert store.ledger.count(which) == len(wanted)
        assert store.ledger.count(which, limit=limit) == min(len(wanted), limit)
        for newest_first in (True, False):
            found: list[Job] = []
            while page := store.ledger.select(
                which, limit=limit, newest_first=newest_first, after_id=found[-1].id if found else None
            ):
                found += page
            assert [job.id for job in found] == sorted(wanted, reverse=newest_first)

    @rule(queues=st.sampled_from([[], ["a"], ["b", "a"]]))
    def look_ahead(self, queues: list[str]) -> None:
        store, rows = self.store, self.paper.jobs.values()
        due = min((row["run_at"] for row in rows if row["state"] == "scheduled"), default=None)
        ends = [
            row["expires_at"] for row in rows if row["state"] in WAITING and row["expires_at"] is not None
        ]

        outlook = store.queue.outlook(queues, now=self.now)

        assert outlook.due_at == (None if due is None else from_ms(due)) == store.queue.next_due()
        assert outlook.expires_at == (from_ms(min(ends)) if ends else None)
        assert outlook.is_ready == bool(self.paper.claimable(queues, now=self.clock))
        paused = self.paper.paused(now=self.clock)
        assert sorted(outlook.paused) == paused
        ends = [until for queue in paused if (until := self.paper.pauses[queue]) is not None]
        assert outlook.resumes_at == (from_ms(min(ends)) if ends else None)
        names = {row["queue"] for row in rows if row["state"] == "ready"}
        assert store.queue.names() == sorted(name for name in names if not name.startswith("."))
        asked = {row["token"]: from_ms(row["cancel_at"]) for row in rows if row["token"] and row["cancel_at"]}
        assert store.endings.to_cancel() == asked
        ready = self.paper.where(lambda row: row["state"] == "ready")
        assert [job.id for job in store.ledger.longest_ready(limit=3)] == sorted(ready)[:3]

    @rule(name=st.sampled_from(NAMES))
    def look_at_an_entry(self, name: str) -> None:
        live = self.paper.where(
            lambda row: (
                row["entry"] == name
                and row["state"] in LIVE
                and not (row["state"] == "scheduled" and (row["scheduled_for"] or 0) > self.clock)
            )
        )
        store = self.store
        assert store.ticks.live_jobs(name, now=self.now) == live
        assert [tick.at for tick in store.ticks.pending(name)] == [
            from_ms(at) for at in self.cron.pending(name)
        ]

    @invariant()
    def the_rest_says_the_same(self) -> None:
        entries = {row["name"]: row for row in self.rows("entries")}
        ticks = {(row["entry"], row["at"]): row for row in self.rows("ticks")}
        workers = {row["name"]: row for row in self.rows("workers")}
        pings = [row["job_id"] for row in self.rows("pings", "1 ORDER BY id")]
        _compare(entries, self.cron.entries)
        _compare(ticks, self.cron.ticks)
        _compare(workers, self.cron.workers)
        assert pings == self.cron.pings

    @invariant()
    def a_tick_has_one_job(self) -> None:
        """I6: no two ticks share a job, and no job is of a tick that did not run."""
        ran = [row["job_id"] for row in self.cron.ticks.values() if row["state"] == "ran"]
        assert None not in ran
        assert len(set(ran)) == len(ran)

    def is_over(self, job_id: int) -> None:
        """Tell monitors and entries; a turn of luck adds a job that nobody but the code can word."""
        row = self.paper.jobs[job_id]
        if row["entry"] is not None:
            self.cron.note_last_run(row["entry"], row["state"], job_id)
            turn = self.cron.settled(row["entry"], row["state"], now=self.clock)
            if turn is not None:
                self.adopt(f"{row['entry']}-{turn}")
        if job_id in self.monitored:
            self.cron.pings.append(job_id)

    def adopt(self, name: str) -> None:
        """Write down the job that tells of a turn, which is to be there, and ready."""
        if not name.startswith("e1-failed"):
            return  # nobody is told
        self.paper.added += 1
        told = self.stores[0].ledger.get(self.paper.added)
        assert told is not None
        assert (told.name, told.state) == (name, State.READY)
        [row] = self.rows("jobs", f"id = {told.id}")
        columns = next(iter(self.paper.jobs.values()))
        self.paper.jobs[told.id] = {column: row[column] for column in columns}

    def job_of(self, name: str, slot: int) -> NewJob:
        return NewJob(
            kind=Kind.SHELL, task="true", entry=name, scheduled_for=_at(slot), run_at=max(self.now, _at(slot))
        )


def _compare(kept: Mapping[Which, Row], wanted: Mapping[Which, Row]) -> None:
    """Hold what a table has against what it should have; a paper knows some of the columns."""
    assert kept.keys() == wanted.keys()
    for which, row in wanted.items():
        assert {name: kept[which][name] for name in row} == row, which


def _spec(name: str, digest: str, schedule: str) -> EntrySpec:
    notice = Errand(kind=Kind.SHELL, task="mail")
    return EntrySpec(
        entry=entry(name=name, on_failure=notice if name == "e1" else None),
        digest=digest,
        schedule_digest=schedule,
    )


def _at(slot: int) -> Any:
    return from_ms(_ms(slot))


def _ms(slot: int) -> int:
    return START + slot * 10_000
