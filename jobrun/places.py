"""Where the job file and its side folder lie, as plain text: `enqueue` stands in loops, pathlib costs it 10 ms."""

from __future__ import annotations

import os
from collections.abc import Mapping

from jobrun.errors import UsageError

ROOT_FILE = "/var/lib/jobrun/jobrun.db"
SIDE = ".d"


def default_file(environ: Mapping[str, str], *, is_root: bool) -> str:
    """Return the job file that `JOBRUN_DB` or the XDG Base Directory Specification names.

    Raises `UsageError` when nothing names a home.
    """
    if named := environ.get("JOBRUN_DB"):
        return named
    if is_root:
        return ROOT_FILE
    state = environ.get("XDG_STATE_HOME", "")
    if state.startswith("/"):  # the specification: relative paths are invalid and ignored
        return os.path.join(state, "jobrun/jobrun.db")
    home = environ.get("HOME", "")
    if not home.startswith("/"):
        what = f"not an absolute path: `{home}`" if home else "not set"
        raise UsageError(f"`HOME` is {what}, so there is no default job file", hint="name one with --db PATH")
    return os.path.join(home, ".local/state/jobrun/jobrun.db")


def side_folder(path: str | os.PathLike[str]) -> str:
    """Return the folder beside the job file that holds its locks, bell, gate, spool and logs.

    Every name of a file (symbolic links, relative paths) leads to one folder: under a second one a
    living worker's lock would be missed, and its job started again.
    """
    return os.path.realpath(path) + SIDE
