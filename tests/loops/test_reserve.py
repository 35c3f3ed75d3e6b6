from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from jobrun import locks
from jobrun.dispatcher.gathering import GATHER_S
from jobrun.dispatcher.hands import RESERVE
from jobrun.dispatcher.seat import HOLD_S
from jobrun.errors import NoRoom
from jobrun.model import Ending, Kind, NewJob, Outcome, State, WorkerRow
from jobrun.paths import side_dir
from jobrun.wire.channel import LARGEST_PACKET
from jobrun.wire.messages import UNASKED, Ended, Greeting, Hello, Kill, Run, Settled, Stop
from tests.loops.conftest import FakeWorker, Scene

Loaded = Callable[..., tuple[FakeWorker, list[Run]]]


def add(scene: Scene, count: int, task: str = "app:work") -> list[int]:
    new = NewJob(kind=Kind.CALL, task=task)
    return [added.id for added in scene.store.intake.add([new] * count, now=scene.now())]


@pytest.fixture
def loaded(scene: Scene) -> Loaded:
    """Let a worker show that a task is short, and then hold as many jobs of it as were added."""

    def load(count: int = 5, **settings: Any) -> tuple[FakeWorker, list[Run]]:
        scene.open(**settings)
        worker = scene.hire()
        add(scene, 1)
        scene.step()
        [first] = worker.orders()
        worker.finish(first, took_s=0.00005)
        add(scene, count)
        scene.step()
        worker.heard()
        return worker, worker.peek()

    return load


def no_room() -> NoReturn:
    raise NoRoom("no room left")


def states(scene: Scene, orders: list[Run]) -> list[State]:
    return [scene.state(order.job_id) for order in orders]


def test_short_jobs_are_handed_out_ahead_of_time(loaded: Loaded) -> None:
    _, orders = loaded(RESERVE + 40)

    assert len(orders) == RESERVE + 1


def test_of_a_task_that_nobody_knows_a_worker_gets_one_job(scene: Scene) -> None:
    scene.open()
    worker = scene.hire()
    add(scene, 5)

    scene.step()

    assert len(worker.orders()) == 1


def test_what_is_not_short_waits_for_a_worker_that_is_free(scene: Scene, loaded: Loaded) -> None:
    worker, orders = loaded(3)
    [long] = add(scene, 1, "app:long")
    add(scene, 1)

    worker.finish(worker.read(), took_s=0.0001)
    scene.step()

    assert scene.state(long) is State.READY
    assert len(worker.peek()) == len(orders) - 1


def test_all_that_ended_meanwhile_is_settled_in_one_answer(scene: Scene, loaded: Loaded) -> None:
    worker, orders = loaded(4)

    for _ in orders:
        worker.finish(worker.read(), took_s=0.0001)
    scene.step(after_s=GATHER_S)

    assert worker.heard() == [Settled(tokens=[order.token for order in orders])]
    assert set(states(scene, orders)) == {State.SUCCEEDED}


def test_what_waits_behind_a_job_that_takes_long_is_taken_back(scene: Scene, loaded: Loaded) -> None:
    worker, orders = loaded(4)
    worker.read()

    scene.step(after_s=2 * HOLD_S)

    assert worker.peek() == []
    assert states(scene, orders) == [State.RUNNING, *[State.READY] * 3]
    job = scene.job(orders[1].job_id)
    assert (job.attempt, job.failures, job.started_at, job.reason) == (0, 0, None, None)
    assert scene.store.ledger.attempts(job.id) == []


def test_a_retry_that_is_taken_back_is_still_to_come(scene: Scene, loaded: Loaded) -> None:
    worker, orders = loaded(2)
    for _ in orders:
        worker.finish(worker.read(), Outcome.ERROR, took_s=0.00005)
    scene.step(after_s=GATHER_S)
    before = scene.job(orders[1].job_id)
    scene.store.orders.retry([order.job_id for order in orders], now=scene.now())
    scene.step()
    assert scene.job(before.id).attempt == 2
    worker.read()

    scene.step(after_s=2 * HOLD_S)

    job = scene.job(before.id)
    assert (job.state, job.attempt, job.started_at) == (State.READY, 1, before.started_at)
    assert len(scene.store.ledger.attempts(before.id)) == 1


