"""The worker's loop between a fake dispatcher and functions that ask, end and leave threads."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

import jobrun
from jobrun import locks, worker
from jobrun.model import Kind, Outcome
from jobrun.paths import side_dir
from jobrun.signals import NUDGE
from jobrun.store.opening import make_side_folders
from jobrun.wire.channel import Channel, pair
from jobrun.wire.messages import Answer, Ask, Ended, Message, Run, Stop, Why

DEADLINE_S = 4.0  # below the worker's own look at its socket, which comes without being woken

Heard = TypeVar("Heard", bound=Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The dispatcher of one worker."""

    channel: Channel
    pid: int

    def order(self, task: str, *args: Any) -> str:
        """Have a function of this module run, and return the token of the attempt."""
        token = f"t{time.monotonic_ns()}"
        self.channel.send(
            Run(
                token=token,
                job_id=1,
                attempt=1,
                max_attempts=1,
                kind=Kind.CALL,
                task=f"{__name__}:{task}",
                args=list(args),
                kwargs={},
                queue="default",
                name=None,
                grace_s=1.0,
            )
        )
        return token

    def hear(self, kind: type[Heard]) -> Heard:
        """Return the next message, which must be of one kind."""
        ready, _, _ = select.select([self.channel], [], [], DEADLINE_S)
        assert ready, f"no {kind.__name__} came"
        message = self.channel.receive()
        assert isinstance(message, kind)
        return message


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Be the dispatcher of a worker that runs in a fork."""
    path = tmp_path / "jobs.db"
    path.touch()
    make_side_folders(path)
    lock = locks.take(side_dir(path) / "locks" / "w1")
    assert lock is not None
    ours, theirs = pair(side_dir(path) / "spool")
    pid = os.fork()
    if pid == 0:
        ours.close()
        worker.run(worker.Post(name="w1", job_file=path, channel=theirs, lock=lock, import_paths=()))
        os._exit(0)
    theirs.close()
    os.close(lock)
    yield Desk(channel=ours, pid=pid)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    ours.close()


def asks() -> int:
    return jobrun.enqueue("a:b")


def leaves_a_thread_that_asks(go: str, told: str) -> None:
    def ask() -> None:
        try:
            jobrun.enqueue("a:b")
        except jobrun.JobrunError as error:
            Path(told).write_text(str(error))

    threading.Thread(target=ask, daemon=True).start()
    while not Path(go).exists():
        time.sleep(0.001)


def leaves_a_thread_that_will_ask(go: str, told: str) -> None:
    def ask() -> None:
        while not Path(go).exists():
            time.sleep(0.001)
        with open(told, "w", encoding="utf-8") as file:
            try:
                jobrun.enqueue("a:b")
            except jobrun.JobrunError as error:
                file.write(f"{error}\n")

    threading.Thread(target=ask, daemon=True).start()


def returns() -> None: ...


def test_a_stop_that_lies_behind_an_answer_is_heard(desk: Desk) -> None:
    token = desk.order("asks")
    ask = desk.hear(Ask)
    os.kill(desk.pid, signal.SIGSTOP)
    os.waitpid(desk.pid, os.WUNTRACED)

    desk.channel.send(Answer(number=ask.number, error="no"))
    desk.channel.send(Stop(token=token, why=Why.CANCELLED))
    os.kill(desk.pid, NUDGE)
    os.kill(desk.pid, signal.SIGCONT)

    assert desk.hear(Ended).ending.outcome is Outcome.CANCELLED


def test_a_thread_that_still_asks_when_its_call_ends_takes_no_message_from_the_next(
    desk: Desk, tmp_path: Path
) -> None:
    go, told = tmp_path / "go", tmp_path / "told"
    first = desk.order("leaves_a_thread_that_asks", str(go), str(told))
    desk.hear(Ask)

    go.touch()

    assert desk.hear(Ended).token == first
    for _ in range(20):
        token = desk.order("returns")
        assert desk.hear(Ended).token == token
    assert told.read_text() == "the job ended meanwhile; look whether the jobs were added"


def test_a_thread_that_asks_when_its_call_has_ended_is_refused(desk: Desk, tmp_path: Path) -> None:
    go, told = tmp_path / "go", tmp_path / "told"
    os.mkfifo(told)
    desk.order("leaves_a_thread_that_will_ask", str(go), str(told))
    desk.hear(Ended)

    go.touch()

    assert told.read_text() == "a job that has ended cannot enqueue\n"
