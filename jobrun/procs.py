"""Processes as the kernel shows them: trees, leftovers, causes of death (proc(5), prctl(2)).

A tree is more than a process group: what called setsid(2) or forked twice is found because its
worker is a subreaper, so that orphans become the worker's children instead of init's.

Pids are given again. One of our own children keeps its pid until we reap it; any other process is held by a
descriptor (pidfd_open(2)) and looked at once more before it gets a signal.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def _nobody(_pid: int) -> bool:
    return False


def boot_id() -> str:
    """Return what the kernel drew at this boot: it tells one boot of the machine from the next (random(4))."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def adopt_orphans() -> None:
    """Become the parent of all descendants whose own parent ends."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with(parent_pid: int) -> None:
    """Be killed when the parent ends; end at once if it has ended before we could ask for that."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(1)


def keep_no_core() -> tuple[int, int]:
    """Leave none of our memory on the disk when we crash; return the limits that `allow_core` puts back."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, before[1]))
    return before


def allow_core(before: tuple[int, int]) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, before)


def start_ticks(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; with its pid that names it for good."""
    stat = _stat(pid)
    return None if stat is None else int(stat[19])


def children() -> list[int]:
    """Return the direct children of this process, those adopted included."""
    return _children_of(os.getpid())


def is_child(pid: int, parent: int) -> bool:
    """Say whether a process is there, and which one is its parent."""
    return pid in _children_of(parent)


def descendants(roots: Iterable[int] | None = None) -> dict[int, int]:
    """Return all processes below this one, or some of its children with all that is below them; each with its parent."""
    found: dict[int, int] = {}
    waiting = [(pid, os.getpid()) for pid in (children() if roots is None else roots)]
    while waiting:
        pid, parent = waiting.pop()
        found[pid] = parent
        waiting += [(child, pid) for child in _children_of(pid)]
    return found


def send_below(found: Mapping[int, int], signum: signal.Signals) -> None:
    """Send a signal to each of some descendants that is still where it was found.

    One that has meanwhile become an orphan is found as another's child the next time.
    """
    send(found, signum, is_meant=lambda pid: _parent_of(pid) == found[pid])


def send(pids: Iterable[int], signum: signal.Signals, *, is_meant: Callable[[int], bool]) -> None:
    """Send a signal to each process that is still there and meant, and wake those that it would not reach stopped.

    All are looked at before the first gets it, since its end may change whose children the others are. Where
    no descriptor is to be had, that look has to do.
    """
    with contextlib.ExitStack() as stack:
        meant: list[Callable[[signal.Signals], None]] = []
        for pid in pids:
            tell: Callable[[signal.Signals], None]
            try:
                fd = os.pidfd_open(pid)
                stack.callback(os.close, fd)
                tell = partial(signal.pidfd_send_signal, fd)
            except ProcessLookupError:
                continue
            except OSError:
                tell = partial(os.kill, pid)
            if is_meant(pid):
                meant.append(tell)
        for tell in meant:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                tell(signum)
                if signum != signal.SIGKILL:
                    tell(signal.SIGCONT)


