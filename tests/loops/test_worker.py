"""The worker's loop between a fake dispatcher and functions that ask, end and leave threads."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import pytest

import jobrun
from jobrun import locks, procs, worker
from jobrun.model import Ending, Kind, Leftovers, Outcome, Terms
from jobrun.paths import side_dir
from jobrun.signals import NUDGE
from jobrun.store.opening import make_side_folders
from jobrun.wire.channel import Channel, pair
from jobrun.wire.messages import (
    UNASKED,
    Answer,
    Ask,
    Ended,
    Greeting,
    Hello,
    Message,
    Retiring,
    Run,
    Settled,
    Stop,
    Why,
)

DEADLINE_S = 4.0  # below the worker's own look at its socket, which comes without being woken

Heard = TypeVar("Heard", bound=Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The dispatcher of one worker."""

    channel: Channel
    orders: Channel
    pid: int

    def order(self, task: str, *args: Any, **options: Any) -> str:
        """Have a function of this module run, and return the token of the attempt."""
        return self._order(Kind.CALL, f"{__name__}:{task}", *args, **options)

    def shell(self, line: str, **options: Any) -> str:
        """Have a shell line run, and return the token of the attempt."""
        return self._order(Kind.SHELL, line, **options)

    def _order(self, kind: Kind, task: str, *args: Any, **options: Any) -> str:
        token = f"t{time.monotonic_ns()}"
        run = Run(
            token=token,
            job_id=1,
            attempt=1,
            max_attempts=1,
            kind=kind,
            task=task,
            args=list(args),
            kwargs={},
            queue="default",
            name=None,
            grace_s=1.0,
            **options,
        )
        self.orders.send(run)
        return token

    def ending(self) -> Ending:
        return self.hear(Ended).ending

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
    orders, takes = pair(side_dir(path) / "spool")
    pid = os.fork()
    if pid == 0:
        ours.close()
        orders.close()
        post = worker.Post(name="w1", job_file=path, channel=theirs, orders=takes, lock=lock, import_paths=())
        worker.run(post)
        os._exit(0)
    theirs.close()
    takes.close()
    os.close(lock)
    yield Desk(channel=ours, orders=orders, pid=pid)
    procs.send_below(procs.descendants([pid]), signal.SIGKILL)
    os.waitpid(pid, 0)
    ours.close()
    orders.close()


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


def prints_and_takes_the_folder_of_outputs_away(logs: str) -> None:
    os.write(1, b"told\n")
    shutil.rmtree(logs)


def waits_for(go: str, told: str) -> None:
    Path(told).touch()
    while not Path(go).exists():
        time.sleep(0.001)


def leaves_a_mark(path: str) -> None:
    Path(path).touch()


def tells_where_it_runs() -> list[Any]:
    umask = os.umask(0)
    return [str(Path.cwd()), umask, os.environ.get("COLOUR"), "PATH" in os.environ]


def prints_and_exits(code: int) -> NoReturn:
    print("told")  # noqa: T201 -- it is a job
    sys.exit(code)


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


LEAVES_A_DAEMON = "setsid sleep 60 >/dev/null 2>&1 & echo $!"


def test_what_a_job_keeps_survives_the_jobs_after_it(desk: Desk) -> None:
    desk.shell(LEAVES_A_DAEMON, terms=Terms(leftovers=Leftovers.KEEP), environment=dict(os.environ))
    kept = desk.ending()
    desk.shell(LEAVES_A_DAEMON, environment=dict(os.environ))
    ended = desk.ending()
    desk.order("returns")
    desk.ending()

    assert (kept.note, ended.note) == ("left 1 process, kept", "left 1 process, ended")
    assert procs.start_ticks(int(kept.output.head)) is not None
    assert procs.start_ticks(int(ended.output.head)) is None


def test_what_a_kept_process_prints_later_is_not_of_the_next_job(desk: Desk, tmp_path: Path) -> None:
    go, said = tmp_path / "go", tmp_path / "said"
    for fifo in (go, said):
        os.mkfifo(fifo)
    around = dict(os.environ)
    desk.shell(
        f"(read x <{go}; echo later; echo >{said}) &",
        terms=Terms(leftovers=Leftovers.KEEP),
        environment=around,
    )
    desk.shell(f"echo >{go}; read x <{said}; echo mine", environment=around)

    assert [desk.ending().output.head for _ in range(2)] == [b"", b"mine\n"]


