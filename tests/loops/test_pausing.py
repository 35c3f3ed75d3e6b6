"""Paused queues, as a dispatcher heeds them: nothing begins in them, and what runs goes on."""

from __future__ import annotations

from datetime import datetime, timedelta

from jobrun.measures import Pause
from jobrun.model import Outcome, State
from jobrun.queues import reserved_queue
from jobrun.wire.messages import Drained
from tests.loops.conftest import Scene


def pause(scene: Scene, queue: str = "mail", *, until: datetime | None = None) -> None:
    scene.store.pauses.begin(Pause(queue=queue, since=scene.now(), until=until, by="ann", reason=None))


def test_in_a_paused_queue_nothing_begins_and_others_go_on(scene: Scene) -> None:
    scene.open(workers=2)
    scene.hire("w1")
    scene.hire("w2")
    pause(scene)
    mail, other = scene.add(queue="mail", priority=9), scene.add()

    scene.step()

    assert (scene.state(mail), scene.state(other)) == (State.READY, State.RUNNING)


def test_workers_of_a_paused_queue_alone_have_nothing_to_do(scene: Scene) -> None:
    scene.open(queues=("mail", "bulk"))
    scene.hire()
    for queue in ("mail", "bulk"):
        pause(scene, queue)
    mail = scene.add(queue="mail")

    scene.step()

    assert scene.state(mail) is State.READY


def test_who_resumes_a_queue_wakes_the_dispatcher(scene: Scene) -> None:
    scene.open()
    scene.hire()
    pause(scene)
    mail = scene.add(queue="mail")
    scene.step()

    scene.store.pauses.end("mail", now=scene.now())

    assert scene.desk._poll.poll(0) != []
    scene.step()
    assert scene.state(mail) is State.RUNNING


def test_a_pause_that_ends_by_itself_is_slept_through_to_the_moment(scene: Scene) -> None:
    scene.open()
    scene.hire()
    pause(scene, until=scene.now() + timedelta(seconds=0.25))
    mail = scene.add(queue="mail")
    scene.step()
    scene.step()
    assert scene.desk._timeout_s() == 0.25

    scene.step(after_s=0.25)

    assert scene.state(mail) is State.RUNNING


def test_what_is_due_later_and_what_is_retried_wait_for_the_end_of_the_pause(scene: Scene) -> None:
    scene.open()
    worker = scene.hire()
    retried = scene.add(queue="mail", retries=1, backoff_s=10.0, max_backoff_s=10.0)
    scene.step()
    [order] = worker.orders()
    due_later = scene.add(queue="mail", run_at=scene.now() + timedelta(seconds=5))
    pause(scene)
    worker.finish(order, Outcome.ERROR, cause="no")
    scene.step()

    scene.step(after_s=60.0)
    scene.step()

    assert (scene.state(due_later), scene.state(retried)) == (State.READY, State.READY)
    assert worker.orders() == []


def test_a_running_job_of_a_queue_that_is_paused_goes_on(scene: Scene) -> None:
    scene.open()
    worker = scene.hire()
    mail = scene.add(queue="mail")
    scene.step()
    [order] = worker.orders()

    pause(scene)
    scene.step()
    worker.finish(order)
    scene.step()

    assert scene.state(mail) is State.SUCCEEDED


def test_what_was_claimed_ahead_is_taken_back_when_its_queue_is_paused(scene: Scene) -> None:
    scene.open()
    worker = scene.hire()
    scene.add(queue="mail")
    scene.step()
    worker.finish(worker.read(), took_s=0.00005)
    jobs = [scene.add(queue="mail") for _ in range(3)]
    other = scene.add()
    scene.step()
    begun = worker.read()
    assert [scene.state(job) for job in (*jobs, other)] == [State.RUNNING] * 4

    pause(scene)
    scene.step()
    scene.step()

    assert begun.job_id == jobs[0]
    assert [scene.state(job) for job in jobs] == [State.RUNNING, State.READY, State.READY]
    assert [scene.job(job).attempt for job in jobs] == [1, 0, 0]
    worker.finish(begun)
    scene.step()
    assert [order.job_id for order in worker.orders()] == [other]


def test_a_burst_leaves_what_is_in_a_paused_queue_and_says_so(scene: Scene) -> None:
    scene.open(burst=True)
    scene.hire()
    pause(scene)
    pause(scene, "bulk")
    mail = scene.add(queue="mail")

    scene.step()

    assert scene.told() == [Drained()]
    assert scene.state(mail) is State.READY
    assert "what waits in paused queues is left there: mail\n" in scene.log.read_text()


def test_a_run_in_the_foreground_is_not_held_back_by_a_pause(scene: Scene) -> None:
    reserved = reserved_queue("mail", 4711)
    scene.open(queues=(reserved,))
    scene.hire()
    pause(scene)
    mail = scene.add(queue=reserved)

    scene.step()

    assert scene.state(mail) is State.RUNNING
