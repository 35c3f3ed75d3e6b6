"""Where the job file and its side files live."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from jobrun.errors import UsageError

ROOT_PATH = Path("/var/lib/jobrun/jobrun.db")


def default_path(environ: Mapping[str, str], *, is_root: bool) -> Path:
    """Return the job file that `JOBRUN_DB` or the XDG Base Directory Specification names.

    Raises `UsageError` when nothing names a home.
    """
    if named := environ.get("JOBRUN_DB"):
        return Path(named)
    if is_root:
        return ROOT_PATH
    state = environ.get("XDG_STATE_HOME", "")
    if state.startswith("/"):  # the specification: relative paths are invalid and ignored
        return Path(state) / "jobrun" / "jobrun.db"
    home = environ.get("HOME", "")
    if not home.startswith("/"):
        raise UsageError("`HOME` is not set, so there is no default job file", hint="name one with --db PATH")
    return Path(home) / ".local" / "state" / "jobrun" / "jobrun.db"


def side_dir(path: Path) -> Path:
    """Return the folder beside the job file that holds its locks, bell, gate, spool and logs.

    Every name of a file (symbolic links, relative paths) leads to one folder: under a second one a
    living worker's lock would be missed, and its job started again.
    """
    return Path(os.path.realpath(path) + ".d")


def scheduler_lock(path: Path, table: Path) -> Path:
    """Return the lock file of whoever schedules a table with this job file; every name of the table leads to one."""
    digest = hashlib.sha256(os.fsencode(os.path.realpath(table))).hexdigest()[:16]
    return side_dir(path) / f"scheduler-{digest}"
