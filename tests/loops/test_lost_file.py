"""What becomes of running jobs when their job file is taken away, or takes nothing until the end."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from jobrun import locks, procs
from jobrun.dispatcher import ballast
from jobrun.errors import JobFileUnusable, NoRoom
from jobrun.model import NO_OUTPUT, Ending, Kind, NewJob, Outcome, State, WorkerRow
from jobrun.paths import side_dir
from jobrun.store import Store
from jobrun.wire import shelf
from jobrun.wire.messages import Answer, Ask, Drained, Ended, Opened, Run, Settled
from tests.claims import claim
from tests.loops.conftest import FakeWorker, Scene

Busy = Callable[..., tuple[FakeWorker, Run, int]]


@pytest.fixture
def moved(scene: Scene, busy: Busy, tmp_path: Path) -> tuple[FakeWorker, Run, int]:
    """Let a worker end its job, and the file be moved away before that is written down."""
    worker, order, job_id = busy()
    worker.say(Ask(number=1, jobs=[NewJob(kind=Kind.CALL, task="app:more")]))
    worker.finish(order, result="42")
    scene.path.rename(tmp_path / "kept")
    return worker, order, job_id


def test_how_a_job_ended_is_kept_when_the_job_file_is_gone(
    scene: Scene, moved: tuple[FakeWorker, Run, int]
) -> None:
    worker, order, _ = moved

    assert scene.desk.run() == 4

    answer, settled = worker.heard()
    assert isinstance(answer, Answer)
    assert "was removed while it was in use" in (answer.error or "")
    assert settled == Settled(tokens=[order.token], is_shelved=True)
    assert scene.told() == [Opened(), Drained()]
    kept = shelf.find(side_dir(scene.path) / "spool", order.token)
    assert kept is not None
    assert (kept.ending.outcome, kept.ending.result, kept.pid) == (Outcome.OK, "42", 4711)
    assert scene.log.read_text().count("was removed") == 1
    assert "1 ends are kept" in scene.log.read_text()
    _let_go(scene)


def test_an_end_that_was_kept_is_written_once_the_file_is_back(
    scene: Scene, moved: tuple[FakeWorker, Run, int], tmp_path: Path
) -> None:
    worker, _, job_id = moved
    scene.desk.run()
    _let_go(scene)
    (tmp_path / "kept").rename(scene.path)

    scene.store.workers.leave(worker.name)
    scene.workers.clear()
    scene.open()
    scene.step()

    [attempt] = scene.store.ledger.attempts(job_id)
    assert (scene.state(job_id), attempt.ending.outcome, attempt.ending.output) == (
        State.SUCCEEDED,
        Outcome.OK,
        NO_OUTPUT,
    )
    assert list((side_dir(scene.path) / "spool").iterdir()) == []


def test_a_kept_end_that_was_damaged_counts_for_nothing(tmp_path: Path) -> None:
    shelf.put(tmp_path, Ended(token="t", ending=Ending(outcome=Outcome.OK)))
    whole = (tmp_path / shelf.name("t")).read_bytes()
    assert shelf.find(tmp_path, "t") is not None

    for size in range(len(whole)):
        (tmp_path / shelf.name("t")).write_bytes(whole[:size])
        assert shelf.find(tmp_path, "t") is None


def test_a_group_that_is_told_to_end_on_a_full_disk_ends_and_keeps_how_its_jobs_ended(
    scene: Scene, busy: Busy, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, order, _ = busy({"drain_s": 0.0, "grace_s": 0.0})
    held = side_dir(scene.path) / ballast.BALLAST
    ballast.reserve(side_dir(scene.path))
    assert held.stat().st_blocks * 512 >= 1024 * 1024

    def full(*_: object, **__: object) -> None:
        raise NoRoom("no room left")

    monkeypatch.setattr(scene.store.workers, "stopping", full)
    monkeypatch.setattr(scene.store, "group", full)
    worker.finish(order)
    scene.shut_down(hurry=True)
    scene.step()
    scene.clock_s += 60

    assert scene.desk.run() == 4
    assert shelf.find(side_dir(scene.path) / "spool", order.token) is not None
    assert not held.exists()
    _let_go(scene)


def test_on_a_full_disk_the_wal_is_cut_off(scene: Scene, busy: Busy, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, order, job_id = busy()
    wal = Path(f"{scene.path}-wal")
    assert wal.stat().st_size > 0

    def full(*_: object, **__: object) -> None:
        raise NoRoom("no room left")

    with monkeypatch.context() as patch:
        patch.setattr(scene.store.endings, "settle_all", full)
        worker.finish(order)
        scene.step()
    assert wal.stat().st_size == 0
    assert (side_dir(scene.path) / ballast.BALLAST).exists()

    scene.step(after_s=2.0)
    assert scene.state(job_id) is State.SUCCEEDED


def test_a_running_job_whose_lock_file_was_removed_is_not_begun_again_while_its_worker_is_there(
    scene: Scene,
) -> None:
    child = os.fork()
    if child == 0:
        os.execvp("sleep", ["sleep", "600"])
    job_id = scene.add()
    _join(scene.store, scene, "w-other", pid=child)
    claim(scene.store, "w-other", now=scene.now(), new_token=lambda: "alive")
    scene.open()

    scene.step()
    assert scene.state(job_id) is State.RUNNING, "its process is a child of its supervisor still"

    lock = locks.take(side_dir(scene.path) / "locks" / "w-new")
    assert lock is not None
    ticks = procs.start_ticks(child) or 0
    os.pwrite(lock, f"{child} {ticks} {procs.boot_id()}\n".encode().ljust(128), 0)
    scene.step(after_s=60.0)
    assert scene.state(job_id) is State.CRASHED, "the pid is another worker's by now"
    os.close(lock)
    os.kill(child, 9)
    os.waitpid(child, 0)


def test_an_idle_worker_whose_lock_file_was_removed_is_not_struck_off(scene: Scene) -> None:
    child = os.fork()
    if child == 0:
        os.execvp("sleep", ["sleep", "600"])
    _join(scene.store, scene, "w-other", pid=child)
    scene.open()

    scene.step()
    assert [row.name for row in scene.store.workers.all()] == ["w-other"]

    os.kill(child, 9)
    os.waitpid(child, 0)
    scene.step(after_s=60.0)
    assert scene.store.workers.all() == []


def test_side_folders_that_were_removed_are_made_again(scene: Scene) -> None:
    scene.open()
    scene.step()
    for name in ("logs", "spool", "locks"):
        (side_dir(scene.path) / name).rmdir()

    scene.step(after_s=60.0)

    assert {path.name for path in side_dir(scene.path).iterdir() if path.is_dir()} == {
        "logs",
        "spool",
        "locks",
    }


def test_a_group_on_a_file_that_it_cannot_write_is_refused(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scene.store._database, "_gate", JobFileUnusable("no permission"))

    with pytest.raises(JobFileUnusable, match="no permission"):
        scene.store.check_is_writable()


def _let_go(scene: Scene) -> None:
    """Take away what the kernel takes from a dispatcher that has ended."""
    scene.desk.close()
    scene._desk_closers.pop_all()
    scene.boss.close()
    scene.desk._control.close()


def _join(store: Store, scene: Scene, name: str, *, pid: int) -> None:
    store.workers.join(
        WorkerRow(
            name=name,
            number=1,
            pid=pid,
            group_pid=os.getpid(),
            queues=(),
            started_at=scene.now(),
            stopping_at=None,
        )
    )
