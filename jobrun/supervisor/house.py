"""The supervisor's loop: keep the dispatcher and the workers alive until told to end them."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from collections.abc import Callable
from dataclasses import replace

from jobrun import dispatcher, procs, worker
from jobrun.dispatcher.settings import Settings as DeskSettings
from jobrun.dispatcher.settings import World
from jobrun.log import Log
from jobrun.paths import side_dir
from jobrun.run.trust import check_import_paths
from jobrun.signals import NUDGE, Signals
from jobrun.supervisor.crew import TELL_AGAIN_S, Crew, Slot, introduction
from jobrun.supervisor.forking import BUG, fork
from jobrun.supervisor.kin import Kin
from jobrun.supervisor.pauses import Pauses
from jobrun.supervisor.settings import Settings
from jobrun.supervisor.stacks import print_all_stacks
from jobrun.wire.channel import Channel, pair
from jobrun.wire.messages import Drained, Kill, Message, Noted, Nudge, Opened, Shutdown

SWEEP_EVERY_S = 0.02
LONGEST_DESK_PAUSE_S = 1.0  # time limits do not hold while there is no dispatcher
_FATAL = (4, 5)  # exit codes of a dispatcher that no other would do better than
BUGS_BORNE = 4  # quick deaths of a dispatcher by a fault of our own, before the group gives up
_SIGNALS = [
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGCHLD,
    signal.SIGUSR1,
    signal.SIGUSR2,
]


def run(settings: Settings) -> int:
    """Run a group of workers until a signal ends it; return the exit code.

    Raises `Refused` for an import path that others can write.
    """
    return House(replace(settings, path=settings.path.absolute())).run()


class House:
    """One group: its dispatcher, its crew, and how far its end has got."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._side = side_dir(settings.path)
        self._log = Log("supervisor")
        self._import_paths = check_import_paths(settings.import_paths, warn=self._log.say)
        self._kin = Kin()
        self._crew = Crew(self._side, self._kin, self._fork)
        self._pauses = Pauses(settings.workers)
        self._desk_pauses = Pauses(1, LONGEST_DESK_PAUSE_S)
        self._dispatcher_pid = 0
        self._generation = 0
        self._control: Channel | None = None
        self._is_open = False  # the store was opened once, so there is something to work for
        self._stops = 0  # how often we were asked to stop
        self._is_drained = False
        self._has_terminal = os.isatty(2)  # whose end SIGHUP then means
        self._exit_code: int | None = None

    def run(self) -> int:
        """Serve until a signal, a burst or a fault ends the group."""
        procs.adopt_orphans()
        self._signals = Signals(_SIGNALS)
        while self._exit_code is None:
            self._keep_dispatcher()
            self._keep_workers()
            self._wait()
            self._hear_signals()
            self._hear_dispatcher()
            self._reap()
            self._crew.sweep(self._dispatcher_pid)
            for gone in self._crew.to_tell():
                self._send(gone)
        self._kin.kill_all()
        return self._exit_code

    def _keep_dispatcher(self) -> None:
        if self._dispatcher_pid or not self._desk_pauses.is_over(0):
            return
        self._desk_pauses.began(0)
        self._generation += 1
        try:
            ours, theirs = pair(self._side / "spool")
            self._dispatcher_pid = self._fork(lambda: self._be_dispatcher(theirs), ours)
        except OSError as error:
            self._log.say(
                f"cannot start a dispatcher: {error.strerror}; again in {self._desk_pauses.ended(0):g} s"
            )
            return
        self._control = ours
        theirs.close()
        self._crew.tell_anew()
        self._introduce_all()
        if self._stops or self._is_drained:  # after the introductions, or it would see nobody to wait for
            self._send(Shutdown(hurry=self._stops > 1))

    def _be_dispatcher(self, control: Channel) -> int:
        settings = DeskSettings(
            path=self._settings.path,
            workers=self._settings.workers,
            queues=self._settings.queues,
            burst=self._settings.burst,
            drain_s=self._settings.drain_s,
            grace_s=self._settings.grace_s,
            group_pid=os.getppid(),
            generation=self._generation,
        )
        return dispatcher.run(settings, control, World())

    def _introduce_all(self) -> None:
        """Tell the dispatcher of workers it does not know; again next time if that fails."""
        for slot in self._crew.all():
            if not slot.is_introduced and self._control is not None:
                with contextlib.suppress(OSError):
                    self._control.send(introduction(slot), descriptor=slot.end.fileno())
                    slot.is_introduced = True

    def _keep_workers(self) -> None:
        if self._is_drained:
            if not self._crew.all() and self._control is not None:
                self._control.hang_up()  # the dispatcher ends, and with it the group
            return
        if not self._is_open or self._stops:
            return
        for number in range(1, self._settings.workers + 1):
            if number not in self._crew.by_number and self._pauses.is_over(number - 1):
                self._hire(number)
        self._introduce_all()

    def _hire(self, number: int) -> None:
        self._pauses.began(number - 1)
        try:
            self._crew.hire(number, self._be_worker)
        except OSError as error:
            pause_s = self._pauses.ended(number - 1)
            self._log.say(f"cannot start worker {number}: {error.strerror}; again in {pause_s:g} s")

    def _be_worker(self, name: str, lock: int, channel: Channel) -> int:
        post = worker.Post(
            name=name,
            job_file=self._settings.path,
            channel=channel,
            lock=lock,
            import_paths=self._import_paths,
        )
        worker.run(post)
        return 0

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._signals.fileno(), select.POLLIN)
        if self._control is not None:
            poll.register(self._control.fileno(), select.POLLIN)
        timeout_s = self._timeout_s()
        poll.poll(None if timeout_s is None else max(timeout_s, 0) * 1000)

    def _timeout_s(self) -> float | None:
        """Return how long there is nothing to do unless something comes; None for ever."""
        if self._crew.is_sweeping():
            return SWEEP_EVERY_S
        waits = [TELL_AGAIN_S] if self._crew.ended else []
        if any(not slot.is_introduced for slot in self._crew.all()):
            waits.append(TELL_AGAIN_S)
        if not self._dispatcher_pid:
            waits.append(self._desk_pauses.left_s(0))
        if self._is_open and not self._stops and not self._is_drained:
            numbers = range(1, self._settings.workers + 1)
            waits += [self._pauses.left_s(n - 1) for n in numbers if n not in self._crew.by_number]
        return min(waits, default=None)

    def _hear_signals(self) -> None:
        for signum in self._signals.take():
            if signum in (signal.SIGTERM, signal.SIGINT) or (signum == signal.SIGHUP and self._has_terminal):
                self._stop(signum)
            elif signum == signal.SIGQUIT:
                self._ask_for_stacks()

    def _stop(self, signum: int) -> None:
        self._stops += 1
        if self._stops == 1:
            self._log.say(
                f"stopping: running jobs have {self._settings.drain_s:g} s; a second signal hurries"
            )
        elif self._stops == 2:
            self._log.say("hurrying: running jobs are interrupted")
        elif signum == signal.SIGINT:
            self._exit_code = 128 + signum
        if not self._is_open:
            self._exit_code = 0
        self._send(Shutdown(hurry=self._stops > 1))

    def _ask_for_stacks(self) -> None:
        children = {"the dispatcher": self._dispatcher_pid}
        children |= {f"worker {slot.number}": slot.pid for slot in self._crew.by_number.values()}
        print_all_stacks(self._log, {name: pid for name, pid in children.items() if pid})

    def _hear_dispatcher(self) -> None:
        if self._control is None:
            return
        with contextlib.suppress(EOFError, OSError):  # its end is noticed by reaping it
            while (message := self._control.receive()) is not None:
                self._obey(message)

    def _obey(self, message: Message) -> None:
        match message:
            case Opened():
                self._opened()
            case Nudge():
                self._signal_worker(message.name, NUDGE)
            case Kill():
                self._signal_worker(message.name, signal.SIGKILL)
            case Noted():
                self._crew.forget(message.name)
            case Drained():
                self._is_drained = True

    def _opened(self) -> None:
        if not self._is_open and not self._settings.burst:
            count = self._settings.workers
            queues = ", ".join(self._settings.queues) or "all queues"
            workers = f"{count} worker{'s' if count > 1 else ''}"
            self._log.say(f"{workers} for {queues} of {self._settings.path}")
        self._is_open = True

    def _signal_worker(self, name: str, signum: int) -> None:
        slot = self._crew.named(name)
        if slot is not None:
            slot.is_doomed |= signum == signal.SIGKILL
            os.kill(slot.pid, signum)

    def _reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._dispatcher_pid:
                self._dispatcher_ended(os.waitstatus_to_exitcode(status))
            elif (slot := self._crew.with_pid(pid)) is not None:
                self._crew.buried(slot, status, usage)
                self._worker_ended(slot, os.waitstatus_to_exitcode(status))

    def _dispatcher_ended(self, code: int) -> None:
        assert self._control is not None
        self._hear_dispatcher()  # what it said before its end still counts
        self._control.close()
        self._control, self._dispatcher_pid = None, 0
        if code in _FATAL or (code == BUG and self._desk_pauses.deaths(0) >= BUGS_BORNE):
            self._exit_code = code
        elif self._is_drained and not self._crew.all():
            self._exit_code = 0
        else:
            pause_s = self._desk_pauses.ended(0)
            self._log.say(f"dispatcher {_in_words(code)}; replaced in {pause_s:g} s, running jobs go on")

    def _worker_ended(self, slot: Slot, code: int) -> None:
        self._hear_dispatcher()  # perhaps it was told to leave
        if slot.is_doomed or self._stops or self._is_drained:
            self._pauses.forgive(slot.number - 1)
            return
        pause_s = self._pauses.ended(slot.number - 1)
        if slot.gone is not None and slot.gone.last_token is not None:
            self._pauses.forgive(slot.number - 1)  # a job did it; it is stopped after three times
            pause_s = 0.0
        self._log.say(f"worker {slot.number} ({slot.name}) {_in_words(code)}; replaced in {pause_s:g} s")

    def _send(self, message: Message) -> None:
        if self._control is not None:
            with contextlib.suppress(OSError):  # what matters is said again to the next one
                self._control.send(message)

    def _fork(self, main: Callable[[], int], not_for_it: Channel | socket.socket) -> int:
        return fork(main, let_go=lambda: self._let_go(not_for_it), stacks_fd=self._log.fd)

    def _let_go(self, not_for_it: Channel | socket.socket) -> None:
        """Close in a child what belongs to its siblings: their locks must not outlive them."""
        not_for_it.close()
        if self._control is not None:
            self._control.close()
        for slot in self._crew.all():
            slot.close()


def _in_words(code: int) -> str:
    return f"exit {code}" if code >= 0 else procs.signal_name(-code)
