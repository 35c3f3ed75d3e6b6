"""Which folders the workers may import from: not what others can write, or put in their place."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from jobrun.errors import Refused, UsageError
from jobrun.ways import weak_step


def check_import_paths(asked: Iterable[str], *, warn: Callable[[str], None]) -> tuple[str, ...]:
    """Return the folders to append to `sys.path`: those asked for, else the working directory.

    Raises `UsageError` for what is no folder, and `Refused` where the world can write. To root all is
    refused that another user can change, on the whole way to every entry of `sys.path`, be it there or not.
    """
    paths = [_folder(path) for path in asked] or [Path.cwd()]
    is_root = os.geteuid() == 0
    present = [Path(entry) for entry in sys.path if is_root]
    for path in [*paths, *present]:
        _check(path, is_root=is_root, warn=warn)
    return tuple(map(os.fspath, paths))


def _folder(path: str) -> Path:
    folder = Path(path).absolute()
    if not folder.is_dir():
        raise UsageError(f"--path `{path}` is not a directory")
    return folder


def _check(path: Path, *, is_root: bool, warn: Callable[[str], None]) -> None:
    mode = path.stat().st_mode if path.exists() else 0
    if mode & stat.S_IWOTH:  # sticky or not: a file more can be put there
        raise Refused(
            f"import path `{path}` can be written by everybody",
            hint=f"chmod o-w {path}, or name another with --path DIR",
        )
    if found := weak_step(path, owners=(0,) if is_root else None, groups=is_root):
        step, how = found
        where = "" if step == os.fspath(path) else f" lies in `{step}`, which"
        raise Refused(f"import path `{path}`{where} {how}", hint="name another with --path DIR")
    if mode & stat.S_IWGRP:
        warn(f"import path `{path}` can be written by its group")
