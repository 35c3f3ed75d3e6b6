"""The sender of pings with a real outbox, messenger and monitor, and clocks moved by hand."""

from __future__ import annotations

import os
import select
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from jobrun.errors import Busy
from jobrun.log import Log
from jobrun.scheduler.courier import HUNG_S, IDLE_S
from jobrun.scheduler.pings import MOST_UNDER_WAY, Pings
from jobrun.store import Store, open_store
from tests.edges.test_messenger import self_signed
from tests.loops.conftest import START
from tests.monitor import Monitor, monitor, silence

PATIENCE_S = 20.0


@dataclass(slots=True)
class Post:
    """An outbox and its sender, stepped as the scheduler steps it."""

    store: Store
    log: Path
    clock_s: float = 0.0
    pings: Pings = field(init=False)
    took_s: list[float] = field(default_factory=list)  # by each step

    def open(self) -> None:
        fd = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.pings = Pings(self.store, Log("scheduler", fd), self.now, lambda: self.clock_s)

    def now(self) -> datetime:
        return START + timedelta(seconds=self.clock_s)

    def add(self, url: str, *, job_id: int | None = None, body: bytes = b"") -> None:
        self.store.pings.add(url, entry="nightly", job_id=job_id, body=body, now=self.now())

    def step(self, *, after_s: float = 0.0) -> None:
        self.clock_s += after_s
        begin = time.monotonic()
        self.pings.step()
        self.took_s.append(time.monotonic() - begin)

    def outbox(self) -> list[tuple[str, int]]:
        """Return the address and the failed tries of all that is to be sent."""
        rows = self.store._database.rows("SELECT url, tries FROM pings ORDER BY id")
        return [(row["url"], row["tries"]) for row in rows]

    def run_until_nothing_is_under_way(self) -> None:
        end_at = time.monotonic() + PATIENCE_S
        while True:
            self.step()
            if not self.is_busy():
                return
            assert time.monotonic() < end_at
            select.select(self.pings.fds(), [], [], 0.1)

    def is_busy(self) -> bool:
        return bool(self.pings._sent)

    def messenger(self) -> int:
        process = self.pings._courier._process
        assert process is not None
        return process.pid

    def lines(self) -> list[str]:
        return [line.partition("scheduler: ")[2] for line in self.log.read_text().splitlines()]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    with open_store(tmp_path / "jobs.db", create=True, patience_s=0.05) as store:
        post = Post(store, tmp_path / "log")
        post.open()
        yield post
        post.pings._courier.close()
        post.pings.close()


@pytest.fixture
def told() -> Iterator[Monitor]:
    with monitor() as told:
        yield told


def test_what_is_put_into_the_outbox_is_sent_once(post: Post, told: Monitor) -> None:
    post.add(f"{told.url}/a", body=b"printed")
    post.run_until_nothing_is_under_way()
    post.run_until_nothing_is_under_way()

    assert [(each.path, each.body) for each in told.said] == [("/a", b"printed")]
    assert post.outbox() == []


def test_the_end_of_a_job_is_told_after_its_start_however_often_that_is_tried(
    post: Post, told: Monitor
) -> None:
    told.answers.extend([500, 500])
    post.add(f"{told.url}/a/start", job_id=1)
    post.add(f"{told.url}/a/3", job_id=1)

    for wait_s in (0.0, 5.0, 30.0):
        post.step(after_s=wait_s)
        post.run_until_nothing_is_under_way()

    assert told.paths() == ["/a/start", "/a/start", "/a/start", "/a/3"]
    assert post.outbox() == []


def test_a_bell_is_heard_when_something_is_put_into_the_outbox(post: Post, told: Monitor) -> None:
    post.step()
    assert not select.select(post.pings.fds(), [], [], 0)[0]

    post.add(f"{told.url}/a")

    assert select.select(post.pings.fds(), [], [], PATIENCE_S)[0]
    post.run_until_nothing_is_under_way()
    assert not select.select(post.pings.fds(), [], [], 0)[0]