def test_what_is_taken_back_goes_to_whoever_is_free(scene: Scene, loaded: Loaded) -> None:
    worker, orders = loaded(4)
    worker.read()
    other = scene.hire("w2")

    scene.step(after_s=2 * HOLD_S)

    assert {order.job_id for order in other.orders()} == {order.job_id for order in orders[1:]}


def test_what_a_worker_has_read_is_never_taken_back(scene: Scene, loaded: Loaded) -> None:
    worker, orders = loaded(3)
    for _ in orders:
        worker.read()

    scene.step(after_s=2 * HOLD_S)
    scene.step(after_s=2 * HOLD_S)

    assert set(states(scene, orders)) == {State.RUNNING}


def test_a_worker_that_goes_on_keeps_its_reserve(scene: Scene, loaded: Loaded) -> None:
    worker, _ = loaded(8)

    for left in range(7, 0, -1):
        worker.finish(worker.read(), took_s=0.0001)
        scene.step(after_s=2 * HOLD_S)
        assert len(worker.peek()) == left


def test_after_a_death_what_was_begun_is_told_from_what_was_not(scene: Scene, loaded: Loaded) -> None:
    worker, orders = loaded(5)
    ended, lost, begun = (worker.read() for _ in range(3))
    worker.finish(ended)
    (side_dir(scene.path) / "logs" / worker.name).write_bytes(b"last words")

    scene.bury(worker, begun=[lost.token, begun.token])
    scene.step()

    assert states(scene, [ended, lost, begun]) == [State.SUCCEEDED, State.CRASHED, State.CRASHED]
    assert states(scene, orders[3:]) == [State.READY, State.READY]
    assert [scene.job(order.job_id).failures for order in orders[3:]] == [0, 0]
    heads = [scene.store.ledger.attempts(order.job_id)[0].ending.output.head for order in (lost, begun)]
    assert heads == [b"", b"last words"]


def test_an_attempt_names_the_process_that_ran_it(scene: Scene) -> None:
    scene.open()
    worker = scene.hire()
    pids: list[int | None] = []
    for said in (None, 4711):
        [job_id] = add(scene, 1)
        scene.step()
        order = worker.read()
        worker.say(Ended(token=order.token, ending=Ending(outcome=Outcome.OK), pid=said))
        scene.step(after_s=GATHER_S)
        pids.append(scene.store.ledger.attempts(job_id)[0].pid)

    assert pids == [scene.desk._seats.by_name[worker.name].pid, 4711]


def test_what_was_read_and_not_begun_waits_again_after_a_death(scene: Scene, loaded: Loaded) -> None:
    worker, _ = loaded(1)
    order = worker.read()

    scene.bury(worker, begun=[])
    scene.step()

    assert scene.state(order.job_id) is State.READY


def test_a_shutdown_takes_the_reserve_back(scene: Scene, loaded: Loaded) -> None:
    worker, orders = loaded(4)
    worker.read()

    scene.shut_down()
    scene.step()

    assert worker.peek() == []
    assert states(scene, orders) == [State.RUNNING, *[State.READY] * 3]


def test_a_cancelled_job_in_reserve_is_taken_back_and_ends(scene: Scene, loaded: Loaded) -> None:
    worker, orders = loaded(4)
    worker.read()
    scene.store.orders.cancel(orders[2].job_id, now=scene.now())

    scene.step()
    scene.step()

    job = scene.job(orders[2].job_id)
    assert (job.state, job.reason, job.attempt) == (State.CANCELLED, "cancelled before it ran", 0)
    assert not [message for message in worker.heard() if isinstance(message, Stop)]


