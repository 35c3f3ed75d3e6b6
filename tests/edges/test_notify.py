"""sd_notify(3) over a real socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobrun import notify


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[socket.socket]:
    """Return the end at which systemd listens."""
    address = os.fspath(tmp_path / "notify") if request.param == "file" else f"\0jobrun-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(address)
        end.settimeout(5)
        yield end


def _address(manager: socket.socket) -> str:
    name = manager.getsockname()
    return "@" + name[1:].decode() if isinstance(name, bytes) else str(name)


def _notifier(manager: socket.socket) -> notify.Notifier:
    return notify.take({"NOTIFY_SOCKET": _address(manager)})


def _heard(manager: socket.socket) -> list[str]:
    return manager.recv(4096).decode().splitlines()


def test_systemd_hears_that_the_service_is_ready(manager: socket.socket) -> None:
    _notifier(manager).ready("12 entries")

    assert _heard(manager) == ["READY=1", f"MAINPID={os.getpid()}", "STATUS=12 entries"]


def test_the_end_asks_for_the_time_it_needs_once_it_has_begun(manager: socket.socket) -> None:
    _notifier(manager).stopping(within_s=40.5)

    assert [_heard(manager), _heard(manager)] == [["STOPPING=1"], ["EXTEND_TIMEOUT_USEC=40500000"]]


@pytest.mark.parametrize("text", ["jobs\nMAINPID=1", "jobs\r\nMAINPID=1", "jobs\u2028MAINPID=1"])
def test_a_status_is_one_line_and_nothing_else(manager: socket.socket, text: str) -> None:
    _notifier(manager).ready(text)

    assert _heard(manager) == ["READY=1", f"MAINPID={os.getpid()}", "STATUS=jobs MAINPID=1"]


def test_a_status_that_is_no_utf_8_is_still_heard(manager: socket.socket) -> None:
    _notifier(manager).ready("/srv/\udcff.toml")

    assert _heard(manager) == ["READY=1", f"MAINPID={os.getpid()}", "STATUS=/srv/?.toml"]


@pytest.mark.parametrize(
    "address", ["", "relative", "vsock:2:1234", "/nowhere/to/be/found", "/" + "x" * 300, "@nobody-listens"]
)
def test_without_somebody_who_listens_nothing_happens(address: str) -> None:
    notifier = notify.take({"NOTIFY_SOCKET": address} if address else {})

    notifier.ready("ready")
    notifier.stopping(within_s=1)


def test_a_job_inherits_nothing_that_speaks_for_the_service() -> None:
    for_us = {
        "NOTIFY_SOCKET": "/run/systemd/notify",
        "WATCHDOG_PID": "1",
        "WATCHDOG_USEC": "30000000",
        "LISTEN_FDNAMES": "a",
        "LISTEN_FDS": "1",
        "LISTEN_PID": "1",
        "INVOCATION_ID": "0123",
        "JOURNAL_STREAM": "8:1",
        "SYSTEMD_EXEC_PID": "1",
    }
    environ = {"PATH": "/usr/bin", **for_us}

    notify.take(environ)

    assert environ == {"PATH": "/usr/bin"}


def test_a_reload_and_a_sign_of_life_are_told(manager: socket.socket) -> None:
    notifier = _notifier(manager)

    notifier.reloading()
    notifier.alive()

    [reloading, stamp] = _heard(manager)
    assert (reloading, stamp.partition("=")[0]) == ("RELOADING=1", "MONOTONIC_USEC")
    assert _heard(manager) == ["WATCHDOG=1"]


@pytest.mark.parametrize(
    ("said", "watchdog_s"),
    [
        ({"WATCHDOG_USEC": "1500000"}, 1.5),
        ({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": str(os.getpid())}, 1.5),
        ({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_a_watchdog_that_is_another_s_is_not_fed(said: dict[str, str], watchdog_s: float | None) -> None:
    assert notify.take({"NOTIFY_SOCKET": "/run/notify", **said}).watchdog_s == watchdog_s
    assert notify.take(dict(said)).watchdog_s is None, "nobody would hear it"