def test_what_fails_is_tried_after_5_and_30_seconds_and_then_given_up_in_one_line(
    post: Post, told: Monitor
) -> None:
    told.answers.extend([503] * 3)
    post.add(f"{told.url}/secret")
    tried = []
    for _ in range(3):
        post.run_until_nothing_is_under_way()
        tried.append(len(told.said))
        if (next_at := post.store.pings.next_due(after=post.now())) is not None:
            wait_s = (next_at - post.now()).total_seconds()
            post.step(after_s=wait_s - 0.5)
            assert not post.is_busy()
            assert post.pings.next_at() == next_at
            post.step(after_s=0.5)

    assert (tried, post.clock_s, post.outbox()) == ([1, 2, 3], 35.0, [])
    assert post.lines() == [f"nightly: 127.0.0.1:{told.port} was not told, 3 tries: HTTP status 503"]


def test_a_server_that_never_answers_delays_no_step_and_no_other_ping(post: Post, told: Monitor) -> None:
    with silence() as url:
        for _ in range(5):
            post.add(url)
        post.add(f"{told.url}/a")
        post.step()
        while not told.said or len(post.outbox()) > 5:
            select.select(post.pings.fds(), [], [], 0.1)
            post.step()
        for _ in range(50):
            post.step()

    assert len(post.outbox()) == 5
    assert statistics.median(post.took_s) < 0.01
    assert max(post.took_s) < 0.05


def test_a_messenger_that_is_killed_is_replaced_and_what_it_had_is_sent_again(
    post: Post, told: Monitor
) -> None:
    told.is_open.clear()
    post.add(f"{told.url}/a")
    post.step()
    assert told.arrived.acquire(timeout=PATIENCE_S)
    first = post.messenger()

    os.kill(first, signal.SIGKILL)
    told.is_open.set()
    post.run_until_nothing_is_under_way()
    assert [tries for _, tries in post.outbox()] == [1]
    post.step(after_s=5.0)
    assert post.messenger() != first
    post.run_until_nothing_is_under_way()

    assert told.paths() == ["/a", "/a"]
    assert post.outbox() == []


def test_a_messenger_that_hangs_is_replaced_and_only_what_was_stuck_counts_as_tried(
    post: Post, told: Monitor
) -> None:
    post.add(f"{told.url}/a")
    post.step()
    first = post.messenger()
    os.kill(first, signal.SIGSTOP)
    post.step(after_s=HUNG_S - 1)
    post.add(f"{told.url}/b")
    post.step()

    post.step(after_s=1.0)
    assert post.messenger() != first
    assert [tries for _, tries in post.outbox()] == [1, 0]
    post.run_until_nothing_is_under_way()
    post.step(after_s=5.0)
    post.run_until_nothing_is_under_way()

    assert set(told.paths()) == {"/a", "/b"}
    assert post.outbox() == []


def test_what_a_full_pipe_does_not_take_is_handed_over_later(post: Post, told: Monitor) -> None:
    post.add(f"{told.url}/first")
    post.run_until_nothing_is_under_way()
    os.kill(post.messenger(), signal.SIGSTOP)
    for number in range(MOST_UNDER_WAY):
        post.add(f"{told.url}/{number}", body=b"\0" * 10_000)  # six times as long in JSON
    post.step()
    post.step()
    next_at = post.pings.next_at()

    os.kill(post.messenger(), signal.SIGCONT)
    post.run_until_nothing_is_under_way()

    assert next_at is not None
    assert next_at - START <= timedelta(seconds=0.1)
    assert sorted(len(each.body) for each in told.said) == [0, *[10_000] * MOST_UNDER_WAY]
    assert max(post.took_s) < 0.1


def test_what_is_older_than_an_hour_is_dropped_in_one_line(post: Post, told: Monitor) -> None:
    for _ in range(100):
        post.add(f"{told.url}/old")

    post.clock_s += 3601
    post.add(f"{told.url}/new")
    post.run_until_nothing_is_under_way()

    assert told.paths() == ["/new"]
    assert post.lines() == ["pings dropped that could not be sent within an hour: 100"]


