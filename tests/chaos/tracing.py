"""One command of jobrun under strace(1): which calls it makes on our files, and what comes of it when one goes wrong.

The counter of an injection is that of a process: in a group each process meets its own n-th call.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from jobrun import procs
from tests.chaos.scene import Scene
from tests.chaos.trial import CannotTry

# With a path or a descriptor of ours, and those that make a process or a descriptor.
_ON_FILES = """
    open openat read pread64 write pwrite64 fsync fdatasync ftruncate unlink unlinkat rename renameat renameat2
    link linkat symlink symlinkat mkdir mkdirat mknod mknodat rmdir fcntl flock fchmod fchown chmod utimensat
    fallocate mmap close sendto sendmsg recvfrom recvmsg
""".split()  # noqa: SIM905 -- a list of so many words is read by nobody
_MAKERS = """
    clone clone3 fork vfork socketpair pipe2 eventfd2 inotify_init1 inotify_add_watch memfd_create pidfd_open
""".split()  # noqa: SIM905 -- as above
_CALL = re.compile(r"(\d+) +(\w+)\((.*)")
_HERE = re.compile(r"AT_FDCWD<[^>]*>")
_TALK = ("<pipe:", "<socket:", "<UNIX", "<anon_inode:")
_MOST_TALK = 40
_POLL_S = 0.01
_KILLS_BORNE = 3  # a group that loses the same process again and again is ended then
_END_S = 15.0  # of a group that was asked to end


class Point(NamedTuple):
    """The n-th call of its kind."""

    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.call} {self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command said, and whether what was to hurt it did."""

    code: int | None  # None: it did not end
    out: str
    err: str
    was_hurt: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A command, and how it comes to its end."""

    words: tuple[str, ...]
    is_group: bool = False
    ends_with: str | None = None  # SQL that counts what a group is to have done before it is told to end
    within_s: float = 20.0


def points_of(scene: Scene, command: Words) -> list[Point]:
    """Run a command unhurt, and return the calls that it made on what is ours."""
    names = ",".join(f"?{name}" for name in (*_ON_FILES, *_MAKERS))
    _run(scene, command, ["--seccomp-bpf", "-y", "-e", f"trace={names}"])
    counts: Counter[tuple[str, str]] = Counter()
    talked: Counter[str] = Counter()
    found: dict[Point, None] = {}
    ours = f"{scene.folder}/"
    for line in _trace(scene).read_text(errors="replace").splitlines():
        if (match := _CALL.match(line)) is None:
            continue
        pid, call, rest = match.groups()
        counts[pid, call] += 1
        told = _HERE.sub("", rest)
        talks = call not in _MAKERS and ours not in told
        if talks and not any(mark in told for mark in _TALK):
            continue
        talked[call] += talks
        if talked[call] <= _MOST_TALK or not talks:  # a loop that waits looks again and again
            found[Point(call, counts[pid, call])] = None
    return list(found)


def hurt(scene: Scene, command: Words, point: Point, how: str, *, goes_on: bool = False) -> Answer:
    """Run a command that is hurt at one point, or from there on; `how` as strace has it: `error=EIO`."""
    when = f"{point.number}{'+' if goes_on else ''}"
    options = ["-e", f"trace=?{point.call}", "-e", f"inject=?{point.call}:{how}:when={when}"]
    if how.startswith("error="):
        options.append("--seccomp-bpf")  # much faster, and deaf to signals
    return _run(scene, command, options)


def _run(scene: Scene, command: Words, options: Sequence[str]) -> Answer:
    if shutil.which("strace") is None:
        raise CannotTry("needs strace(1)")
    trace = _trace(scene)
    trace.unlink(missing_ok=True)
    out, err = scene.folder / "out", scene.folder / "err"
    start = ["strace", "-D", "-f", "-qq", "-o", str(trace), *options]
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            [*start, *scene.words(*command.words)],
            env=scene.environment(),
            cwd=scene.folder,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        code = _end(scene, process, command, trace)
    _bury()
    traced = trace.read_text(errors="replace") if trace.exists() else ""
    return Answer(
        code=code,
        out=out.read_text(errors="replace"),
        err=err.read_text(errors="replace"),
        was_hurt="(INJECTED)" in traced or "killed by SIGKILL" in traced,
    )


def _end(scene: Scene, process: subprocess.Popen[bytes], command: Words, trace: Path) -> int | None:
    """Return the exit code of a command; a group is told to end when it has done its work, or cannot."""
    end = time.monotonic() + command.within_s
    asked = False
    while process.poll() is None:
        time.sleep(_POLL_S)
        if command.is_group and _kills(trace) >= _KILLS_BORNE:
            process.kill()
        elif not asked and command.ends_with is not None and _is_done(scene, command.ends_with):
            process.terminate()
            asked, end = True, time.monotonic() + _END_S
        elif time.monotonic() >= end:
            if command.is_group and not asked:
                process.terminate()
                asked, end = True, time.monotonic() + _END_S
                continue
            process.kill()
            process.wait()
            return None
    return process.returncode


def _is_done(scene: Scene, sql: str) -> bool:
    rows = scene.rows(sql)
    return bool(rows and rows[0][0])


def _kills(trace: Path) -> int:
    try:
        return trace.read_bytes().count(b"killed by SIGKILL")
    except FileNotFoundError:
        return 0


def _bury() -> None:
    """Wait until all that the command left is gone, the tracer too; we are the parent of orphans."""
    end = time.monotonic() + 3.0
    while procs.reap() and time.monotonic() < end:
        time.sleep(_POLL_S / 2)
    for pid in procs.descendants():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    while procs.reap():
        time.sleep(_POLL_S / 2)


def _trace(scene: Scene) -> Path:
    return scene.folder / "trace"
