"""Where a job file may lie: WAL needs shared memory, which network file systems do not have.

On NFS, SMB, 9p, virtiofs and FUSE mounts two processes see different files (sqlite.org/wal.html).
"""

from __future__ import annotations

import os
from pathlib import Path

from jobrun.errors import JobFileUnusable, Refused
from jobrun.ways import weak_step

MOUNTS = Path("/proc/self/mountinfo")
_NETWORKED = ("nfs", "cifs", "smb", "9p", "virtiofs", "fuse", "ceph", "afs", "lustre", "gfs2", "glusterfs")


def check_for_workers(path: Path) -> None:
    """Refuse what a group of workers must not run from: a network, or to root what somebody else can change.

    Who owns a folder on the way there can put a WAL of their own beside the file.
    """
    check(path.parent)
    if os.geteuid() != 0:
        return
    if path.stat().st_uid != 0:
        raise Refused(
            f"`{path}` belongs to uid {path.stat().st_uid}, and its jobs would run as root",
            hint="run the workers as that user",
        )
    if found := weak_step(path, owners=(0,), groups=True):
        raise Refused(
            f"`{found[0]}` {found[1]}, and the jobs of `{path}` would run as root",
            hint="run the workers as another user, or keep the job file elsewhere",
        )


def check(folder: Path) -> None:
    """Raise `JobFileUnusable` if a folder lies on a file system that cannot hold a job file."""
    kind = file_system(folder, MOUNTS)
    if is_networked(kind):
        raise JobFileUnusable(
            f"`{folder}` lies on {kind}, which cannot hold a job file",
            hint="name one on a local disk with --db PATH",
        )


def is_networked(kind: str) -> bool:
    """Say whether a type of file system is one on which two processes see different files."""
    return kind.startswith(_NETWORKED) and kind != "fuseblk"  # fuseblk: a local disk


def file_system(folder: Path, mounts: Path) -> str:
    """Return the type of the file system that a folder lies on, "" if unknown (proc(5), mountinfo)."""
    try:
        device = folder.stat().st_dev
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in lines:
        fields, _, behind = line.partition(" - ")
        if fields.split()[2] == wanted:
            return behind.split()[0]
    return ""