def test_a_clock_that_is_set_back_keeps_nothing_waiting(post: Post, told: Monitor) -> None:
    told.answers.append(500)
    post.add(f"{told.url}/a/start", job_id=1)
    post.run_until_nothing_is_under_way()

    post.clock_s -= 365 * 86400
    post.add(f"{told.url}/a", job_id=1)
    post.run_until_nothing_is_under_way()
    post.run_until_nothing_is_under_way()

    assert told.paths() == ["/a/start", "/a/start", "/a"]
    assert (post.outbox(), post.lines()) == ([], [])


def test_a_certificate_that_nobody_vouches_for_is_one_line(post: Post, tmp_path: Path) -> None:
    with monitor(self_signed(tmp_path)) as told:
        post.add(f"https://127.0.0.1:{told.port}/secret")
        for wait_s in (0.0, 5.0, 30.0):
            post.step(after_s=wait_s)
            post.run_until_nothing_is_under_way()

    [line] = post.lines()
    assert line.startswith(f"nightly: 127.0.0.1:{told.port} was not told, 3 tries: bad certificate: self")


def test_a_text_is_cut_to_the_end_that_the_server_keeps(post: Post, told: Monitor) -> None:
    told.headers["Ping-Body-Limit"] = "4"
    for body in (b"", b"in full, at length"):
        post.add(f"{told.url}/a", body=body)
        post.run_until_nothing_is_under_way()

    assert [each.body for each in told.said] == [b"", b"ngth"]


def test_a_messenger_with_nothing_to_do_is_let_go(post: Post, told: Monitor) -> None:
    post.add(f"{told.url}/a")
    post.run_until_nothing_is_under_way()
    pid = post.messenger()
    assert post.pings.next_at() == START + timedelta(seconds=IDLE_S)

    post.step(after_s=IDLE_S)

    assert not Path(f"/proc/{pid}").exists()
    assert (len(post.pings.fds()), post.pings.next_at()) == (1, None)


def test_of_two_schedulers_one_sends_and_the_other_takes_over(post: Post, told: Monitor) -> None:
    with ExitStack() as stack:
        other = Post(stack.enter_context(open_store(post.store.path)), post.log)
        other.open()
        stack.callback(other.pings.close)
        post.step()
        post.add(f"{told.url}/a")
        other.run_until_nothing_is_under_way()
        assert told.said == []

        post.pings.close()
        other.run_until_nothing_is_under_way()

    assert told.paths() == ["/a"]
    post.open()


def test_what_is_under_way_at_the_end_may_finish_or_stays_in_the_outbox(post: Post, told: Monitor) -> None:
    with silence() as url:
        post.add(url)
        post.add(f"{told.url}/a")
        post.step()
        begin = time.monotonic()
        post.pings.close()
        took_s = time.monotonic() - begin

    assert told.paths() == ["/a"]
    assert post.outbox() == [(url, 0)]
    assert took_s < 3
    post.open()


def test_a_result_is_kept_until_it_can_be_written_down(post: Post, told: Monitor) -> None:
    post.add(f"{told.url}/a")
    post.step()
    with sqlite3.connect(post.store.path, isolation_level=None) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        with pytest.raises(Busy):
            post.run_until_nothing_is_under_way()
        with pytest.raises(Busy):
            post.step()
        foreign.execute("ROLLBACK")
    foreign.close()

    post.run_until_nothing_is_under_way()

    assert told.paths() == ["/a"]
    assert post.outbox() == []


def test_a_tick_that_did_not_run_is_told_as_a_log(post: Post, told: Monitor) -> None:
    post.pings.tell_unrun("nightly", f"{told.url}/a?create=1", "skipped: job 7 was in the way")
    post.run_until_nothing_is_under_way()

    [said] = told.said
    assert (said.path, said.body) == ("/a/log?create=1", b"skipped: job 7 was in the way")


def test_a_messenger_that_cannot_be_started_is_a_failed_try(
    post: Post, told: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.add(f"{told.url}/a")
    with monkeypatch.context() as patch:
        patch.setattr("jobrun.scheduler.courier._PROGRAM", ("/missing",))
        post.step()
        post.step()

    assert [tries for _, tries in post.outbox()] == [1]


def test_the_scheduler_loads_nothing_of_the_network() -> None:
    code = "import jobrun.scheduler, sys; print({'ssl', 'http', 'urllib.request'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"
