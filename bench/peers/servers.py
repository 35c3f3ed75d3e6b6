"""Servers of our own: each measurement gets a new one, empty, that nobody else can reach or leave behind."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

PROGRAMS = {"redis": ("redis-server",), "postgres": ("postgres", "initdb", "pg_ctl")}
START_S = 30.0


class Missing(Exception):
    """What a peer needs cannot be had here; the message says what."""


class Server(NamedTuple):
    """Where it is, and its process."""

    url: str
    pid: int


@contextmanager
def redis(folder: Path) -> Iterator[Server]:
    """Run a Redis that keeps nothing on disk."""
    program = _program("redis-server")
    port = _free_port()
    place = ["--bind", "127.0.0.1", "--port", str(port), "--dir", os.fspath(folder)]
    keep = ["--save", "", "--appendonly", "no"]
    with (folder / "redis.log").open("w") as log:
        server = subprocess.Popen([program, *place, *keep], stdout=log, stderr=log)
    try:
        _await_redis(server, port)
        yield Server(f"redis://127.0.0.1:{port}/0", server.pid)
    finally:
        server.terminate()
        server.wait()


@contextmanager
def postgres(folder: Path) -> Iterator[Server]:
    """Run a PostgreSQL with the settings of `initdb`: it calls fsync at each commit."""
    control, initdb = _program("pg_ctl"), _program("initdb")
    data, log = folder / "pg", folder / "pg.log"
    data.mkdir()
    who = _unprivileged(data)
    # No sync: it would only make the empty cluster itself safe.
    _call([initdb, "-D", data, "-U", "bench", "-A", "trust", "--no-sync"], log, who)
    options = f"-k {data} -c listen_addresses=''"
    _call([control, "-D", data, "-w", "-l", data / "log", "-o", options, "start"], log, who)
    try:
        pid = int((data / "postmaster.pid").read_text().split()[0])
        yield Server(f"postgresql://bench@/postgres?host={data}", pid)
    finally:
        _call([control, "-D", data, "-w", "-m", "immediate", "stop"], log, who)


SERVERS: dict[str, Callable[[Path], AbstractContextManager[Server]]] = {"redis": redis, "postgres": postgres}


def version(server: str) -> str:
    """Return what a server calls itself, or that it is missing."""
    try:
        words = [_program(PROGRAMS[server][0]), "--version"]
    except Missing as missing:
        return str(missing)
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split(" sha=")[0].strip()


def check(server: str) -> None:
    """Raise `Missing` unless a server's programs are installed."""
    for program in PROGRAMS[server]:
        _program(program)


def _number(folder: Path) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", folder.parent.name)]


def _program(name: str) -> str:
    # Debian keeps those of PostgreSQL off the PATH, one folder a version.
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_number)
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *map(str, reversed(versions))])
    found = shutil.which(name, path=path)
    if found is None:
        raise Missing(f"{name} is not installed")
    return found


def _unprivileged(data: Path) -> dict[str, Any]:
    """Return who PostgreSQL is to run as, since it refuses root; the folder becomes theirs."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        os.chown(data, user.pw_uid, user.pw_gid)
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": ()}
    raise Missing("PostgreSQL does not run as root, and there is no user for it")


def _call(words: list[str | Path], log: Path, who: dict[str, Any]) -> None:
    """Run one step; its output goes to a file, since a server that it starts would keep a pipe open."""
    with log.open("w") as out:
        done = subprocess.run(words, check=False, cwd="/", stdout=out, stderr=out, timeout=120, **who)
    if done.returncode:
        said = [line for line in log.read_text().splitlines() if line]
        raise Missing(
            f"{Path(words[0]).name} ended with {done.returncode}: {said[-1] if said else 'it said nothing'}"
        )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def _await_redis(server: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(round(START_S / 0.02)):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            try:
                server.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
            break
        return
    raise Missing("redis-server did not start")
