"""A group as systemd sees it, which is here the other end of a real socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobrun.model import State
from tests.process.site import DEADLINE_S, Site

pytestmark = pytest.mark.process

WATCHDOG_S = 0.4


class Manager:
    """Who listens where NOTIFY_SOCKET says."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self.heard: list[str] = []

    def hears(self, is_meant: Callable[[str], bool], *, within_s: float = DEADLINE_S) -> str:
        """Return the first message from now on that is meant."""
        until = time.monotonic() + within_s
        while (left_s := until - time.monotonic()) > 0:
            self._end.settimeout(left_s)
            try:
                text = self._end.recv(4096).decode()
            except TimeoutError:
                break
            self.heard.append(text)
            if is_meant(text):
                return text
        pytest.fail(f"not heard in time; last: {self.heard[-5:]}")

    def hears_line(self, line: str) -> str:
        return self.hears(lambda text: line in text.splitlines())

    def is_silent(self, line: str, *, for_s: float) -> bool:
        """Say whether this line is not heard once what lies there is read."""
        self._end.settimeout(0)
        try:
            while True:
                self._end.recv(4096)
        except BlockingIOError:
            pass
        self._end.settimeout(for_s)
        try:
            return line not in self._end.recv(4096).decode().splitlines()
        except TimeoutError:
            return True


@pytest.fixture
def manager(site: Site, tmp_path: Path) -> Iterator[Manager]:
    address = os.fspath(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(address)
        site.service["NOTIFY_SOCKET"] = address
        yield Manager(end)


@pytest.fixture
def watchdog(site: Site) -> None:
    site.service["WATCHDOG_USEC"] = f"{WATCHDOG_S * 1e6:.0f}"


TABLE = "[jobs.backup]\nschedule = '0 3 * * *'\nshell = 'true'\n"


def test_a_group_is_ready_once_a_worker_is_there_to_take_jobs(site: Site, manager: Manager) -> None:
    group = site.start(n=2)

    told = manager.hears(lambda text: text.startswith("READY=1"))

    assert manager.heard == [told]
    assert told.splitlines()[1] == f"MAINPID={group.pid}"
    assert told.splitlines()[2] in {
        "STATUS=1 worker, 0 running, 0 ready",
        "STATUS=2 workers, 0 running, 0 ready",
    }


def test_the_status_counts_what_runs_and_waits(site: Site, manager: Manager) -> None:
    site.start(n=1)
    manager.hears(lambda text: "READY=1" in text)
    for _ in range(3):
        site.call("until", str(site.folder / "go"))

    manager.hears_line("STATUS=1 worker, 1 running, 2 ready")
    (site.folder / "go").touch()
    manager.hears_line("STATUS=1 worker, 0 running, 0 ready")


def test_the_status_names_the_next_tick(site: Site, manager: Manager) -> None:
    site.table(TABLE)
    site.cron(n=1)

    assert "1 worker, 0 running, 0 ready, next tick " in manager.hears(lambda text: "next tick" in text)
    assert "03:00" in manager.heard[-1]


def test_who_only_schedules_is_ready_with_its_table(site: Site, manager: Manager) -> None:
    site.table(TABLE)
    site.cron(n=0)

    manager.hears(lambda text: text.startswith("READY=1"))


def test_a_reload_is_over_once_the_table_was_read(site: Site, manager: Manager) -> None:
    site.table(TABLE)
    group = site.cron(n=1)
    manager.hears(lambda text: "READY=1" in text)

    group.send(signal.SIGHUP)

    begun = manager.hears(lambda text: text.startswith("RELOADING=1\nMONOTONIC_USEC="))
    assert 0 <= time.monotonic() - int(begun.rpartition("=")[2]) / 1e6 < DEADLINE_S
    manager.hears(lambda text: text.startswith("READY=1"))


def test_a_reload_without_a_table_is_over_at_once(site: Site, manager: Manager) -> None:
    group = site.start(n=1)
    manager.hears(lambda text: "READY=1" in text)

    group.send(signal.SIGHUP)

    manager.hears(lambda text: text.startswith("RELOADING=1"))
    manager.hears(lambda text: text.startswith("READY=1"))


def test_the_end_is_told_and_asks_for_time(site: Site, manager: Manager) -> None:
    group = site.start(n=1)
    manager.hears(lambda text: "READY=1" in text)

    group.stop()

    manager.hears_line("STOPPING=1")
    manager.hears(lambda text: text.startswith("EXTEND_TIMEOUT_USEC="))


@pytest.mark.usefixtures("watchdog")
@pytest.mark.parametrize("office", ["dispatcher", "scheduler"])
def test_an_office_that_is_stopped_stops_the_watchdog(site: Site, manager: Manager, office: str) -> None:
    site.table(TABLE)
    group = site.cron(n=1)
    manager.hears_line("WATCHDOG=1")
    manager.hears_line("WATCHDOG=1")
    scheduler = group.scheduler()
    [dispatcher] = group.children() - {scheduler, *group.workers()}
    victim = {"dispatcher": dispatcher, "scheduler": scheduler}[office]

    group.freeze(victim)

    assert manager.is_silent("WATCHDOG=1", for_s=3 * WATCHDOG_S)
    os.kill(victim, signal.SIGCONT)
    manager.hears_line("WATCHDOG=1")


@pytest.mark.usefixtures("watchdog")
def test_a_successor_feeds_the_watchdog(site: Site, manager: Manager) -> None:
    group = site.start(n=1)
    manager.hears_line("WATCHDOG=1")
    dispatcher = group.dispatcher()

    group.freeze(dispatcher)
    group.kill_one(dispatcher)

    assert group.dispatcher() != dispatcher
    manager.hears_line("WATCHDOG=1")
    manager.hears_line("WATCHDOG=1")


def test_without_a_watchdog_none_is_fed(site: Site, manager: Manager) -> None:
    site.start(n=1)
    manager.hears(lambda text: "READY=1" in text)

    assert manager.is_silent("WATCHDOG=1", for_s=2 * WATCHDOG_S)


def test_the_log_of_a_group_is_json_where_asked_and_tells_of_each_job_if_it_is_verbose(site: Site) -> None:
    group = site.start("--log", "json", "--verbose", "--burst", n=1)
    good, bad = site.shell("true"), site.shell("exit 3")
    group.wait()
    site.start("--log", "json", "--verbose", "--burst", n=1).wait()

    lines = [json.loads(line) for each in site.groups for line in each.log().splitlines()]

    told = {(line.get("job"), line["event"], line.get("outcome")) for line in lines}
    assert {(good, "job-begun", None), (good, "job-ended", "ok"), (bad, "job-failed", "error")} <= told


def test_a_group_whose_log_nobody_reads_goes_on(site: Site) -> None:
    job_ids = [site.shell("exit 3") for _ in range(60)]
    command = [sys.executable, "-m", "jobrun", "--db", str(site.path), "worker", "--burst", "-n", "1"]

    with subprocess.Popen(
        command, env=site.environment(), cwd=site.folder, stderr=subprocess.PIPE, pipesize=4096
    ) as group:
        assert group.wait(DEADLINE_S) == 0

    assert {site.job(job_id).state for job_id in job_ids} == {State.FAILED}
