"""The workers of a group: hired, reaped, swept, told of, and forgotten once that is committed."""

from __future__ import annotations

import contextlib
import os
import resource
import secrets
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from jobrun import locks, procs
from jobrun.locks.records import begun_by, read_record, reserve
from jobrun.run.mark import is_kept
from jobrun.supervisor.kin import Kin
from jobrun.wire.channel import Channel
from jobrun.wire.messages import Gone, Hired

SWEEP_GRACE_S = 2.0  # between TERM and KILL for what a dead worker left behind
TELL_AGAIN_S = 1.0

Work = Callable[[str, int, Channel, Channel], int]  # name, lock, channel, orders -> exit code


class Ends(NamedTuple):
    """What a dispatcher is given of a worker: its end of the channel, and both of that for orders."""

    channel: socket.socket
    orders: socket.socket
    unread: socket.socket  # which the worker has, too

    def let_go_of(self) -> None:
        """Close, in the worker, what is not its own."""
        self.channel.close()
        self.orders.close()

    def close(self) -> None:
        for end in self:
            end.close()


@dataclass(slots=True, kw_only=True)
class Slot:
    """One forked worker. It holds our copies of its lock and of what a dispatcher needs to reach it."""

    name: str
    number: int
    pid: int
    lock: int
    ends: Ends
    started_at: float  # wall clock, seconds
    oom_kills: int | None
    is_doomed: bool = False  # killed on request: what it leaves is killed without grace
    gone: Gone | None = None  # reaped
    is_swept: bool = False
    is_retired: bool = False  # gets no job any more: its seat is another's
    is_introduced: bool = False  # to the dispatcher of now
    told_at: float | None = None  # monotonic: when the dispatcher was last told of its end

    def close(self) -> None:
        os.close(self.lock)
        self.ends.close()


class Crew:
    """All workers of a group, the ended ones until the dispatcher has noted their end."""

    def __init__(
        self, side: Path, kin: Kin, fork: Callable[[Callable[[], int], Callable[[], None]], int]
    ) -> None:
        """`fork(main, let_go)` starts a child that runs `main` after `let_go`."""
        self.by_number: dict[int, Slot] = {}  # who sits where
        self._retired: list[Slot] = []  # not reaped yet
        self.ended: list[Slot] = []
        self._side = side
        self._kin = kin
        self._fork = fork
        self._kill_at: float | None = None

    def hire(self, number: int, work: Work) -> Slot:
        """Fork a worker that runs `work(name, lock, channel, orders)`, its lock taken before the fork.

        Raises OSError, leaving nothing behind, when there is no room for a process or a descriptor.
        """
        name = f"w{secrets.token_hex(6)}"
        lock = locks.take(self._side / "locks" / name)
        assert lock is not None, "a name is used once"
        spool = self._side / "spool"
        with contextlib.ExitStack() as undo:
            undo.callback((self._side / "locks" / name).unlink, missing_ok=True)
            undo.callback(os.close, lock)
            reserve(lock)
            ours, theirs = map(undo.enter_context, _pair())
            puts, takes = map(undo.enter_context, _pair())
            ends = Ends(ours, puts, takes)
            channels = Channel(theirs, spool), Channel(takes, spool)
            pid = self._fork(lambda: work(name, lock, *channels), ends.let_go_of)
            undo.pop_all()
        theirs.close()
        slot = Slot(
            name=name,
            number=number,
            pid=pid,
            lock=lock,
            ends=ends,
            started_at=time.time(),
            oom_kills=procs.oom_kills(),
        )
        self.by_number[number] = slot
        return slot

    def all(self) -> list[Slot]:
        return [*self.living(), *self.ended]

    def living(self) -> list[Slot]:
        """Return those that are not reaped yet."""
        return [*self.by_number.values(), *self._retired]

    def retire(self, name: str) -> Slot | None:
        """Free the seat of a worker that leaves by itself; None if it had left it before."""
        slot = self.named(name)
        if slot is None or slot.is_retired:
            return None
        slot.is_retired = True
        self._retired.append(self.by_number.pop(slot.number))
        return slot

    def named(self, name: str) -> Slot | None:
        """Return a worker that is not reaped yet, so that its pid is still its own."""
        return next((slot for slot in self.living() if slot.name == name), None)

    def signal(self, name: str, signum: int) -> None:
        """Send a signal to a worker, if it is still there."""
        if (slot := self.named(name)) is not None:
            slot.is_doomed |= signum == signal.SIGKILL
            os.kill(slot.pid, signum)

    def with_pid(self, pid: int) -> Slot | None:
        return next((slot for slot in self.living() if slot.pid == pid), None)

    def buried(self, slot: Slot, status: int, usage: resource.struct_rusage) -> None:
        """Note that a worker was reaped, and what its last attempt had used."""
        if slot.is_retired:
            self._retired.remove(slot)
        else:
            del self.by_number[slot.number]
        record = read_record(self._side / "locks" / slot.name)
        before_s = 0.0 if record is None else record.cpu_s
        slot.gone = Gone(
            name=slot.name,
            status=status,
            begun=begun_by(self._side / "locks" / slot.name),
            cpu_s=max(usage.ru_utime + usage.ru_stime - before_s, 0.0),
            peak_rss=usage.ru_maxrss * 1024,
            out_of_memory=_rose(slot.oom_kills, procs.oom_kills()),
        )
        self.ended.append(slot)

    def is_sweeping(self) -> bool:
        return any(not slot.is_swept for slot in self.ended)

    def sweep(self, officers: set[int]) -> None:
        """End the orphans of dead workers: our children that are neither workers nor officers."""
        unswept = [slot for slot in self.ended if not slot.is_swept]
        if not unswept:
            return
        strays = self._kin.children() - {slot.pid for slot in self.living()} - officers
        left = {pid for pid in strays if not is_kept(pid, self._side / "locks")}
        if not left:
            self._kill_at = None
            for slot in unswept:
                slot.is_swept = True
            return
        if self._kill_at is None:
            grace_s = 0.0 if any(slot.is_doomed for slot in unswept) else SWEEP_GRACE_S
            self._kill_at = time.monotonic() + grace_s
            procs.send_below(procs.descendants(left), signal.SIGTERM)
        if time.monotonic() >= self._kill_at:
            procs.send_below(procs.descendants(left), signal.SIGKILL)

    def to_tell(self) -> list[Gone]:
        """Return the ends that the dispatcher is to hear of, now or again."""
        now = time.monotonic()
        due = [s for s in self.ended if s.is_swept and (s.told_at is None or now - s.told_at >= TELL_AGAIN_S)]
        for slot in due:
            slot.told_at = now
        return [slot.gone for slot in due if slot.gone is not None]

    def tell_anew(self) -> None:
        """A new dispatcher knows no worker and has heard of no end yet."""
        for slot in self.all():
            slot.is_introduced = False
            slot.told_at = None

    def forget(self, name: str) -> None:
        """Give up what we kept of a worker whose end is committed."""
        for slot in [slot for slot in self.ended if slot.name == name]:
            self.ended.remove(slot)
            begun = (slot.gone.begun if slot.gone is not None else None) or []
            for left in (name, *begun[-1:]):
                (self._side / "locks" / left).unlink(missing_ok=True)
            (self._side / "logs" / name).unlink(missing_ok=True)
            slot.close()


def _pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def introduction(slot: Slot) -> Hired:
    """Return the message by which a dispatcher learns of a worker."""
    return Hired(name=slot.name, number=slot.number, pid=slot.pid, started_at=round(slot.started_at * 1000))


def _rose(before: int | None, after: int | None) -> bool | None:
    return None if before is None or after is None else after > before