def reap() -> bool:
    """Collect every child that has ended; False if no child is left at all."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True


def end_descendants(grace_s: float, *, spares: Callable[[int], bool] = _nobody) -> int:
    """End all that is left below this process, and return how many there were.

    Children that `spares` tells by their pid are left alone, with all below them.

    TERM first, KILL after the grace, again until nothing is left. For processes that have no other
    children: everything below them is taken for a leftover.
    """
    left = descendants(_left(spares))
    send_below(left, signal.SIGTERM)
    if not _all_end(grace_s, spares):
        kill_descendants(spares=spares)
    return len(left)


def kill_descendants(limit_s: float = 30.0, *, spares: Callable[[int], bool] = _nobody) -> bool:
    """Kill all that is below this process but for spared children; False if something cannot be killed."""
    end = time.monotonic() + limit_s
    while left := _left(spares):
        send_below(descendants(left), signal.SIGKILL)
        if time.monotonic() > end:
            return False  # uninterruptible sleep: nobody can kill it
        _wait_for_one(left, 0.05)
    return True


def carriers(mark: str, lock: Path) -> list[int]:
    """Return the living processes that belong to an attempt: its mark in their environment, or its lock open.

    `mark` is `NAME=value` as in environ(7). What sheds mark, session and descriptors on purpose is
    the one documented exception to our promise.
    """
    return [pid for pid in _all_pids() if pid != os.getpid() and is_carrier(pid, mark, lock)]


def is_carrier(pid: int, mark: str, lock: Path) -> bool:
    """Say whether a process belongs to an attempt, as `carriers` has it."""
    name, _, value = mark.partition("=")
    return variable(pid, name) == value or _has_open(pid, lock)


def variable(pid: int, name: str) -> str | None:
    """Return a variable that a living process was started with; None if there is none, or it is not ours to see."""
    try:
        environ = b"\0" + Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    _, found, rest = environ.partition(b"\0" + os.fsencode(name) + b"=")
    return os.fsdecode(rest.partition(b"\0")[0]) if found else None


def oom_kills() -> int | None:
    """Return how often the kernel killed for want of memory in our control group; None if it does not tell."""
    for path, key in _memory_events():
        with contextlib.suppress(OSError, ValueError, IndexError):
            counts = dict(line.split() for line in path.read_text().splitlines())
            if key in counts:
                return int(counts[key])
    return None


def signal_name(signum: int) -> str:
    """Return `SIGSEGV` for 11; a number that has no name stays a number.

    >>> signal_name(11), signal_name(64 + 1)
    ('SIGSEGV', 'signal 65')
    """
    try:
        return signal.Signals(signum).name
    except ValueError:
        return f"signal {signum}"


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _parent_of(pid: int) -> int | None:
    stat = _stat(pid)
    return None if stat is None else int(stat[1])


def _stat(pid: int) -> list[bytes] | None:
    """Return the fields of proc(5)'s stat from the third on; the name before them may hold anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None


def _children_of(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                found += map(int, Path(f"/proc/{pid}/task/{task}/children").read_bytes().split())
    return found


def _left(spares: Callable[[int], bool]) -> list[int]:
    """Return the children that have not ended and are not spared."""
    return [pid for pid in children() if not spares(pid)] if reap() else []


def _all_end(grace_s: float, spares: Callable[[int], bool]) -> bool:
    end = time.monotonic() + grace_s
    while left := _left(spares):
        left_s = end - time.monotonic()
        if left_s <= 0:
            return False
        _wait_for_one(left, min(left_s, 0.2))
    return True


def _wait_for_one(pids: list[int], timeout_s: float) -> None:
    """Sleep until one of some children ends, or for `timeout_s`."""
    with contextlib.ExitStack() as stack:
        poll = select.poll()
        for pid in pids[:64]:
            with contextlib.suppress(OSError):
                fd = os.pidfd_open(pid)
                stack.callback(os.close, fd)
                poll.register(fd, select.POLLIN)
        poll.poll(timeout_s * 1000)


def _all_pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _has_open(pid: int, lock: Path) -> bool:
    folder = f"/proc/{pid}/fd"
    try:
        return any(_points_to(f"{folder}/{fd}", lock) for fd in os.listdir(folder))
    except OSError:
        return False


def _points_to(link: str, path: Path) -> bool:
    try:
        return os.readlink(link) == os.fspath(path)
    except OSError:
        return False


def _memory_events() -> Iterator[tuple[Path, str]]:
    """Yield where cgroup v2, then v1, count kills for want of memory (cgroup-v2.rst, memory.txt)."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, group = line.split(":", 2)
            if controllers == "":
                yield Path(f"/sys/fs/cgroup{group}/memory.events"), "oom_kill"
            elif "memory" in controllers.split(","):
                yield Path(f"/sys/fs/cgroup/memory{group}/memory.oom_control"), "oom_kill"
