"""The way to a file: every folder and link that is passed, and who else could make it lead elsewhere.

Who can write a folder can put another file in the place of any in it, unless the folder is sticky as /tmp is; its owner
always can. So a file is as safe as the weakest step on the way to it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterator

_MOST_LINKS = 40  # as the kernel has it (path_resolution(7))


def weak_step(
    path: str | os.PathLike[str], *, owners: Collection[int] | None, groups: bool
) -> tuple[str, str] | None:
    """Return the first step that others can change, and how; None if there is none.

    `owners` are the users whom every step may belong to, None for anybody; with `groups` what a group can
    write counts, too. Raises OSError for what may not be looked at.
    """
    for place, found in passed(path):
        if how := _changed_by_others(found, owners, groups=groups):
            return place, how
    return None


def passed(path: str | os.PathLike[str]) -> Iterator[tuple[str, os.stat_result]]:
    """Yield all that the kernel passes on the way to a file, and the file, as far as we may look."""
    here, links = "/", 0
    names = _names(os.path.join("" if os.path.isabs(path) else os.getcwd(), path))
    yield here, os.lstat(here)
    while names:
        name = names.pop()
        if name == "..":
            here = os.path.dirname(here)
            continue
        place = os.path.join(here, name)
        try:
            found = os.lstat(place)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return
        yield place, found
        if not stat.S_ISLNK(found.st_mode):
            here = place
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), place)
        target = os.readlink(place)
        here = "/" if target[0] == "/" else here
        names += _names(target)


def _names(path: str) -> list[str]:
    """Return the parts of a path, the first one last."""
    return [name for name in reversed(path.split("/")) if name not in {"", "."}]


def _changed_by_others(found: os.stat_result, owners: Collection[int] | None, *, groups: bool) -> str | None:
    if owners is not None and found.st_uid not in owners:
        return f"belongs to another user (uid {found.st_uid})"
    if stat.S_ISLNK(found.st_mode) or (stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX):
        return None  # the mode of a link means nothing; in a sticky folder nobody moves what is another's
    if found.st_mode & stat.S_IWOTH:
        return "can be written by everybody"
    return "can be written by its group" if groups and found.st_mode & stat.S_IWGRP else None
