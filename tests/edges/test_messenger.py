"""The program that posts pings, asked as its owner asks it, with real servers at the other end."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobrun import __version__
from tests.monitor import Monitor, Said, monitor, silence

MESSENGER = (sys.executable, "-P", "-m", "jobrun.messenger")
HURRIED = "from jobrun import messenger; messenger.TIMEOUT_S = 1.0; messenger.main()"
PATIENCE_S = 20.0


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")


@pytest.fixture
def told() -> Iterator[Monitor]:
    with monitor() as told:
        yield told


def line(url: str, body: str = "", request_id: int = 1) -> bytes:
    return json.dumps({"id": request_id, "url": url, "body": body}).encode() + b"\n"


def ask(*urls: str, body: str = "", command: tuple[str, ...] = MESSENGER) -> list[dict[str, Any]]:
    """Ask for posts to these addresses, numbered from 1, and return the results in that order."""
    lines = b"".join(line(url, body, number) for number, url in enumerate(urls, 1))
    done = subprocess.run(command, input=lines, capture_output=True, check=True, timeout=PATIENCE_S)
    assert done.stderr == b""
    return sorted(map(json.loads, done.stdout.splitlines()), key=lambda result: result["id"])


def test_a_text_is_posted_and_the_result_is_told(told: Monitor) -> None:
    told.answers.append(202)
    told.headers["Ping-Body-Limit"] = "100000"

    results = ask(f"{told.url}/a/start?create=1&rid=5f", body="für\x00\n")

    assert results == [{"id": 1, "status": 202, "limit": 100000}]
    assert told.said == [Said("/a/start?create=1&rid=5f", "für\x00\n".encode(), f"jobrun/{__version__}")]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_with_the_text(told: Monitor, status: int) -> None:
    told.answers.append(status)
    told.headers["Location"] = "/elsewhere"

    assert ask(f"{told.url}/a", body="text") == [{"id": 1, "status": 200}]
    assert [(each.path, each.body) for each in told.said] == [("/a", b"text"), ("/elsewhere", b"text")]


def test_redirects_come_to_an_end(told: Monitor) -> None:
    told.answers.extend([302] * 100)
    told.headers["Location"] = "/a"

    assert ask(f"{told.url}/a") == [{"id": 1, "error": "redirected more than 3 times"}]
    assert len(told.said) == 1 + 3


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/a", "data:text/plain,a"])
def test_nothing_but_http_is_spoken(told: Monitor, target: str) -> None:
    told.answers.append(302)
    told.headers["Location"] = target

    results = ask(target, f"{told.url}/a")

    assert [result["error"] for result in results] == ["neither http nor https"] * 2


def test_what_no_server_should_say_is_an_error_of_this_request_alone(told: Monitor) -> None:
    told.headers["Ping-Body-Limit"] = "many"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_chatter, args=(listener,)).start()

        results = ask(f"http://127.0.0.1:{listener.getsockname()[1]}/a", f"{told.url}/b")

    assert results == [{"id": 1, "error": "BadStatusLine"}, {"id": 2, "status": 200}]


def _chatter(listener: socket.socket) -> None:
    peer, _ = listener.accept()
    with peer:
        peer.recv(65536)
        peer.sendall(b"220 smtp ready\r\n")


def test_an_error_keeps_the_secrets_of_the_address() -> None:
    refused, misread = ask("http://127.0.0.1:1/secret", "http://127.0.0.1:secret/")

    assert refused["error"] == "Connection refused"
    assert "secret" not in misread["error"]


def test_a_certificate_that_nobody_vouches_for_is_an_error(tmp_path: Path) -> None:
    with monitor(self_signed(tmp_path)) as told:
        [result] = ask(f"https://127.0.0.1:{told.port}/a")

    assert result["error"].startswith("bad certificate: self")
    assert told.said == []


def self_signed(folder: Path) -> Path:
    """Return a certificate that signed itself, with its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    path = folder / "certificate.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
    command = ["openssl", *words.split(), "-keyout", str(path), "-out", str(folder / "public.pem")]
    subprocess.run(command, check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + (folder / "public.pem").read_bytes())
    return path


def test_a_server_that_never_answers_is_given_up() -> None:
    with silence() as url:
        results = ask(url, command=(sys.executable, "-P", "-c", HURRIED))

    assert results == [{"id": 1, "error": "no answer within 1 s"}]


@pytest.fixture
def running() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(MESSENGER, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_a_slow_server_holds_up_nobody_else(told: Monitor, running: subprocess.Popen[bytes]) -> None:
    assert running.stdin is not None
    assert running.stdout is not None
    with silence() as url:
        running.stdin.write(line(url) + line(told.url, request_id=2))
        running.stdin.flush()

        assert json.loads(running.stdout.readline())["id"] == 2


def test_what_is_under_way_is_finished_when_nobody_asks_any_more(
    told: Monitor, running: subprocess.Popen[bytes]
) -> None:
    assert running.stdin is not None
    assert running.stdout is not None
    told.is_open.clear()
    running.stdin.write(line(told.url))
    running.stdin.close()
    assert told.arrived.acquire(timeout=PATIENCE_S)

    told.is_open.set()

    assert json.loads(running.stdout.readline()) == {"id": 1, "status": 200}
    assert running.wait(PATIENCE_S) == 0
