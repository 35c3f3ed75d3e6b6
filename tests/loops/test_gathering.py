from __future__ import annotations

from jobrun.dispatcher.gathering import FED_S, GATHER_S
from jobrun.dispatcher.hands import AHEAD_S
from jobrun.model import Kind, NewJob, State
from jobrun.wire.messages import Run, Settled
from tests.loops.conftest import FakeWorker, Scene

TOOK_S = AHEAD_S / 20


def loaded(scene: Scene, count: int = 18) -> tuple[FakeWorker, list[Run]]:
    """Let a worker hold so many jobs that it is busy for some time."""
    scene.open()
    worker = scene.hire()
    for more in (1, count):
        new = [NewJob(kind=Kind.CALL, task="app:work")] * more
        scene.store.intake.add(new, now=scene.now())
        scene.step()
        if more == 1:
            worker.finish(worker.read(), took_s=TOOK_S)
            scene.step()
    scene.step(after_s=GATHER_S)
    worker.heard()
    return worker, worker.peek()


def test_ends_are_gathered_while_a_worker_has_enough_to_do(scene: Scene) -> None:
    worker, orders = loaded(scene)
    assert (len(orders) - 3) * TOOK_S > FED_S
    worker.finish(worker.read(), took_s=TOOK_S)
    scene.step()
    assert worker.heard() == [Settled(tokens=[orders[0].token])]

    for order in orders[1:3]:
        worker.finish(worker.read(), took_s=TOOK_S)
        scene.step()
        assert scene.state(order.job_id) is State.RUNNING
    scene.step(after_s=GATHER_S)

    assert worker.heard() == [Settled(tokens=[order.token for order in orders[1:3]])]


def test_what_else_is_new_takes_the_ends_along(scene: Scene) -> None:
    worker, orders = loaded(scene)
    for _ in range(2):
        worker.finish(worker.read(), took_s=TOOK_S)
        scene.step()
    assert scene.state(orders[1].job_id) is State.RUNNING

    scene.hire("w2", is_greeted=False)
    scene.step()

    assert scene.state(orders[1].job_id) is State.SUCCEEDED


def test_ends_are_gathered_while_nothing_waits_for_a_worker(scene: Scene) -> None:
    worker, orders = loaded(scene, count=2)
    for _ in orders:
        worker.finish(worker.read(), took_s=TOOK_S)
        scene.step()
    assert [scene.state(order.job_id) for order in orders] == [State.SUCCEEDED, State.RUNNING]

    scene.step(after_s=GATHER_S)

    assert scene.state(orders[1].job_id) is State.SUCCEEDED


def test_a_worker_that_has_little_left_waits_for_nothing(scene: Scene) -> None:
    worker, orders = loaded(scene, count=2)
    worker.finish(worker.read(), took_s=TOOK_S)
    scene.step()

    worker.finish(worker.read(), took_s=TOOK_S)
    scene.add()
    scene.step()

    assert scene.state(orders[1].job_id) is State.SUCCEEDED
    assert worker.orders()
