"""jobrun itself: the installed program, and its interface for Python; as it comes, and with `--durability fast`."""

from __future__ import annotations

import os
import sys

import jobrun
from bench.peers import ROOT, folder, variant

PACKAGES = ("jobrun",)
IS_FAST = variant() == "fast"
DURABILITY = (
    "SQLite WAL, synchronous=NORMAL: a crash loses no job, a power cut may undo the last moments"
    if IS_FAST
    else "SQLite WAL, synchronous=FULL: job, start and end are on disk; a crash loses no job"
)
SETTINGS = "`--durability fast`, for clients and workers" if IS_FAST else "defaults"
TASK = "bench.peers.body:work"

_path = folder() / "jobs.db"
_durability = ["--durability", "fast"] if IS_FAST else []
_jobs: list[jobrun.api.Jobs] = []


def commands() -> list[list[str]]:
    program = [sys.executable, "-m", "jobrun", "--db", os.fspath(_path)]
    return [[*program, "worker", "-n", "2", *_durability, "--path", os.fspath(ROOT)]]


def connect() -> None:
    _jobs.append(jobrun.open(_path, durability="fast" if IS_FAST else "full"))


def enqueue(sent_ns: int) -> None:
    _jobs[0].enqueue(TASK, sent_ns)


def enqueue_many(count: int, sent_ns: int) -> None:
    _jobs[0].enqueue_many([(TASK, [sent_ns], {})] * count)
