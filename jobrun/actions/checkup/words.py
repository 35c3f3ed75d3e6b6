"""What a check finds, and what it is given to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from pathlib import Path

from jobrun.errors import JobrunError
from jobrun.store import Store


class Grade(IntEnum):
    """How bad it is; the worst is the exit code."""

    OK = 0
    WARNING = 1
    PROBLEM = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, and what to do about it."""

    grade: Grade
    said: str
    todo: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """A host with a job file; `store` is None where that cannot be opened, and `fault` says why."""

    path: Path
    named_by: str  # what names the job file, as `JOBRUN_DB`
    store: Store | None
    fault: JobrunError | None
    now: datetime
    environ: Mapping[str, str]
    budget_s: float | None  # for reading through the file; None: all of it


@dataclass(frozen=True, slots=True)
class Check:
    """One subject; `look` finds something about it, or nothing where there is nothing to look at."""

    name: str
    look: Callable[[Patient], Iterable[Finding]]


def ok(said: str) -> Finding:
    return Finding(Grade.OK, said)


def warning(said: str, todo: str) -> Finding:
    return Finding(Grade.WARNING, said, todo)


def problem(said: str, todo: str | None) -> Finding:
    return Finding(Grade.PROBLEM, said, todo)