def test_a_new_dispatcher_takes_back_what_nobody_has_read(scene: Scene, loaded: Loaded) -> None:
    worker, orders = loaded(4)
    ended, running = worker.read(), worker.read()

    scene.open(generation=2)
    scene.step()
    worker.heard()
    assert worker.peek() == []
    worker.say(Hello(generation=2, unsettled=[ended.token], running=running.token))
    worker.finish(ended)
    scene.step()
    scene.step(after_s=2 * GATHER_S)

    assert states(scene, [ended, running]) == [State.SUCCEEDED, State.RUNNING]
    again = [order for order in worker.peek() if order.job_id in {order.job_id for order in orders}]
    assert {order.token for order in again}.isdisjoint(order.token for order in orders)


def test_a_short_task_that_turns_long_is_handed_out_singly(scene: Scene, loaded: Loaded) -> None:
    worker, _ = loaded(1)
    worker.finish(worker.read(), Outcome.OK, took_s=1.0)
    add(scene, 3)

    scene.step()

    assert len(worker.peek()) == 1


def test_the_last_words_of_a_worker_are_heard_though_it_left_ours_unread(
    scene: Scene, loaded: Loaded
) -> None:
    worker, _ = loaded(3)
    ended, also_ended, begun = (worker.read() for _ in range(3))
    worker.finish(ended)
    scene.step()

    worker.finish(also_ended)
    worker.channel.close()  # with `Settled` in it
    scene.bury(worker, begun=[ended.token, also_ended.token, begun.token])
    scene.step()

    assert states(scene, [ended, also_ended, begun]) == [State.SUCCEEDED, State.SUCCEEDED, State.CRASHED]


def test_the_last_words_of_a_worker_are_heard_though_it_cannot_be_answered_any_more(
    scene: Scene, loaded: Loaded
) -> None:
    worker, _ = loaded(3)
    ended, also_ended, begun = (worker.read() for _ in range(3))

    def tokens_while_it_dies() -> Iterator[int]:
        worker.finish(also_ended)
        worker.channel.close()
        yield 99

    scene.tokens = tokens_while_it_dies()
    add(scene, 1)
    worker.finish(ended, took_s=0.0001)
    scene.step()
    scene.step(after_s=2 * GATHER_S)
    scene.bury(worker, begun=[ended.token, also_ended.token, begun.token])
    scene.step()

    assert states(scene, [ended, also_ended, begun]) == [State.SUCCEEDED, State.SUCCEEDED, State.CRASHED]


def test_a_worker_that_lost_an_order_gets_it_again_and_no_other_twice(scene: Scene, loaded: Loaded) -> None:
    worker, orders = loaded(4)
    lost = worker.read()

    worker.say(Hello(generation=UNASKED, unsettled=[]))
    scene.step()
    assert worker.peek() == []
    scene.greet(worker)
    scene.step()
    again = worker.read()
    worker.finish(again, took_s=0.0001)
    scene.step()

    assert again == lost
    assert [order.job_id for order in worker.peek()] == [order.job_id for order in orders[1:]]


def test_orders_whose_files_are_gone_are_handed_out_again_also_those_not_sent_yet(
    scene: Scene, loaded: Loaded
) -> None:
    worker, _ = loaded(0)
    worker.ends.orders.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    large = NewJob(kind=Kind.CALL, task="app:work", args=("x" * LARGEST_PACKET,))
    added = [each.id for each in scene.store.intake.add([large] * 20, now=scene.now())]
    scene.step()
    assert not scene.desk._seats.by_name[worker.name].orders.flush()
    spooled = list((side_dir(scene.path) / "spool").iterdir())
    for file in spooled:
        file.unlink()

    scene.step(after_s=2 * HOLD_S)
    scene.greet(worker)
    scene.step()
    again = worker.orders()
    scene.step()
    again += worker.orders()

    assert [order.job_id for order in again] == added[: len(spooled)]
    assert {scene.state(job_id) for job_id in added[len(spooled) :]} == {State.READY}


def test_a_second_answer_of_a_worker_repeats_no_order(scene: Scene, loaded: Loaded) -> None:
    worker, orders = loaded(4)

    worker.say(Hello(generation=1, unsettled=[]))
    scene.step()

    assert worker.peek() == orders


