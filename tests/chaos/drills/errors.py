"""L5: each call that a command makes on our files fails, once or from there on."""

from __future__ import annotations

import re

from jobrun import procs
from tests.chaos.cases import Case
from tests.chaos.healing import is_bug
from tests.chaos.scene import Scene
from tests.chaos.sweep import Try, sweep
from tests.chaos.tracing import Answer, Point, hurt
from tests.chaos.trial import Drill, Trial

KNOWN_CODES = {0, 1, 2, 3, 4, 5, 75}
_FULL, _BROKEN, _BARRED = "ENOSPC", "EIO", "EACCES"
_DESCRIPTORS, _MEMORY = "EMFILE", "ENOMEM"
# What a call can answer by its manual page. Not close: on Linux it has closed whatever it says.
_CAN: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("open", "openat"), (_FULL, _BROKEN, _BARRED, _DESCRIPTORS, _MEMORY, "EINTR")),
    **dict.fromkeys(("write", "pwrite64"), (_FULL, _BROKEN, "EINTR")),
    **dict.fromkeys(("read", "pread64"), (_BROKEN, "EINTR")),
    **dict.fromkeys(("fsync", "fdatasync", "ftruncate"), (_FULL, _BROKEN, "EINTR")),
    **dict.fromkeys(("unlink", "unlinkat", "rename", "renameat", "renameat2"), (_BROKEN, _BARRED)),
    **dict.fromkeys(("link", "linkat", "symlink", "symlinkat"), (_FULL, _BROKEN, _BARRED)),
    **dict.fromkeys(("mkdir", "mkdirat", "mknod", "mknodat"), (_FULL, _BROKEN, _BARRED)),
    **dict.fromkeys(("fcntl",), ("ENOLCK", "EINTR")),
    **dict.fromkeys(("flock",), ("ENOLCK", "EINTR")),
    **dict.fromkeys(("fchmod", "chmod", "utimensat"), (_BROKEN, _BARRED)),
    **dict.fromkeys(("sendto", "sendmsg", "recvfrom", "recvmsg"), (_MEMORY, "EINTR")),
    **dict.fromkeys(("clone", "clone3", "fork", "vfork"), ("EAGAIN", _MEMORY)),
    **dict.fromkeys(("socketpair", "pipe2", "eventfd2", "inotify_init1"), (_DESCRIPTORS, _MEMORY)),
    **dict.fromkeys(("memfd_create", "pidfd_open"), (_DESCRIPTORS, _MEMORY)),
    "inotify_add_watch": (_FULL, _MEMORY),
    "mmap": (_MEMORY,),
}
_STAYS = {_FULL, _DESCRIPTORS, _BROKEN}  # also from the n-th call on
_NEVER_BEGAN = re.compile("Fatal Python error|error while loading shared libraries")
ON = " from there on"


def _run(trial: Trial) -> None:
    procs.adopt_orphans()
    sweep(trial, _tries, _hurt, _law)


def _tries(points: list[Point], _case: Case) -> list[Try]:
    # All that Python writes, to nowhere too, fails with `write` from there on.
    once = [(point, error) for point in points for error in _CAN.get(point.call, ())]
    return once + [
        (point, f"{error}{ON}") for point, error in once if error in _STAYS and point.call != "write"
    ]


def _hurt(scene: Scene, case: Case, tried: Try) -> Answer:
    point, how = tried
    return hurt(scene, case.command, point, f"error={how.removesuffix(ON)}", goes_on=how.endswith(ON))


def _law(case: Case, answer: Answer) -> list[str]:
    return law_of(answer, is_group=case.command.is_group)


def law_of(answer: Answer, *, is_group: bool) -> list[str]:
    """Return what is wrong with an answer: it ends, with a known code, and one line says why."""
    said = answer.err.splitlines()
    if _NEVER_BEGAN.search(answer.err):
        return []  # it was Python that the fault met, before the first line of ours
    if bugs := [line for line in said if is_bug(line)]:
        return [f"said: {line}" for line in bugs][:3]
    if answer.code is None:
        return [] if is_group and _waits_for_room(said) else [f"hangs: {said[-1:]}"]
    if answer.code not in KNOWN_CODES or not (is_group or _is_one_line(answer, said)):
        return [f"ended with {answer.code}: {said[-3:]}"]
    return []


def _is_one_line(answer: Answer, said: list[str]) -> bool:
    ours = [line for line in said if line.startswith("jobrun: ")]
    hints = [line for line in said if line.startswith("hint: ")]
    return len(ours) + len(hints) == len(said) and len(hints) <= 1 and (answer.code == 0 or bool(ours))


def _waits_for_room(said: list[str]) -> bool:
    """Say whether a group keeps what it cannot write down; that it does so for long is no fault."""
    return any("no room left" in line for line in said)


DRILL = Drill(
    level="L5", says="each call on its files fails, once or from there on", run=_run, long_s=30.0, share=2.0
)
