"""jobrun itself: the installed program, and its interface for Python."""

from __future__ import annotations

import os
import sys

import jobrun
from bench.peers import ROOT, folder

PACKAGES = ("jobrun",)
DURABILITY = "SQLite WAL, synchronous=FULL: job, start and end are on disk; a crash loses no job"
SETTINGS = "defaults"
TASK = "bench.peers.body:work"

_path = folder() / "jobs.db"
_jobs: list[jobrun.api.Jobs] = []


def commands() -> list[list[str]]:
    program = [sys.executable, "-m", "jobrun", "--db", os.fspath(_path)]
    return [[*program, "worker", "-n", "2", "--path", os.fspath(ROOT)]]


def connect() -> None:
    _jobs.append(jobrun.open(_path))


def enqueue(sent_ns: int) -> None:
    _jobs[0].enqueue(TASK, sent_ns)


def enqueue_many(count: int) -> None:
    _jobs[0].enqueue_many([(TASK, [0], {})] * count)
