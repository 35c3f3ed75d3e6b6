"""Huey on SQLite, as it comes, and with `fsync=False`."""

from __future__ import annotations

import os

from huey import SqliteHuey

from bench.peers import PROGRAMS, body, folder, variant

PACKAGES = ("huey",)
KEEPS = "the row is deleted when a job is claimed, so a crash loses the jobs that run"
DURABILITY = (
    f"SQLite WAL, synchronous=OFF: a power cut can corrupt the file; {KEEPS}"
    if variant() == "nosync"
    else f"SQLite WAL, synchronous=FULL: {KEEPS}"
)
SETTINGS = "-k process; " + ("fsync=False" if variant() == "nosync" else "else defaults")

# Without `fsync` Huey leaves SQLite's own default, which is FULL.
_options = {"fsync": False} if variant() == "nosync" else {}
app = SqliteHuey("bench", filename=os.fspath(folder() / "huey.db"), **_options)


@app.task()
def work(sent_ns: int) -> None:
    body.work(sent_ns)


def commands() -> list[list[str]]:
    return [[f"{PROGRAMS}/huey_consumer", "bench.peers.huey.app", "-w", "2", "-k", "process", "-q"]]


def connect() -> None:
    app.storage.queue_size()


def enqueue(sent_ns: int) -> None:
    work(sent_ns)
