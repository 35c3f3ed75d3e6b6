"""The dispatcher with a real store, fake workers, a fake supervisor and a clock moved by hand."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jobrun import dispatcher, locks
from jobrun.bell import Tone, ring
from jobrun.dispatcher import housekeeping
from jobrun.dispatcher.gathering import GATHER_S
from jobrun.dispatcher.settings import Settings, World
from jobrun.errors import Busy as FileIsBusy
from jobrun.errors import JobFileUnusable, NoRoom
from jobrun.lifecycle import settle
from jobrun.locks.roles import Role
from jobrun.model import Ending, JobFilter, Kind, NewJob, Outcome, State, Surroundings
from jobrun.paths import side_dir
from jobrun.procs import start_ticks
from jobrun.store import open_store
from jobrun.store.queue import PROMOTED_AT_ONCE
from jobrun.wire.channel import LARGEST_PACKET, pair
from jobrun.wire.messages import (
    Answer,
    Ask,
    Drained,
    Ended,
    Greeting,
    Hello,
    Kill,
    Leave,
    Noted,
    Nudge,
    Opened,
    Run,
    Settled,
    Stop,
    Why,
)
from tests.claims import claim
from tests.lockfiles import write_record
from tests.loops.conftest import FakeWorker, Scene

Busy = Callable[..., tuple[FakeWorker, Run, int]]


def test_a_free_worker_is_handed_what_is_due(scene: Scene) -> None:
    scene.open()
    worker = scene.hire()
    job_id = scene.add(args=("a",), kwargs={"n": 1}, name="name", retries=2)

    scene.step()

    [order] = worker.orders()
    assert (order.job_id, order.attempt, order.max_attempts, order.token) == (
        job_id,
        1,
        3,
        f"token1-{job_id}",
    )
    assert (order.task, order.args, order.kwargs, order.name) == ("app:work", ["a"], {"n": 1}, "name")
    assert scene.state(job_id) is State.RUNNING


def test_an_order_for_a_command_carries_where_it_runs(busy: Busy) -> None:
    around = Surroundings(cwd="/", umask=0o27, environment={"A": "1"})

    _, order, _ = busy(kind=Kind.SHELL, task="true", surroundings=around)

    assert (order.cwd, order.umask, order.environment) == ("/", 0o27, {"A": "1"})


def test_nothing_is_told_before_it_is_committed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.open()
    worker = scene.hire()
    scene.step()
    worker.heard()
    told_early: list[object] = []
    group = scene.store.group

    @contextlib.contextmanager
    def watched() -> Iterator[None]:
        with group():
            yield
            told_early.extend(worker.heard())

    monkeypatch.setattr(scene.store, "group", watched)
    scene.add()
    scene.step()

    assert told_early == []
    assert len(worker.orders()) == 1


def test_a_worker_that_has_not_answered_yet_gets_no_job(scene: Scene) -> None:
    scene.open()
    worker = scene.hire(is_greeted=False)
    job_id = scene.add()

    scene.step()
    assert scene.state(job_id) is State.READY
    scene.greet(worker)
    scene.step()
    assert scene.state(job_id) is State.RUNNING


def test_an_answer_to_an_older_greeting_counts_for_nothing(scene: Scene) -> None:
    scene.open(generation=2)
    worker = scene.hire(is_greeted=False)
    scene.step()
    job_id = scene.add()

    worker.say(Hello(generation=1, unsettled=[]))
    scene.step()

    assert scene.state(job_id) is State.READY


def test_a_scheduled_job_is_handed_out_when_its_time_has_come(scene: Scene) -> None:
    scene.open()
    worker = scene.hire()
    job_id = scene.store.intake.add(
        [NewJob(kind=Kind.CALL, task="app:f", run_at=scene.now() + timedelta(minutes=1))], now=scene.now()
    )[0].id

    scene.step(after_s=59.9)
    assert worker.orders() == []
    scene.step(after_s=0.1)
    assert [order.job_id for order in worker.orders()] == [job_id]


def test_an_ending_is_settled_and_answered_and_the_next_job_follows_at_once(scene: Scene, busy: Busy) -> None:
    worker, order, job_id = busy()
    following = scene.add()

    worker.finish(order, result="42")
    scene.step()

    assert worker.heard() == [Settled(tokens=[order.token])]
    [run] = worker.orders()
    assert (scene.state(job_id), scene.job(job_id).result) == (State.SUCCEEDED, "42")
    assert run.job_id == following


def test_an_ending_said_again_is_answered_and_changes_nothing(scene: Scene, busy: Busy) -> None:
    worker, order, job_id = busy()
    worker.finish(order, result="1")
    scene.step()
    worker.heard()
    before = scene.job(job_id)

    worker.finish(order, Outcome.ERROR)
    scene.step(after_s=GATHER_S)

    assert worker.heard() == [Settled(tokens=[order.token])]
    assert scene.job(job_id) == before
    assert len(scene.store.ledger.attempts(job_id)) == 1


def test_an_ending_of_an_attempt_that_another_dispatcher_has_ended_overwrites_nothing(
    scene: Scene, busy: Busy
) -> None:
    worker, order, job_id = busy(retries=1)
    crashed = Ending(outcome=Outcome.CRASHED, cause="its worker died together with its supervisor")
    becomes = settle(scene.job(job_id), crashed, scene.now(), 0.0)
    assert scene.store.endings.settle(scene.job(job_id), crashed, becomes, now=scene.now(), pid=1)
    [other] = claim(scene.store, "w9", now=scene.now(), new_token=lambda: "other")

    worker.finish(order)
    scene.step()

    assert worker.heard() == [Settled(tokens=[order.token])]
    job = scene.job(job_id)
    assert (job.state, job.token, job.worker) == (State.RUNNING, other.token, "w9")
    assert [attempt.ending.outcome for attempt in scene.store.ledger.attempts(job_id)] == [Outcome.CRASHED]
    assert f"job {job_id} attempt 1: ok came too late" in scene.log.read_text()


def test_an_ending_said_twice_before_it_was_heard_counts_once(scene: Scene, busy: Busy) -> None:
    worker, order, job_id = busy(retries=1)

    worker.finish(order, Outcome.ERROR)
    worker.finish(order, Outcome.ERROR)
    scene.step()

    assert worker.heard() == [Settled(tokens=[order.token])]
    assert (scene.job(job_id).failures, len(scene.store.ledger.attempts(job_id))) == (1, 1)
    assert "too late" not in scene.log.read_text()


def test_a_failed_job_comes_again_after_its_wait(scene: Scene, busy: Busy) -> None:
    worker, order, job_id = busy(retries=1, backoff_s=10.0)

    worker.finish(order, Outcome.ERROR, cause="exit 3")
    scene.step()
    assert scene.state(job_id) is State.SCHEDULED
    worker.heard()
    scene.step(after_s=5.0)

    [again] = worker.orders()
    assert (again.job_id, again.attempt) == (job_id, 2)
    assert again.token != order.token


def test_a_job_that_asks_for_jobs_is_answered_once_they_are_kept(scene: Scene, busy: Busy) -> None:
    worker, _, _ = busy()

    worker.say(Ask(number=7, jobs=[NewJob(kind=Kind.CALL, task="app:child")]))
    scene.step()

    [answer] = worker.heard()
    assert isinstance(answer, Answer)
    assert (answer.number, answer.error) == (7, None)
    assert scene.job(answer.added[0].id).task == "app:child"


def test_a_job_that_asks_for_what_no_row_can_hold_is_refused_alone(scene: Scene, busy: Busy) -> None:
    worker, order, job_id = busy()

    worker.say(Ask(number=8, jobs=[NewJob(kind=Kind.CALL, task="app:child", priority=2**70)]))
    worker.finish(order)
    scene.step()

    refused = [message for message in worker.heard() if isinstance(message, Answer)]
    assert "priority" in (refused[0].error or "")
    assert scene.state(job_id) is State.SUCCEEDED


@pytest.mark.parametrize("bad", [{"priority": 0.5}, {"priority": 2**70}, {"key": "\udcff"}])
def test_what_is_refused_by_the_file_alone_hurts_nobody_else_either(
    scene: Scene, busy: Busy, monkeypatch: pytest.MonkeyPatch, bad: dict[str, Any]
) -> None:
    worker, order, job_id = busy()
    monkeypatch.setattr("jobrun.dispatcher.books.check", lambda job, **_: job)
    good = NewJob(kind=Kind.CALL, task="app:child")

    worker.say(Ask(number=8, jobs=[good, NewJob(kind=Kind.CALL, task="app:child", **bad)]))
    worker.say(Ask(number=9, jobs=[good]))
    worker.finish(order)
    scene.step()

    refused, answered = [message for message in worker.heard() if isinstance(message, Answer)]
    assert "cannot be kept" in (refused.error or "")
    assert [added.id for added in answered.added] == [job_id + 1]
    assert scene.state(job_id) is State.SUCCEEDED
    assert scene.store.ledger.count(JobFilter()) == 2


def test_a_worker_hired_while_the_group_ends_is_told_to_leave(scene: Scene) -> None:
    scene.open()
    scene.shut_down()
    scene.step()

    late = scene.hire("w9")
    scene.step()

    assert Leave() in late.heard()


class TestReplaced:
    """A dispatcher was killed, and another takes its place."""

    def test_it_greets_and_leaves_a_running_job_alone(self, scene: Scene, busy: Busy) -> None:
        worker, _, job_id = busy()

        scene.open(generation=2)
        scene.step()

        assert worker.heard() == [Greeting(generation=2)]
        assert (scene.state(job_id), scene.job(job_id).attempt) == (State.RUNNING, 1)

    def test_the_ending_of_a_job_it_found_running_counts(self, scene: Scene, busy: Busy) -> None:
        worker, order, job_id = busy()
        scene.open(generation=2)

        worker.finish(order)
        scene.step()

        assert scene.state(job_id) is State.SUCCEEDED

    def test_an_ending_that_was_heard_and_not_committed_is_taken_again(
        self, scene: Scene, busy: Busy
    ) -> None:
        worker, order, job_id = busy()
        worker.finish(order, result="1")
        scene.desk._hear()

        scene.open(generation=2)
        scene.greet(worker, order.token)
        worker.finish(order, result="1")
        scene.step()

        assert worker.heard() == [Settled(tokens=[order.token])]
        assert (scene.state(job_id), scene.job(job_id).attempt) == (State.SUCCEEDED, 1)

    def test_a_job_claimed_and_never_handed_out_is_handed_out(self, scene: Scene) -> None:
        scene.open()
        worker = scene.hire()
        scene.step()
        job_id = scene.add()
        claim(scene.store, "w1", now=scene.now(), new_token=lambda: "lost")

        scene.open(generation=2)
        scene.greet(worker)
        scene.step()

        assert [(order.job_id, order.token, order.attempt) for order in worker.orders()] == [
            (job_id, f"lost-{job_id}", 1)
        ]

    def test_a_job_that_was_ended_meanwhile_is_not_handed_out_again(self, scene: Scene, busy: Busy) -> None:
        worker, order, _ = busy()

        scene.open(generation=2)
        scene.greet(worker, order.token)
        worker.finish(order)
        scene.step()

        assert worker.orders() == []

    def test_the_time_a_job_has_run_already_counts_for_its_limit(self, scene: Scene, busy: Busy) -> None:
        worker, order, _ = busy(timeout_s=60.0)
        with (side_dir(scene.path) / "locks" / worker.name).open("w+b") as lock:
            write_record(lock.fileno(), order.token, pid=4711, began=scene.clock_s)
        scene.clock_s += 50

        scene.open(generation=2)
        scene.step(after_s=9.0)
        assert worker.heard() == [Greeting(generation=2)]
        scene.step(after_s=1.0)
        assert worker.heard() == [Stop(token=order.token, why=Why.TIMEOUT)]


@pytest.mark.parametrize(("on_time", "attempts"), [(True, 1), (False, 1)])
def test_a_worker_that_dies_in_a_job_crashed_it(
    scene: Scene, busy: Busy, *, on_time: bool, attempts: int
) -> None:
    worker, order, job_id = busy()
    if not on_time:
        scene.open(generation=2)
        scene.step()

    scene.bury(worker, begun=[order.token])
    scene.step()

    job = scene.job(job_id)
    assert (job.state, job.signal, job.reason) == (
        State.CRASHED,
        9,
        "worker killed by SIGKILL",
    )
    assert len(scene.store.ledger.attempts(job_id)) == attempts
    assert Noted(name="w1") in scene.told()
    assert scene.store.workers.all() == []
    line = f"job {job_id} attempt 1: crashed, worker killed by SIGKILL; now crashed"
    assert scene.log.read_text().count(line) == 1


def test_what_a_dead_worker_printed_is_kept(scene: Scene, busy: Busy) -> None:
    worker, order, job_id = busy()
    (side_dir(scene.path) / "logs" / worker.name).write_bytes(b"last words")

    scene.bury(worker, begun=[order.token])
    scene.step()

    assert scene.store.ledger.attempts(job_id)[0].ending.output.head == b"last words"


@pytest.mark.parametrize("begun", [[], ["of-an-earlier-job"]])
def test_a_job_whose_worker_died_before_it_began_waits_again(
    scene: Scene, busy: Busy, begun: list[str]
) -> None:
    worker, _, job_id = busy()

    scene.bury(worker, begun=begun)
    scene.step()

    job = scene.job(job_id)
    assert (job.state, job.failures, job.crashes) == (State.READY, 0, 0)


def test_a_job_of_which_nobody_can_tell_whether_it_began_counts_as_begun(scene: Scene, busy: Busy) -> None:
    worker, _, job_id = busy()

    scene.bury(worker, begun=None)
    scene.step()

    assert scene.state(job_id) is State.CRASHED


def test_an_ending_that_came_before_the_death_of_its_worker_counts(scene: Scene, busy: Busy) -> None:
    worker, order, job_id = busy()

    worker.finish(order)
    scene.bury(worker, begun=[order.token])
    scene.step()

    assert scene.state(job_id) is State.SUCCEEDED
    assert scene.log.read_text() == ""  # and nothing came too late


def test_the_death_of_a_worker_that_nobody_knows_is_noted(scene: Scene, busy: Busy) -> None:
    worker, order, _ = busy()
    for _ in range(2):
        scene.bury(worker, begun=[order.token])
        scene.step()

    assert scene.told() == [Noted(name="w1"), Noted(name="w1")]


@pytest.mark.parametrize("kind", [Kind.CALL, Kind.SHELL])
def test_a_job_over_its_time_is_told_to_end_and_killed_after_the_grace(
    scene: Scene, busy: Busy, kind: Kind
) -> None:
    margin_s = 0.0 if kind is Kind.CALL else 5.0
    nudge = [Nudge(name="w1")] if kind is Kind.CALL else []
    worker, order, job_id = busy(kind=kind, timeout_s=60.0)

    scene.step(after_s=59.9)
    assert worker.heard() == []
    scene.step(after_s=0.1)
    assert worker.heard() == [Stop(token=order.token, why=Why.TIMEOUT)]
    assert scene.told() == nudge
    scene.step(after_s=9.9 + margin_s)
    assert scene.told() == []
    scene.step(after_s=0.1)
    assert scene.told() == [Kill(name="w1")]
    scene.bury(worker, begun=[order.token])
    scene.step()
    assert scene.job(job_id).reason == "stopped at its time limit, killed after the grace"
    assert scene.store.ledger.attempts(job_id)[0].ending.outcome is Outcome.TIMEOUT


def test_the_loop_wakes_for_the_time_limit_of_a_job(scene: Scene, busy: Busy) -> None:
    busy(timeout_s=0.25)

    assert scene.desk._timeout_s() == pytest.approx(0.25)


def test_a_worker_that_is_to_be_killed_gets_no_further_job(scene: Scene, busy: Busy) -> None:
    worker, order, _ = busy(timeout_s=1.0)
    following = scene.add()
    scene.step(after_s=1.0)
    scene.step(after_s=10.0)

    worker.finish(order, Outcome.TIMEOUT)
    scene.step()

    assert scene.state(following) is State.READY


def test_a_running_job_that_is_cancelled_is_told_so(scene: Scene, busy: Busy) -> None:
    worker, order, job_id = busy(retries=5)
    scene.store.orders.cancel(job_id, now=scene.now())

    scene.step()
    assert worker.heard() == [Stop(token=order.token, why=Why.CANCELLED)]
    assert scene.told() == [Nudge(name="w1")]
    worker.finish(order, Outcome.CANCELLED)
    scene.step()

    assert scene.state(job_id) is State.CANCELLED


@pytest.mark.parametrize("outcome", [Outcome.ERROR, Outcome.TIMEOUT, Outcome.CRASHED, Outcome.INTERRUPTED])
def test_a_cancel_that_crosses_a_bad_end_wins(scene: Scene, busy: Busy, outcome: Outcome) -> None:
    worker, order, job_id = busy(retries=5)

    scene.store.orders.cancel(job_id, now=scene.now())
    worker.finish(order, outcome)
    scene.step()

    assert scene.state(job_id) is State.CANCELLED
    assert Settled(tokens=[order.token]) in worker.heard()


def test_a_cancel_after_the_time_limit_wins_over_a_retry(scene: Scene, busy: Busy) -> None:
    worker, order, job_id = busy(retries=5, timeout_s=1.0)
    scene.step(after_s=1.0)

    scene.store.orders.cancel(job_id, now=scene.now())
    scene.step()
    worker.finish(order, Outcome.TIMEOUT)
    scene.step()

    assert scene.state(job_id) is State.CANCELLED


class TestShutdown:
    """The group is asked to end."""

    def test_nothing_more_is_claimed_and_running_jobs_go_on(self, scene: Scene, busy: Busy) -> None:
        worker, order, job_id = busy()
        following = scene.add()

        scene.shut_down()
        scene.step()
        assert (worker.heard(), scene.told()) == ([], [])
        worker.finish(order)
        scene.step()

        assert (scene.state(job_id), scene.state(following)) == (State.SUCCEEDED, State.READY)
        assert worker.heard() == [Settled(tokens=[order.token]), Leave()]
        assert scene.told() == [Drained()]

    def test_what_does_not_end_in_time_is_interrupted_then_killed_and_waits_again(
        self, scene: Scene, busy: Busy
    ) -> None:
        worker, order, job_id = busy({"drain_s": 30.0, "grace_s": 10.0})

        scene.shut_down()
        scene.step()
        scene.step(after_s=29.9)
        assert worker.heard() == []
        scene.step(after_s=0.1)
        assert worker.heard() == [Stop(token=order.token, why=Why.INTERRUPTED)]
        scene.step(after_s=10.0)
        assert scene.told() == [Nudge(name="w1"), Kill(name="w1")]
        scene.bury(worker, begun=[order.token])
        scene.step()

        job = scene.job(job_id)
        assert (job.state, job.failures, job.crashes) == (State.READY, 0, 0)
        assert scene.told() == [Noted(name="w1"), Drained()]

    def test_in_a_hurry_running_jobs_are_interrupted_at_once(self, scene: Scene, busy: Busy) -> None:
        worker, order, _ = busy()
        scene.shut_down()
        scene.step()

        scene.shut_down(hurry=True)
        scene.step()

        assert worker.heard() == [Stop(token=order.token, why=Why.INTERRUPTED)]

    def test_being_asked_again_gives_running_jobs_no_more_time(self, scene: Scene, busy: Busy) -> None:
        worker, order, _ = busy({"drain_s": 30.0})
        scene.shut_down()
        scene.step()

        scene.clock_s += 20
        scene.shut_down()
        scene.step()
        scene.step(after_s=10)

        assert worker.heard() == [Stop(token=order.token, why=Why.INTERRUPTED)]

    def test_it_is_written_down_for_the_day_after(self, scene: Scene, busy: Busy) -> None:
        busy()

        scene.shut_down()
        scene.step()

        assert [worker.stopping_at for worker in scene.store.workers.all()] == [scene.now()]

    def test_what_is_killed_meanwhile_was_interrupted(self, scene: Scene, busy: Busy) -> None:
        worker, order, job_id = busy()
        scene.shut_down()
        scene.step()

        scene.bury(worker, begun=[order.token])
        scene.step()

        assert (scene.state(job_id), scene.job(job_id).failures) == (State.READY, 0)

    def test_a_group_without_jobs_ends_at_once(self, scene: Scene) -> None:
        scene.open()
        worker = scene.hire()
        scene.step()

        scene.shut_down()
        scene.step()

        assert Leave() in worker.heard()
        assert scene.told() == [Drained()]


def test_a_burst_ends_when_nothing_is_due_any_more(scene: Scene, busy: Busy) -> None:
    worker, order, _ = busy({"burst": True})
    scene.add(run_at=scene.now() + timedelta(hours=1))

    scene.step()
    assert scene.told() == []
    worker.finish(order)
    scene.step()

    assert worker.heard() == [Settled(tokens=[order.token]), Leave()]
    assert scene.told() == [Drained()]


def test_a_burst_waits_for_all_its_workers_to_begin(scene: Scene) -> None:
    scene.open(burst=True, workers=2)
    scene.hire("w1")
    scene.step()
    assert scene.told() == []

    scene.hire("w2")
    scene.step()

    assert scene.told() == [Drained()]


class TestNoRoom:
    """The disk is full."""

    @pytest.fixture
    def full(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
        """Let the next commit fail as on a full disk; what is in it is rolled back."""
        group = scene.store.group

        @contextlib.contextmanager
        def failing() -> Iterator[None]:
            monkeypatch.setattr(scene.store, "group", group)
            with group():
                yield
                raise NoRoom("no room left")

        return lambda: monkeypatch.setattr(scene.store, "group", failing)

    def test_news_is_kept_and_committed_once_there_is_room(
        self, scene: Scene, busy: Busy, full: Callable[[], None]
    ) -> None:
        worker, order, job_id = busy()
        worker.finish(order, result="1")

        full()
        scene.step()
        assert (scene.state(job_id), worker.heard()) == (State.RUNNING, [])
        scene.step(after_s=0.9)
        assert scene.state(job_id) is State.RUNNING
        scene.step(after_s=0.1)

        assert (scene.state(job_id), worker.heard()) == (State.SUCCEEDED, [Settled(tokens=[order.token])])
        assert "no room left; trying again until" in scene.log.read_text()

    def test_it_is_tried_again_later_and_later(
        self, scene: Scene, busy: Busy, full: Callable[[], None]
    ) -> None:
        worker, order, _ = busy()
        worker.finish(order)

        full()
        scene.step()
        full()
        scene.step(after_s=1.0)

        assert scene.desk._patience.left_s(scene.clock_s) == 2.0
        assert scene.log.read_text().count("no room") == 1, "a line a minute is enough while it lasts"

    def test_a_death_that_is_told_again_meanwhile_counts_once(
        self, scene: Scene, busy: Busy, full: Callable[[], None]
    ) -> None:
        worker, order, job_id = busy()
        scene.bury(worker, begun=[order.token])
        full()
        scene.step()

        scene.bury(worker, begun=[order.token])
        scene.step(after_s=1.0)

        assert scene.state(job_id) is State.CRASHED
        assert scene.told() == [Noted(name="w1")]

    def test_what_a_dead_worker_printed_is_not_lost_with_the_first_try(
        self, scene: Scene, busy: Busy, full: Callable[[], None]
    ) -> None:
        worker, order, job_id = busy()
        (side_dir(scene.path) / "logs" / worker.name).write_bytes(b"last words")
        scene.bury(worker, begun=[order.token])

        full()
        scene.step()
        scene.step(after_s=1.0)

        assert scene.store.ledger.attempts(job_id)[0].ending.output.head == b"last words"

    def test_time_limits_hold_meanwhile(self, scene: Scene, busy: Busy, full: Callable[[], None]) -> None:
        worker, order, _ = busy({"workers": 2}, timeout_s=0.5)
        worker.say(Ask(number=1, jobs=[]))

        full()
        scene.step()
        scene.step(after_s=0.5)

        assert Stop(token=order.token, why=Why.TIMEOUT) in worker.heard()

    def test_the_loop_wakes_for_them_meanwhile(
        self, scene: Scene, busy: Busy, full: Callable[[], None]
    ) -> None:
        worker, _, _ = busy({"workers": 2}, timeout_s=0.5)
        worker.say(Ask(number=1, jobs=[]))

        full()
        scene.step()

        assert scene.desk._timeout_s() == pytest.approx(0.5)


class TestCheckpoint:
    """The WAL is due to be emptied, and somebody hinders it."""

    @pytest.fixture
    def wal(self, scene: Scene) -> Path:
        """Give a WAL that nobody has written to for long."""
        scene.add()
        wal = Path(f"{scene.path}-wal")
        os.utime(wal, (0, 0))
        return wal

    @pytest.fixture
    def tries(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """Note when it is tried."""
        tried: list[float] = []
        checkpoint = scene.store.checkpoint

        def noting(*, keeps_room: bool = False) -> bool:
            tried.append(scene.clock_s)
            return checkpoint(keeps_room=keeps_room)

        monkeypatch.setattr(scene.store, "checkpoint", noting)
        return tried

    def test_it_is_emptied_by_the_housekeeper(self, scene: Scene, wal: Path) -> None:
        scene.open()
        scene.step()

        assert wal.stat().st_size == 0

    def test_under_load_it_is_emptied_and_keeps_its_room(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(housekeeping, "WAL_LIMIT", 100_000)
        wal = Path(f"{scene.path}-wal")
        scene.open()

        largest = 0
        for _ in range(60):
            scene.add()
            scene.step(after_s=housekeeping.WAL_EVERY_S)
            largest = max(largest, wal.stat().st_size)

        assert 100_000 < wal.stat().st_size == largest < 200_000

    def test_under_load_it_is_emptied_though_the_housekeeper_sleeps(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(housekeeping, "WAL_LIMIT", 100_000)
        monkeypatch.setattr(housekeeping, "WAL_LARGEST", 400_000)
        sleeper = Role(side_dir(scene.path) / "housekeeper")
        assert sleeper.try_to_take()
        scene.open()

        for _ in range(60):
            scene.add()
            scene.step(after_s=housekeeping.WAL_EVERY_S)

        assert 200_000 < Path(f"{scene.path}-wal").stat().st_size < 300_000
        sleeper.give_up()

    def test_while_somebody_reads_it_is_tried_less_and_less_often(
        self, scene: Scene, wal: Path, tries: list[float]
    ) -> None:
        scene.open()
        with open_store(scene.path) as other:
            with other.reading():
                other.ledger.count(JobFilter())
                for _ in range(400):
                    scene.step(after_s=0.125)
                    os.utime(wal, (0, 0))
                waits = [after - before for before, after in itertools.pairwise(tries)]
                assert waits == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]
            scene.step(after_s=60.0)

        assert wal.stat().st_size == 0

    @pytest.mark.parametrize("error", [FileIsBusy("busy"), NoRoom("no room left")])
    def test_no_ending_waits_for_one_that_cannot_be_made(
        self, scene: Scene, busy: Busy, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        worker, order, job_id = busy()

        def failing(**_: bool) -> bool:
            raise error

        monkeypatch.setattr(scene.store, "checkpoint", failing)
        os.utime(f"{scene.path}-wal", (0, 0))
        scene.step(after_s=2.0)
        worker.finish(order)
        scene.step()

        assert scene.state(job_id) is State.SUCCEEDED
        assert "trying again" not in scene.log.read_text()


class TestRecovery:
    """A job runs by the file, and its whole group is gone."""

    @pytest.fixture
    def lost(self, scene: Scene) -> int:
        job_id = scene.add(retries=0)
        claim(scene.store, "ghost", now=scene.now(), new_token=lambda: "lost")
        return job_id

    def test_it_has_crashed_once_no_lock_and_no_process_is_left(self, scene: Scene, lost: int) -> None:
        scene.open()
        scene.step()

        job = scene.job(lost)
        assert (job.state, job.reason) == (State.CRASHED, "its worker died together with its supervisor")

    def test_what_it_printed_is_kept(self, scene: Scene, lost: int) -> None:
        lock = locks.take(side_dir(scene.path) / "locks" / "ghost")
        assert lock is not None
        write_record(lock, f"lost-{lost}")
        os.close(lock)
        (side_dir(scene.path) / "logs" / "ghost").write_bytes(b"last words")
        scene.open()
        scene.step()

        assert scene.store.ledger.attempts(lost)[0].ending.output.head == b"last words"

    def test_it_waits_again_if_its_worker_had_not_begun_it(self, scene: Scene, lost: int) -> None:
        lock = locks.take(side_dir(scene.path) / "locks" / "ghost")
        assert lock is not None
        write_record(lock, "of-an-earlier-job")
        os.close(lock)

        scene.open()
        scene.step()

        assert (scene.state(lost), scene.job(lost).failures) == (State.READY, 0)

    def test_it_is_left_alone_while_its_worker_lives(self, scene: Scene, lost: int) -> None:
        lock = locks.take(side_dir(scene.path) / "locks" / "ghost")
        assert lock is not None
        write_record(lock, f"lost-{lost}", pid=os.getpid(), ticks=start_ticks(os.getpid()) or 0)

        scene.open()
        scene.step()
        assert scene.state(lost) is State.RUNNING
        os.close(lock)
        scene.step(after_s=2.0)
        assert scene.state(lost) is State.CRASHED

    def test_it_is_left_alone_while_its_attempt_lock_is_held(self, scene: Scene, lost: int) -> None:
        lock = locks.take(side_dir(scene.path) / "locks" / f"lost-{lost}")
        assert lock is not None

        scene.open()
        scene.step()
        assert scene.state(lost) is State.RUNNING
        os.close(lock)
        scene.step(after_s=2.0)
        assert scene.state(lost) is State.CRASHED

    def test_one_dispatcher_of_a_file_does_it(self, scene: Scene, lost: int) -> None:
        holder = os.open(side_dir(scene.path) / "housekeeper", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(holder, fcntl.LOCK_EX)
        scene.open()
        scene.step()
        os.close(holder)

        assert scene.state(lost) is State.RUNNING


def test_a_job_file_that_was_replaced_ends_the_dispatcher(scene: Scene, tmp_path: Path) -> None:
    scene.open()
    scene.step()
    scene.path.rename(tmp_path / "moved")
    scene.path.write_bytes(b"another")

    with pytest.raises(JobFileUnusable, match="was replaced"):
        scene.step()


def test_a_dispatcher_says_that_it_has_opened_and_ends_when_its_supervisor_hangs_up(scene: Scene) -> None:
    scene.open()
    scene.boss.hang_up()

    scene.desk.run()
    scene.desk.close()

    assert scene.told() == [Opened()]
    scene._desk_closers.pop_all()
    scene.boss.close()
    scene.desk._control.close()


def test_a_ring_for_work_wakes_a_dispatcher(scene: Scene) -> None:
    scene.open()
    scene.step()

    ring(side_dir(scene.path), Tone.WORK)

    assert scene.desk._bell.wait(10.0)


def test_a_dispatcher_whose_supervisor_is_gone_ends_without_a_word(
    scene: Scene, capfd: pytest.CaptureFixture[str]
) -> None:
    boss, control = pair(side_dir(scene.path) / "spool")
    boss.close()
    settings = Settings(
        path=scene.path,
        workers=1,
        queues=(),
        burst=False,
        drain_s=1.0,
        grace_s=1.0,
        group_pid=77,
        generation=1,
    )

    assert dispatcher.run(settings, control, World()) == 0

    control.close()
    assert capfd.readouterr().err == ""


def test_an_idle_dispatcher_writes_nothing(scene: Scene) -> None:
    scene.open()
    scene.hire()
    scene.step()
    scene.step()
    log = Path(f"{scene.path}-wal")
    before = log.stat().st_size

    for _ in range(5):
        scene.step(after_s=1.0)

    assert log.stat().st_size == before
    assert scene.store.ledger.count(JobFilter()) == 0


def test_an_ending_of_a_job_that_is_not_ours_is_answered_and_changes_nothing(
    scene: Scene, busy: Busy
) -> None:
    worker, _, job_id = busy()

    worker.say(Ended(token="nobody's", ending=Ending(outcome=Outcome.OK)))
    scene.step()
    scene.step(after_s=1.0)

    assert worker.heard() == [Settled(tokens=["nobody's"])]
    assert scene.state(job_id) is State.RUNNING


def test_the_last_words_of_a_worker_are_heard_to_their_end(busy: Busy, scene: Scene) -> None:
    worker, order, job_id = busy()
    for lost in ("one", "another"):
        worker.finish(replace(order, token=lost), result="x" * LARGEST_PACKET)
    for file in (side_dir(scene.path) / "spool").iterdir():
        file.unlink()
    worker.finish(order)

    scene.bury(worker, begun=[order.token])
    scene.step()

    assert scene.state(job_id) is State.SUCCEEDED


def test_a_job_does_not_wait_behind_many_that_are_too_late(scene: Scene) -> None:
    scene.open()
    worker = scene.hire()
    late = NewJob(kind=Kind.CALL, task="app:late", priority=1, expires_at=scene.now() + timedelta(seconds=1))
    scene.store.intake.add([late] * 2 * PROMOTED_AT_ONCE, now=scene.now())
    job_id = scene.add()
    scene.clock_s += 10

    waited_s = []
    while scene.state(job_id) is State.READY:
        scene.step()
        waited_s.append(scene.desk._timeout_s())

    assert sum(waited_s[:-1]) == 0
    assert [run.job_id for run in worker.orders()] == [job_id]
