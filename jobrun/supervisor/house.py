"""The supervisor's loop: keep dispatcher, scheduler and workers alive until told to end them."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from jobrun import notify, procs
from jobrun.errors import JobFileUnusable, JobrunError
from jobrun.log import Log
from jobrun.paths import side_dir
from jobrun.run.trust import check_import_paths
from jobrun.signals import NUDGE, Signals
from jobrun.supervisor.crew import TELL_AGAIN_S, Crew, introduction
from jobrun.supervisor.forking import BUG, fork
from jobrun.supervisor.hiring import Hiring
from jobrun.supervisor.kin import Kin
from jobrun.supervisor.office import Main, Office, in_words
from jobrun.supervisor.offices import Offices
from jobrun.supervisor.roles import Before, Roles
from jobrun.supervisor.room import make_room
from jobrun.supervisor.service import Service
from jobrun.supervisor.settings import Settings
from jobrun.supervisor.stacks import print_all_stacks
from jobrun.supervisor.terminal import Terminal
from jobrun.trouble import AGAIN
from jobrun.wire.messages import (
    Drained,
    Expect,
    Kill,
    Message,
    Noted,
    Nudge,
    Opened,
    Reload,
    Retired,
    Shutdown,
)

SWEEP_EVERY_S = 0.02
MARGIN_S = 30.0  # that the end of a group may take beyond drain and grace: trees, settling, the checkpoint
_FATAL = (2, 4, 5, 75)  # exit codes of an office that nobody else would do better in
BUGS_BORNE = 4  # quick deaths in an office by a fault of our own or of the disk, before the group gives up
_ENDS = (signal.SIGTERM, signal.SIGINT)
_SIGNALS = [*_ENDS, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2]


def run(settings: Settings, scheduler: Main | None = None) -> int:
    """Run a group until a signal ends it; return the exit code.

    `scheduler`, for a group that serves a table, is what that process runs. Raises `Refused` for an
    import path that others can write.
    """
    return House(replace(settings, path=settings.path.absolute()), scheduler).run()


class House:
    """One group: its offices, its crew, and how far its end has got."""

    def __init__(self, settings: Settings, scheduler: Main | None) -> None:
        self._settings = settings
        side = side_dir(settings.path)
        self._log = Log("supervisor")
        notifier = notify.take(os.environ)
        import_paths = check_import_paths(settings.import_paths, warn=partial(self._log.say, "import-path"))
        before = Before(cores=procs.keep_no_core(), descriptors=make_room(settings.workers))
        self._roles = Roles(settings, import_paths, before, reports=notifier.is_heard)
        self._kin = Kin()
        self._crew = Crew(side, self._kin, self._fork)
        self._hiring = Hiring(settings, self._crew, self._roles.worker, self._log)
        self._desk = Office("dispatcher", side / "spool", self._fork)
        self._clock = Office("scheduler", side / "spool", self._fork)
        self._offices = Offices(
            settings, clock=(self._clock, scheduler), desk=(self._desk, self._roles.dispatcher)
        )
        self._service = Service(notifier, self._offices, settings.in_words())
        self._stops = 0  # how often we were asked to stop
        self._is_drained = False
        self._terminal = Terminal()
        self._expected = settings.workers  # by the dispatcher, before a burst may be over
        self._end_code = 0  # of a group that comes to its end in good order
        self._exit_code: int | None = None

    def run(self) -> int:
        """Serve until a signal, a burst or a fault ends the group."""
        procs.adopt_orphans()
        self._signals = Signals(_SIGNALS)
        while self._exit_code is None:
            self._keep_offices()
            self._keep_workers()
            self._service.watch()
            self._wait()
            self._hear_signals()
            self._hear(self._clock)
            self._hear(self._desk)
            self._reap()
            self._crew.sweep(self._offices.pids())
            for gone in self._crew.to_tell():
                self._desk.send(gone)
        self._kin.kill_all()
        self._close_ends()
        return self._exit_code

    def _keep_offices(self) -> None:
        for office in self._offices.vacancies(is_ending=self._stops > 0):
            if office.left_s() <= 0:
                self._fill(office)

    def _fill(self, office: Office) -> None:
        try:
            self._offices.fill(office)
        except OSError as error:
            pause_s = office.pause()
            self._log.say(
                "cannot-start", f"cannot start a {office.name}: {error.strerror}; again in {pause_s:g} s"
            )
            return
        self._service.probe_anew(office)
        if office is self._desk:
            self._crew.tell_anew()
            self._introduce_all()
            office.send(Expect(workers=self._expected))
            if self._stops or self._is_drained:  # after the introductions, or it would see nobody to wait for
                office.send(Shutdown(hurry=self._stops > 1))

    def _introduce_all(self) -> None:
        """Tell the dispatcher of workers it does not know; again next time if that fails."""
        for slot in self._crew.all():
            if not slot.is_introduced and self._desk.control is not None:
                with contextlib.suppress(OSError, EOFError):
                    self._desk.control.send(
                        introduction(slot), descriptors=[end.fileno() for end in slot.ends]
                    )
                    slot.is_introduced = True

    def _keep_workers(self) -> None:
        if self._is_drained:
            if not self._crew.all():
                self._desk.hang_up()  # the dispatcher ends, and with it the group
            return
        if not self._offices.are_open or self._stops:
            return
        self._hiring.fill_seats()
        self._expect_workers()
        self._introduce_all()

    def _expect_workers(self) -> None:
        """Let a burst end without those who cannot be hired, and at once where that is all of them."""
        hopeful = self._hiring.hopeful()
        if hopeful == self._expected:
            return
        self._expected = hopeful
        self._desk.send(Expect(workers=hopeful))
        if not hopeful:
            self._end_code, message = self._hiring.failure()
            self._log.refuse(JobrunError(message, hint="the lines above say why; all jobs wait"))
            self._stops = 2  # nobody is there to be waited for
            self._desk.send(Shutdown(hurry=True))

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._signals.fileno(), select.POLLIN)
        for office in self._offices:
            if office.control is not None:
                poll.register(office.control.fileno(), select.POLLIN)
        timeout_s = self._timeout_s()
        poll.poll(None if timeout_s is None else max(timeout_s, 0) * 1000)

    def _timeout_s(self) -> float | None:
        """Return how long there is nothing to do unless something comes; None for ever."""
        if self._crew.is_sweeping():
            return SWEEP_EVERY_S
        waits = [TELL_AGAIN_S] if self._crew.ended else []
        if any(not slot.is_introduced for slot in self._crew.all()):
            waits.append(TELL_AGAIN_S)
        waits += [] if (wait_s := self._service.wait_s()) is None else [wait_s]
        waits += self._offices.waits_s(is_ending=self._stops > 0)
        if self._offices.are_open and not self._stops and not self._is_drained:
            waits += self._hiring.waits_s()
        return min(waits, default=None)

    def _hear_signals(self) -> None:
        for signum in self._signals.take():
            is_hangup = signum == signal.SIGHUP
            if signum in _ENDS or (is_hangup and self._terminal.has_gone()):
                self._stop(signum)
            elif is_hangup:
                self._reload()
            elif signum == signal.SIGQUIT:
                self._ask_for_stacks()

    def _reload(self) -> None:
        self._service.reload()
        if not self._clock.pid:
            self._service.reloaded()  # there is no table
        elif self._clock.flush():  # else one of many waits there already
            self._clock.send(Reload())

    def _stop(self, signum: int) -> None:
        self._stops += 1
        if self._stops == 1:
            self._log.say(
                "stopping",
                f"stopping: running jobs have {self._settings.drain_s:g} s; a second signal hurries",
            )
        elif self._stops == 2:
            self._log.say("hurrying", "hurrying: running jobs are interrupted")
        elif signum == signal.SIGINT:
            self._exit_code = 128 + signum
        if not self._offices.are_open or not (self._settings.workers or self._clock.pid):
            self._exit_code = 0  # nobody is there to end first
        self._service.stopping(self._settings.drain_s + self._settings.grace_s + MARGIN_S)
        self._offices.send(Shutdown(hurry=self._stops > 1))

    def _ask_for_stacks(self) -> None:
        children = {f"the {office.name}": office.pid for office in self._offices}
        children |= {f"worker {slot.number}": slot.pid for slot in self._crew.living()}
        print_all_stacks(self._log, {name: pid for name, pid in children.items() if pid})

    def _hear(self, office: Office) -> None:
        for message in office.heard():
            self._obey(message, office)

    def _obey(self, message: Message, office: Office) -> None:
        match message:
            case Opened():
                self._has_opened(office)
            case Nudge():
                self._crew.signal(message.name, NUDGE)
            case Kill():
                self._crew.signal(message.name, signal.SIGKILL)
            case Noted():
                self._crew.forget(message.name)
            case Retired():
                self._hiring.retired(message.name, message.reason)
            case Drained():
                self._is_drained = True
            case _:
                self._service.hear(message, office)

    def _has_opened(self, office: Office) -> None:
        if office is self._clock:
            self._service.reloaded()  # it may have died of it; its successor has read the table
        if not self._offices.note_open(office):
            return
        if self._settings.workers and not self._settings.burst:
            self._log.say("started", self._settings.in_words())
        self._service.note_open(has_workers=self._settings.workers > 0)

    def _reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if (office := self._offices.with_pid(pid)) is not None:
                self._office_ended(office, os.waitstatus_to_exitcode(status))
            elif (slot := self._crew.with_pid(pid)) is not None:
                self._hear(self._desk)  # perhaps it was told to leave, or has said that it does
                self._crew.buried(slot, status, usage)
                is_expected = bool(self._stops) or self._is_drained
                self._hiring.ended(slot, os.waitstatus_to_exitcode(status), is_expected=is_expected)

    def _office_ended(self, office: Office, code: int) -> None:
        self._hear(office)  # what it said before its end still counts
        office.vacate()
        if code in _FATAL:
            self._exit_code = code
        elif code in (BUG, AGAIN) and office.quick_deaths() >= BUGS_BORNE:
            self._exit_code = JobFileUnusable.exit_code if code == AGAIN else BUG
        elif office is self._clock and self._stops:
            self._exit_code = None if self._settings.workers else 0  # the workers end as ever
        elif office is self._desk and self._is_drained and not self._crew.all():
            self._exit_code = self._end_code
        else:
            pause_s = office.pause()
            self._log.say(
                "office-ended",
                f"{office.name} {in_words(code)}; replaced in {pause_s:g} s, running jobs go on",
            )

    def _fork(self, main: Callable[[], int], let_go: Callable[[], None]) -> int:
        return fork(main, let_go=lambda: self._let_go(let_go), stacks_fd=self._log.fd)

    def _let_go(self, of_our_own: Callable[[], None]) -> None:
        """Close in a child what belongs to its siblings: their locks must not outlive them."""
        of_our_own()
        self._close_ends()

    def _close_ends(self) -> None:
        self._offices.close_ends()
        for slot in self._crew.all():
            slot.close()
