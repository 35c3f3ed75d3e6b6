"""The proof that nothing of an attempt is alive, and the end of what is: real locks, real processes, no clock."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from jobrun import locks, procs
from jobrun.dispatcher.recovery import GRACE_S, Recovery
from jobrun.locks.records import Recorder
from jobrun.model import Job, Kind, NewJob, WorkerRow
from jobrun.paths import side_dir
from jobrun.store import open_store
from jobrun.units import from_ms
from tests.claims import claim
from tests.lockfiles import write_record

_TOKEN = f"recovery{os.getpid()}"  # like no other: all processes of the machine are looked at
OURS = f"{_TOKEN}-1"
DEADLINE_S = 30.0  # for what takes a moment: a loaded machine is no failure
NOW = from_ms(1_800_000_000_000)
# It outlives TERM, tells of it, and repeats what it hears.
STUBBORN = "trap 'echo TERM' TERM; echo ready; while :; do read -r word && echo \"$word\"; done"


@dataclass(frozen=True, slots=True)
class Stray:
    """A process that a dead group left behind."""

    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    def says(self) -> str:
        assert self.process.stdout is not None
        found = b""
        while not found.endswith(b"\n"):
            assert select.select([self.process.stdout], [], [], DEADLINE_S)[0], "it says nothing"
            piece = self.process.stdout.read(1)
            assert piece, f"it is dead, after `{found!r}`"
            found += piece
        return found.decode().rstrip("\n")

    def is_unhurt(self) -> bool:
        """Say whether it lives, and was sent nothing since it was asked last."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"still here\n")
        return self.says() == "still here"


@dataclass(frozen=True, slots=True)
class Remains:
    """A running job whose group is gone, and the side folder of its job file."""

    job: Job
    side: Path
    recovery: Recovery
    leave: Callable[..., Stray]  # a process with some variables and descriptors

    @property
    def worker_lock(self) -> Path:
        return self.side / "locks" / "w1"

    @property
    def attempt_lock(self) -> Path:
        return self.side / "locks" / str(self.job.token)

    def is_dead(self, worker: WorkerRow | None = None, *, after_s: float = 0.0) -> bool:
        return self.recovery.proven_dead(self.job, worker, monotonic=1000.0 + after_s)

    def marked(self) -> dict[str, str]:
        assert self.job.token is not None
        return {"JOBRUN_TOKEN": self.job.token}


@pytest.fixture
def remains(tmp_path: Path) -> Iterator[Remains]:
    path = tmp_path / "jobs.db"
    with contextlib.ExitStack() as undo:
        store = undo.enter_context(open_store(path, create=True))
        store.intake.add([NewJob(kind=Kind.CALL, task="app:f")], now=NOW)
        [job] = claim(store, "w1", now=NOW, new_token=lambda: _TOKEN)

        def leave(*fds: int, **variables: str) -> Stray:
            process = subprocess.Popen(
                ["sh", "-c", STUBBORN],
                env={"PATH": os.environ["PATH"], **variables},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                pass_fds=fds,
            )
            undo.enter_context(process)
            undo.callback(process.kill)
            stray = Stray(process)
            assert stray.says() == "ready"
            return stray

        side = side_dir(path)
        yield Remains(job, side, Recovery(side), leave)


@contextlib.contextmanager
def held(path: Path) -> Iterator[int]:
    fd = locks.take(path)
    assert fd is not None
    try:
        yield fd
    finally:
        os.close(fd)


def row(group_pid: int) -> WorkerRow:
    return WorkerRow(
        name="w1", number=1, pid=1, group_pid=group_pid, queues=(), started_at=NOW, stopping_at=None
    )


def test_where_no_lock_is_held_and_no_process_has_the_mark_an_attempt_is_dead(remains: Remains) -> None:
    remains.leave(JOBRUN_TOKEN="that of another")

    assert remains.is_dead()


def test_what_has_the_mark_is_told_to_end_once_and_killed_after_its_grace(remains: Remains) -> None:
    stray = remains.leave(**remains.marked())

    assert not remains.is_dead()
    assert stray.says() == "TERM"
    assert not remains.is_dead(after_s=GRACE_S - 0.001)
    assert stray.is_unhurt()
    assert not remains.is_dead(after_s=GRACE_S)
    assert stray.process.wait(DEADLINE_S) == -9
    assert remains.is_dead(after_s=GRACE_S)


