"""Which folders the workers may import from: not what others can write."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from jobrun.errors import Refused, UsageError


def check_import_paths(asked: Iterable[str], *, warn: Callable[[str], None]) -> tuple[str, ...]:
    """Return the folders to append to `sys.path`: those asked for, else the working directory.

    Raises `UsageError` for what is no folder, and `Refused` where the world can write. A folder that
    a group can write is refused to root, who is checked for every entry of `sys.path`.
    """
    paths = [_folder(path) for path in asked] or [Path.cwd()]
    is_root = os.geteuid() == 0
    present = [Path(entry) for entry in sys.path if is_root and Path(entry).exists()]
    for path in [*paths, *present]:
        _check(path, is_root=is_root, warn=warn)
    return tuple(map(os.fspath, paths))


def _folder(path: str) -> Path:
    folder = Path(path).absolute()
    if not folder.is_dir():
        raise UsageError(f"--path `{path}` is not a directory")
    return folder


def _check(path: Path, *, is_root: bool, warn: Callable[[str], None]) -> None:
    found = path.stat()
    if found.st_mode & stat.S_IWOTH:
        raise Refused(
            f"import path `{path}` can be written by everybody",
            hint=f"chmod o-w {path}, or name another with --path DIR",
        )
    if is_root and found.st_uid != 0:
        raise Refused(
            f"import path `{path}` belongs to another user than root (uid {found.st_uid})",
            hint="name another with --path DIR",
        )
    if found.st_mode & stat.S_IWGRP:
        if is_root:
            raise Refused(f"import path `{path}` can be written by its group", hint=f"chmod g-w {path}")
        warn(f"import path `{path}` can be written by its group")
