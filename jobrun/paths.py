"""Where the job file and its side files live; `places` says the same in plain text."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from jobrun import places


def default_path(environ: Mapping[str, str], *, is_root: bool) -> Path:
    """Return the job file that `JOBRUN_DB` or the XDG Base Directory Specification names, or raise `UsageError`."""
    return Path(places.default_file(environ, is_root=is_root))


def side_dir(path: Path) -> Path:
    """Return the folder beside the job file that holds its locks, bell, gate, spool and logs."""
    return Path(places.side_folder(path))


def scheduler_lock(path: Path, table: Path) -> Path:
    """Return the lock file of whoever schedules a table with this job file; every name of the table leads to one."""
    digest = hashlib.sha256(os.fsencode(os.path.realpath(table))).hexdigest()[:16]
    return side_dir(path) / f"scheduler-{digest}"
