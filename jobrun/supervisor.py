"""The process that forks, reaps, restarts and passes on signals; it knows no jobs.

    supervisor           opens no store, imports no user code, has no threads
     |-- dispatcher      replaced when it dies; ends the group when it exits with 4 or 5
     `-- worker x N      replaced when they die, with back-off

It keeps a copy of the dispatcher's end of every worker's socket pair, so that a dispatcher killed by
SIGKILL is replaced and loses no running job and no result.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import resource
import secrets
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from jobrun import dispatcher, locks, procs, worker
from jobrun.dispatcher.settings import Settings as Desk
from jobrun.dispatcher.settings import World
from jobrun.locks.records import read_record
from jobrun.log import Log
from jobrun.paths import side_dir
from jobrun.run.trust import check_import_paths
from jobrun.signals import NUDGE, Signals, print_stacks_on_quit, stand_apart
from jobrun.wire.channel import Channel, pair
from jobrun.wire.messages import Drained, Gone, Hired, Kill, Message, Noted, Nudge, Opened, Shutdown

SWEEP_GRACE_S = 2.0  # between TERM and KILL for what a dead worker left behind
SWEEP_EVERY_S = 0.02
QUICK_DEATH_S = 5.0  # a worker that lived longer is replaced at once
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 60.0
TELL_AGAIN_S = 1.0
_FATAL = (4, 5)  # exit codes of a dispatcher that no other would do better than
_SIGNALS = (
    signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One group of workers, as a person asked for it. Durations are seconds."""

    path: Path
    workers: int
    queues: tuple[str, ...] = ()  # empty: all
    burst: bool = False
    drain_s: float = 30.0
    grace_s: float = 10.0
    import_paths: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Slot:
    """One forked worker. It holds our copies of its lock and of the dispatcher's end of its socket."""

    name: str
    number: int
    pid: int
    lock: int
    end: socket.socket
    started_at: float  # wall clock, seconds
    born: float  # monotonic seconds
    oom_kills: int | None
    is_doomed: bool = False  # killed on request: what it leaves is killed without grace
    gone: Gone | None = None  # reaped, perhaps not swept yet
    told_at: float | None = None  # when the dispatcher was last told of its end


def run(settings: Settings) -> int:
    """Run a group of workers until a signal ends it; return the exit code.

    Raises `Refused` for an import path that others can write.
    """
    return Supervisor(settings).run()