def test_what_a_stopped_job_would_have_kept_ends_with_it(desk: Desk, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    os.mkfifo(begun)
    keep = Terms(leftovers=Leftovers.KEEP)
    token = desk.shell(
        f"{LEAVES_A_DAEMON}; echo > {begun}; sleep 60", terms=keep, environment=dict(os.environ)
    )
    begun.read_text()
    desk.channel.send(Stop(token=token, why=Why.DEADLINE))

    ending = desk.ending()

    assert (ending.outcome, ending.is_permanent) == (Outcome.TIMEOUT, True)
    assert ending.cause == "stopped at its deadline, killed by SIGTERM"
    assert list(procs.descendants([desk.pid])) == [desk.pid]


def test_a_call_runs_where_its_surroundings_say_and_the_next_where_it_ran_before(
    desk: Desk, tmp_path: Path
) -> None:
    desk.order("tells_where_it_runs", cwd=str(tmp_path), umask=0o27, environment={"COLOUR": "blue"})
    desk.order("tells_where_it_runs")

    assert json.loads(desk.ending().result or "") == [str(tmp_path), 0o27, "blue", True]
    assert json.loads(desk.ending().result or "") == [str(Path.cwd()), _umask(), None, True]


def test_a_call_whose_directory_is_not_there_fails_for_good(desk: Desk) -> None:
    desk.order("returns", cwd="/nowhere")

    ending = desk.ending()

    assert (ending.outcome, ending.is_permanent) == (Outcome.ERROR, True)
    assert ending.cause == "cannot enter directory `/nowhere`"


def test_a_call_that_discards_its_output_leaves_none_and_the_next_prints_again(desk: Desk) -> None:
    desk.order("prints_and_exits", 0, terms=Terms(discards_output=True))
    desk.order("prints_and_exits", 0)

    assert desk.ending().output.size == 0
    assert desk.ending().output.head == b"told\n"


def test_a_worker_that_cannot_keep_output_any_more_begins_no_further_job(desk: Desk, tmp_path: Path) -> None:
    token = desk.order("prints_and_takes_the_folder_of_outputs_away", str(tmp_path / "jobs.db.d" / "logs"))
    desk.order("leaves_a_mark", str(tmp_path / "mark"))

    assert desk.hear(Retiring).reason.startswith("since output not kept")
    note = desk.ending().note
    desk.channel.send(Settled(tokens=[token]))

    assert note is not None
    assert note.startswith("output not kept")
    with pytest.raises(EOFError):
        desk.hear(Ended)
    assert not (tmp_path / "mark").exists()


def test_a_worker_that_cannot_read_an_order_asks_to_be_greeted(desk: Desk) -> None:
    desk.orders._socket.send(b"file:gone")
    assert desk.hear(Hello) == Hello(generation=UNASKED, unsettled=[])

    desk.channel.send(Greeting(generation=3))

    assert desk.hear(Hello) == Hello(generation=3, unsettled=[])


def test_a_worker_whose_group_is_gone_when_its_job_ends_ends_too(
    desk: Desk, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    go, told = tmp_path / "go", tmp_path / "told"
    desk.order("waits_for", str(go), str(told))
    while not told.exists():
        time.sleep(0.001)
    desk.channel.close()
    desk.orders.close()
    go.touch()

    ended = os.waitid(os.P_PID, desk.pid, os.WEXITED | os.WNOWAIT)

    assert ended is not None
    assert ended.si_status == 0
    assert capfd.readouterr().err == ""


def test_a_call_ends_as_its_terms_read_its_exit_code(desk: Desk) -> None:
    desk.order("prints_and_exits", 75, terms=Terms(skip_exit=(75,)))

    ending = desk.ending()

    assert (ending.outcome, ending.is_skip, ending.exit_code) == (Outcome.OK, True, 75)


def _umask() -> int:
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