def test_what_a_worker_answered_to_an_earlier_greeting_counts_no_more(scene: Scene, loaded: Loaded) -> None:
    worker, orders = loaded(4)
    for _ in range(2):
        worker.say(Hello(generation=UNASKED, unsettled=[]))
        scene.step()
    old, new = (message for message in worker.heard() if isinstance(message, Greeting))

    worker.say(Hello(generation=1, number=old.number, unsettled=[]))
    scene.step()
    assert worker.peek() == []
    worker.say(Hello(generation=1, number=new.number, unsettled=[]))
    scene.step()

    assert [order.job_id for order in worker.peek()] == [order.job_id for order in orders]


def test_an_end_that_cannot_be_read_is_said_again_and_no_order_is_repeated(
    scene: Scene, loaded: Loaded
) -> None:
    worker, orders = loaded(4)
    order = worker.read()
    ended = Ended(token=order.token, ending=Ending(outcome=Outcome.OK, result=f'"{"x" * LARGEST_PACKET}"'))
    worker.say(ended)
    [spooled] = (side_dir(scene.path) / "spool").iterdir()
    spooled.unlink()

    scene.greet(worker, order.token)
    worker.say(ended)
    scene.step()
    scene.step(after_s=2 * GATHER_S)

    assert scene.state(order.job_id) is State.SUCCEEDED
    assert sorted(each.job_id for each in worker.peek()) == [each.job_id for each in orders[1:]]


def test_the_time_limit_of_a_job_that_has_ended_hurts_nobody_while_that_cannot_be_written(
    scene: Scene, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, _ = loaded(1)
    worker.finish(worker.read(), took_s=0.0001)
    limited = scene.add(timeout_s=1.0)
    add(scene, 1)
    scene.step()
    ended = worker.read()
    worker.read()
    scene.told()
    worker.heard()

    monkeypatch.setattr(scene.store, "group", no_room)
    worker.finish(ended, took_s=0.0001)
    for _ in range(20):
        scene.step(after_s=1.0)

    assert ended.job_id == limited
    assert (worker.heard(), scene.told()) == ([], [])


def test_who_is_killed_for_a_job_that_ended_just_then_does_not_cancel_the_next_one(
    scene: Scene, loaded: Loaded
) -> None:
    worker, _ = loaded(2, grace_s=0.0)
    cancelled = worker.read()
    scene.store.orders.cancel(cancelled.job_id, now=scene.now())
    scene.step()
    worker.finish(cancelled)
    assert any(isinstance(message, Kill) for message in scene.told())
    next_one = worker.read()

    scene.bury(worker, begun=[cancelled.token, next_one.token])
    scene.step()

    assert states(scene, [cancelled, next_one]) == [State.SUCCEEDED, State.CRASHED]


def test_what_ended_before_a_death_has_ended_though_the_dispatcher_spoke_to_the_dead_first(
    scene: Scene, loaded: Loaded
) -> None:
    worker, orders = loaded(3)
    for _ in orders:
        worker.finish(worker.read())
    worker.channel.close()
    scene.desk._seats.greet(scene.desk._seats.by_name[worker.name])

    scene.bury(worker, begun=[order.token for order in orders])
    scene.step()

    assert set(states(scene, orders)) == {State.SUCCEEDED}


def test_who_was_given_a_job_while_found_dead_keeps_the_file_that_tells_what_it_began(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = side_dir(scene.path) / "locks" / "w9"
    lock.touch()
    row = WorkerRow(
        name="w9", number=1, pid=1, group_pid=1, queues=(), started_at=scene.now(), stopping_at=None
    )
    scene.store.workers.join(row)
    add(scene, 1)
    give: dict[str, Any] = {"limit": 1, "queues": (), "now": scene.now(), "new_token": lambda: "late"}

    def given_a_job_meanwhile(_path: Path) -> bool:
        scene.store.queue.claim(lambda _task: "w9", **give)
        return False

    monkeypatch.setattr(locks, "is_held", given_a_job_meanwhile)
    scene.open()
    scene.step()

    assert scene.store.workers.get("w9") is not None
    assert lock.exists()
