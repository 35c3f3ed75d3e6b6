"""Saving a job file: a copy elsewhere, taken while everything goes on."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from jobrun import locks
from jobrun.errors import NotDone, Refused, UsageError
from jobrun.paths import side_dir
from jobrun.store import Store, copying


def backup(store: Store, target: Path, *, replaces: bool, tell: Callable[[int, int], None]) -> int:
    """Copy the job file, and return the size in bytes. Never over a job file that is in use.

    Raises `NotDone`, `Refused`, `UsageError`, `NoRoom`, `JobFileUnusable`.
    """
    check_target(store, target)
    return copying.copy(store.path, target, replaces=replaces, tell=tell)


def check_target(store: Store, target: Path) -> None:
    """Refuse a place where nothing is to be written, above all over a job file that is in use."""
    check_is_not_ours(store, target)
    if target.is_dir():
        raise UsageError(f"`{target}` is a directory", hint="name the file to write")
    if not target.parent.is_dir():
        raise UsageError(f"there is no directory `{target.parent}`")
    if os.path.lexists(target):
        if target.is_symlink() or not target.is_file():
            raise Refused(f"`{target}` is not a regular file", hint="name another")
        if locks.any_held(side_dir(target) / "locks"):
            raise NotDone(f"workers run on `{target}`; nothing was written", hint="name another file")


def check_is_not_ours(store: Store, target: Path) -> None:
    """Refuse the job file, and what SQLite keeps beside it."""
    real = os.path.realpath(store.path)
    is_beside = os.path.realpath(target) in {f"{real}{end}" for end in ("-wal", "-shm", "-journal")}
    if is_beside or (target.exists() and target.samefile(store.path)):
        raise UsageError(f"`{target}` is the job file itself", hint="name another file")
