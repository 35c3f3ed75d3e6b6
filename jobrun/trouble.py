"""Faults of the system around us, which any call may meet: one line says so, and no bug is reported.

Descriptors, memory, locks and disks give out anywhere; who can go on without, does, and all others end here.
"""

from __future__ import annotations

import errno
import os

from jobrun.errors import JobFileUnusable, JobrunError

AGAIN = 71  # EX_OSERR of sysexits(3): how a process of a group ends that its successor may do better than
_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
_LOADER = {os.strerror(code): code for code in (*_DESCRIPTORS, errno.ENOMEM)}
_LOADER["failed to map segment"] = errno.ENOMEM  # as glibc says it
_AROUND = frozenset(
    {errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}
    | {errno.ENOMEM, errno.ENOLCK, errno.EAGAIN, errno.ENODEV, errno.ESTALE}
)


def around_us(error: BaseException) -> JobrunError | None:
    """Return what only the system around us can mend, and which may come up anywhere; None for a bug."""
    if isinstance(error, MemoryError):
        return _out_of_memory()
    if isinstance(
        error, ImportError
    ):  # of what lies in a library that the loader could not open, or had no room for
        return next((_told(code) for said, code in _LOADER.items() if said in str(error)), None)
    if not isinstance(error, OSError) or error.errno is None:
        return None
    if error.errno in (*_DESCRIPTORS, errno.ENOMEM):
        return _told(error.errno)
    if error.errno not in _AROUND:
        return None
    what = "this" if error.filename is None else f"`{os.fsdecode(error.filename)}`"
    return JobFileUnusable(f"cannot use {what}: {error.strerror}")


def _told(code: int) -> JobrunError:
    if code in _DESCRIPTORS:
        return JobFileUnusable("too few file descriptors", hint="raise `ulimit -n`")
    return _out_of_memory()


def _out_of_memory() -> JobrunError:
    return JobFileUnusable("out of memory", hint="raise `ulimit -v`, or end what takes it")