class Supervisor:
    """One group."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._side = side_dir(settings.path)
        self._log = Log("supervisor")
        self._import_paths = check_import_paths(settings.import_paths, warn=self._log.say)
        self._slots: dict[int, Slot] = {}  # by number
        self._ended: list[Slot] = []  # until swept, told and noted
        self._pauses = Pauses(settings.workers)
        self._dispatcher_pid = 0
        self._dispatcher_pauses = Pauses(1)
        self._generation = 0
        self._control: Channel | None = None
        self._is_open = False
        self._stops = 0  # how often we were asked to stop
        self._is_drained = False
        self._exit_code: int | None = None
        self._sweep_kill_at: float | None = None

    def run(self) -> int:
        procs.adopt_orphans()
        self._signals = Signals(_SIGNALS)
        while self._exit_code is None:
            self._keep_dispatcher()
            self._keep_workers()
            self._wait()
            self._hear_signals()
            self._hear_dispatcher()
            self._reap()
            self._sweep()
            self._tell_ends()
        self._end_all()
        return self._exit_code

    # The dispatcher

    def _keep_dispatcher(self) -> None:
        if self._dispatcher_pid or self._exit_code is not None or not self._dispatcher_pauses.is_over(0):
            return
        self._generation += 1
        ours, theirs = pair(self._side / "spool")
        pid = self._fork(lambda: self._be_dispatcher(theirs), not_for_it=ours)
        theirs.close()
        self._dispatcher_pid, self._control = pid, ours
        self._dispatcher_pauses.began(0)
        if self._stops:
            self._send(Shutdown(hurry=self._stops > 1))
        for slot in [*self._slots.values(), *self._ended]:
            self._introduce(slot)
            slot.told_at = None

    def _be_dispatcher(self, control: Channel) -> int:
        desk = Desk(
            path=self._settings.path,
            workers=self._settings.workers,
            queues=self._settings.queues,
            burst=self._settings.burst,
            drain_s=self._settings.drain_s,
            grace_s=self._settings.grace_s,
            group_pid=os.getppid(),
            generation=self._generation,
        )
        return dispatcher.run(desk, control, World())

    def _introduce(self, slot: Slot) -> None:
        hired = Hired(
            name=slot.name, number=slot.number, pid=slot.pid, started_at=round(slot.started_at * 1000)
        )
        self._send(hired, descriptor=slot.end.fileno())

    def _hear_dispatcher(self) -> None:
        if self._control is None:
            return
        try:
            while (message := self._control.receive()) is not None:
                self._obey(message)
        except (EOFError, OSError):
            return  # its end is reaped, and it is replaced then

    def _obey(self, message: Message) -> None:
        match message:
            case Opened():
                self._is_open = True
            case Nudge():
                self._signal_worker(message.name, NUDGE)
            case Kill():
                for slot in self._slots.values():
                    slot.is_doomed |= slot.name == message.name
                self._signal_worker(message.name, signal.SIGKILL)
            case Noted():
                self._forget(message.name)
            case Drained():
                self._is_drained = True

    def _signal_worker(self, name: str, signum: int) -> None:
        for slot in self._slots.values():
            if slot.name == name:  # not reaped yet, so the pid is still its own
                os.kill(slot.pid, signum)

    def _dispatcher_ended(self, status: int) -> None:
        assert self._control is not None
        self._hear_dispatcher()  # what it said before its end still counts
        self._control.close()
        self._control, self._dispatcher_pid = None, 0
        code = os.waitstatus_to_exitcode(status)
        if code in _FATAL or (self._is_drained and not self._slots and not self._ended):
            self._exit_code = code if code in _FATAL else 0
            return
        pause_s = self._dispatcher_pauses.ended(0)
        how = f"exit {code}" if code >= 0 else procs.signal_name(-code)
        self._log.say(f"dispatcher {how}; replaced in {pause_s:.1f} s, running jobs go on")

    # The workers

    def _keep_workers(self) -> None:
        if not self._is_open or self._stops or self._is_drained:
            self._hang_up_when_empty()
            return
        for number in range(1, self._settings.workers + 1):
            if number not in self._slots and self._pauses.is_over(number - 1):
                self._hire(number)

    def _hang_up_when_empty(self) -> None:
        """Let the dispatcher end once every worker is gone and noted."""
        if self._is_drained and not self._slots and not self._ended and self._control is not None:
            self._control.hang_up()

    def _hire(self, number: int) -> None:
        name = f"w{secrets.token_hex(6)}"
        lock = locks.take(self._side / "locks" / name)
        assert lock is not None, "a name is used once"
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = self._fork(lambda: self._be_worker(name, lock, theirs), not_for_it=ours)
        theirs.close()
        slot = Slot(
            name=name,
            number=number,
            pid=pid,
            lock=lock,
            end=ours,
            started_at=time.time(),
            born=time.monotonic(),
            oom_kills=procs.oom_kills(),
        )
        self._slots[number] = slot
        self._pauses.began(number - 1)
        self._introduce(slot)

    def _be_worker(self, name: str, lock: int, end: socket.socket) -> int:
        post = worker.Post(
            name=name,
            job_file=self._settings.path,
            channel=Channel(end, self._side / "spool"),
            lock=lock,
            import_paths=self._import_paths,
        )
        worker.run(post)
        return 0

    def _worker_ended(self, slot: Slot, status: int, usage: resource.struct_rusage) -> None:
        del self._slots[slot.number]
        record = read_record(self._side / "locks" / slot.name)
        slot.gone = Gone(
            name=slot.name,
            status=status,
            last_token=None if record is None else record.token,
            cpu_s=max(usage.ru_utime + usage.ru_stime - (record.cpu_s if record else 0), 0),
            peak_rss=usage.ru_maxrss * 1024,
            out_of_memory=_rose(slot.oom_kills, procs.oom_kills()),
        )
        self._ended.append(slot)
        if slot.is_doomed or self._stops or self._is_drained:
            self._pauses.forgive(slot.number - 1)
            return
        pause_s = self._pauses.ended(slot.number - 1)
        code = os.waitstatus_to_exitcode(status)
        how = f"exit {code}" if code >= 0 else procs.signal_name(-code)
        self._log.say(f"worker {slot.number} ({slot.name}) {how}; replaced in {pause_s:.1f} s")

    # Ends

    def _reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._dispatcher_pid:
                self._dispatcher_ended(status)
                continue
            for slot in [slot for slot in self._slots.values() if slot.pid == pid]:
                self._worker_ended(slot, status, usage)

    def _leftovers(self) -> list[int]:
        """Return our children that are neither workers nor the dispatcher: orphans of dead workers."""
        known = {slot.pid for slot in self._slots.values()} | {self._dispatcher_pid}
        return [pid for pid in procs.children() if pid not in known]

    def _sweep(self) -> None:
        if not self._unswept():
            return
        left = self._leftovers()
        if not left:
            self._sweep_kill_at = None
            for slot in self._unswept():
                slot.told_at = 0.0  # swept: to be told now
            return
        if self._sweep_kill_at is None:
            grace_s = 0.0 if any(slot.is_doomed for slot in self._unswept()) else SWEEP_GRACE_S
            self._sweep_kill_at = time.monotonic() + grace_s
            procs.send(left, signal.SIGTERM)
        if time.monotonic() >= self._sweep_kill_at:
            procs.send(left, signal.SIGKILL)

    def _unswept(self) -> list[Slot]:
        return [slot for slot in self._ended if slot.told_at is None]

    def _tell_ends(self) -> None:
        now = time.monotonic()
        for slot in self._ended:
            if slot.told_at is not None and now - slot.told_at >= TELL_AGAIN_S and slot.gone is not None:
                slot.told_at = now
                self._send(slot.gone)

    def _forget(self, name: str) -> None:
        """Give up what we kept of a worker whose end is committed."""
        for slot in [slot for slot in self._ended if slot.name == name]:
            self._ended.remove(slot)
            slot.end.close()
            (self._side / "locks" / name).unlink(missing_ok=True)
            (self._side / "logs" / name).unlink(missing_ok=True)
            os.close(slot.lock)

    def _end_all(self) -> None:
        """Leave nobody behind when the group ends early."""
        for slot in self._slots.values():
            os.kill(slot.pid, signal.SIGKILL)
        if self._dispatcher_pid:
            os.kill(self._dispatcher_pid, signal.SIGKILL)
        procs.kill_descendants()

    # Waiting

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._signals.fileno(), select.POLLIN)
        if self._control is not None:
            poll.register(self._control.fileno(), select.POLLIN)
        poll.poll(self._timeout_ms())

    def _timeout_ms(self) -> float | None:
        if self._unswept():
            return SWEEP_EVERY_S * 1000
        if self._ended:
            return TELL_AGAIN_S * 1000
        waits = [
            self._pauses.left_s(n - 1) for n in range(1, self._settings.workers + 1) if n not in self._slots
        ]
        if not self._dispatcher_pid:
            waits = [self._dispatcher_pauses.left_s(0)]
        elif not self._is_open or self._stops or self._is_drained:
            return None
        return max(min(waits), 0.001) * 1000 if waits else None

    def _hear_signals(self) -> None:
        for signum in self._signals.take():
            match signum:
                case signal.SIGTERM | signal.SIGINT:
                    self._stop(signum)
                case signal.SIGQUIT:
                    self._print_stacks()

    def _stop(self, signum: int) -> None:
        self._stops += 1
        if self._stops == 1:
            seconds = f"{self._settings.drain_s:.0f} s"
            self._log.say(f"stopping: running jobs have {seconds}; a second signal hurries")
        elif self._stops == 2:
            self._log.say("hurrying: running jobs are interrupted")
        elif signum == signal.SIGINT:
            self._exit_code = 130
        if not self._is_open and not self._slots:
            self._exit_code = 0
        self._send(Shutdown(hurry=self._stops > 1))

    def _print_stacks(self) -> None:
        faulthandler.dump_traceback(self._log.fd)
        for pid in [self._dispatcher_pid, *(slot.pid for slot in self._slots.values())]:
            if pid:
                os.kill(pid, signal.SIGQUIT)

    def _send(self, message: Message, *, descriptor: int | None = None) -> None:
        if self._control is None:
            return  # said again to the next one
        with contextlib.suppress(OSError):
            self._control.send(message, descriptor=descriptor)

    def _fork(self, main: Callable[[], int], *, not_for_it: Channel | socket.socket) -> int:
        """Fork a child that runs `main` and nothing of ours; return its pid."""
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        try:
            procs.die_with(parent)
            stand_apart()
            not_for_it.close()
            self._let_go()
            print_stacks_on_quit(self._log.fd)
            _end_process(main())
        except BaseException:  # noqa: BLE001 -- nothing of the parent's stack may run in the child
            sys.excepthook(*sys.exc_info())
            _end_process(70)

    def _let_go(self) -> None:
        """Close in a child what belongs to its siblings: their locks must not outlive them."""
        if self._control is not None:
            self._control.close()
        for slot in [*self._slots.values(), *self._ended]:
            os.close(slot.lock)
            slot.end.close()


class Pauses:
    """Back-off of what is restarted: at once when it lived long, later and later when it dies young."""

    def __init__(self, count: int) -> None:
        self._deaths = [0] * count
        self._born = [0.0] * count
        self._until = [0.0] * count

    def began(self, index: int) -> None:
        self._born[index] = time.monotonic()

    def ended(self, index: int) -> float:
        """Note a death; return the seconds until the next start."""
        now = time.monotonic()
        is_quick = now - self._born[index] < QUICK_DEATH_S
        self._deaths[index] = self._deaths[index] + 1 if is_quick else 0
        pause_s = 0.0
        if self._deaths[index]:
            pause_s = min(FIRST_PAUSE_S * 2 ** (self._deaths[index] - 1), LONGEST_PAUSE_S)
        self._until[index] = now + pause_s
        return pause_s

    def forgive(self, index: int) -> None:
        """Note an end that we made ourselves."""
        self._deaths[index] = 0
        self._until[index] = 0.0

    def is_over(self, index: int) -> bool:
        return time.monotonic() >= self._until[index]

    def left_s(self, index: int) -> float:
        return self._until[index] - time.monotonic()


def _rose(before: int | None, after: int | None) -> bool | None:
    return None if before is None or after is None else after > before


def _end_process(code: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)