def test_what_shed_the_mark_and_kept_the_lock_of_the_attempt_is_ended_too(remains: Remains) -> None:
    with held(remains.attempt_lock) as fd:
        stray = remains.leave(fd)

    assert not remains.is_dead()
    assert stray.says() == "TERM"


def test_while_somebody_unseen_holds_the_lock_of_the_attempt_it_is_not_dead(remains: Remains) -> None:
    with held(remains.attempt_lock):  # by ourselves, whom nobody would end
        assert not remains.is_dead()

    assert remains.is_dead()


@pytest.mark.parametrize("is_known", [True, False])
def test_while_its_worker_lives_nothing_is_ended(remains: Remains, is_known: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    stray = remains.leave(**remains.marked())
    with held(remains.worker_lock) as fd:
        if is_known:
            ticks = procs.start_ticks(os.getpid())
            assert ticks is not None
            write_record(fd, pid=os.getpid(), ticks=ticks)

        assert not remains.is_dead()
        assert stray.is_unhurt()


def test_what_holds_the_lock_of_a_dead_worker_is_ended(remains: Remains) -> None:
    with held(remains.worker_lock) as fd:
        write_record(fd, pid=os.getpid(), ticks=1)  # the pid was given to another
        stray = remains.leave(fd)

    assert not remains.is_dead(row(group_pid=1))
    assert stray.says() == "TERM"


def test_what_holds_the_lock_of_a_dead_worker_is_left_to_a_supervisor_that_holds_it_too(
    remains: Remains,
) -> None:
    with held(remains.worker_lock) as fd:
        write_record(fd, pid=os.getpid(), ticks=1)
        supervisor, stray = remains.leave(fd), remains.leave(fd, **remains.marked())

    assert not remains.is_dead(row(group_pid=supervisor.pid))
    assert supervisor.is_unhurt()
    assert stray.is_unhurt()


def test_while_nobody_is_seen_to_hold_the_lock_of_a_dead_worker_its_job_is_not_dead(remains: Remains) -> None:
    with held(remains.worker_lock) as fd:
        write_record(fd, pid=os.getpid(), ticks=1)

        assert not remains.is_dead()


@pytest.mark.parametrize(
    ("begun", "boot", "was_begun"),
    [
        ([OURS], procs.boot_id(), True),
        (["another", OURS], procs.boot_id(), True),
        (["another"], procs.boot_id(), False),
        ([], procs.boot_id(), False),
        ([], "earlier", True),  # a power cut may have taken what was written last
        (None, "", True),
    ],
)
def test_an_attempt_was_begun_unless_its_worker_surely_did_not(
    remains: Remains, begun: list[str] | None, boot: str, *, was_begun: bool
) -> None:
    if begun is not None:
        with held(remains.worker_lock) as fd:
            recorder = Recorder(fd, pid=1, ticks=1, boot=boot)
            for token in begun:
                recorder.note(token)

    assert remains.recovery.was_begun(remains.job) == was_begun


@pytest.mark.parametrize(("begun", "head"), [([OURS], b"hello"), ([OURS, "later"], b""), (None, b"")])
def test_the_output_of_a_worker_is_that_of_what_it_began_last(
    remains: Remains, begun: list[str] | None, head: bytes
) -> None:
    (remains.side / "logs" / "w1").write_bytes(b"hello")
    if begun is not None:
        with held(remains.worker_lock) as fd:
            write_record(fd, *begun)

    assert remains.recovery.output_of(remains.job).head == head


def test_a_settled_attempt_leaves_no_lock_and_its_grace_begins_anew(remains: Remains) -> None:
    with held(remains.attempt_lock) as fd:
        stray = remains.leave(fd)
    assert not remains.is_dead()
    assert stray.says() == "TERM"

    remains.recovery.forget(remains.job)

    assert not remains.attempt_lock.exists()
    again = remains.leave(**remains.marked())
    assert not remains.is_dead(after_s=GRACE_S)
    assert again.says() == "TERM"
