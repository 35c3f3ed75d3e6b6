"""The scheduler's loop: sleep until a tick falls due, decide it, and look whether table or clock have changed.

    wait --> hear --> read the table again, if it changed --> serve what is due --> send pings --.
     ^                                                                                           |
     `-------------------------------------------------------------------------------------------'

It never sleeps "until T" for long: wall clocks are set, and hosts sleep, so it looks at the clock
anew every few seconds.
"""

from __future__ import annotations

import os
import select
from collections.abc import Mapping

from jobrun import procs
from jobrun.bell import Listener, Tone
from jobrun.cron.digest import digest, schedule_digest
from jobrun.cron.words import Entry, EntrySpec, Special, Tick, TickState
from jobrun.errors import Busy, JobrunError, NoRoom
from jobrun.log import Log
from jobrun.paths import side_dir
from jobrun.scheduler.announcing import changes_in_words, coming_in_words
from jobrun.scheduler.pings import Pings
from jobrun.scheduler.seat import sole_scheduler
from jobrun.scheduler.serving import Serving
from jobrun.scheduler.settings import Settings, World
from jobrun.scheduler.source import Source
from jobrun.scheduler.timetable import Timetable
from jobrun.store import Store, check_for_workers, open_store
from jobrun.table import Table
from jobrun.wire.channel import Channel
from jobrun.wire.messages import Opened, Reload, Shutdown

LONGEST_SLEEP_S = 2.0  # between looks at clock and table
BATCH = 50  # entries that are served in one commit: others must not wait long for the write lock
STEP_S = 2.0  # a wall clock that strays further than this from the time since boot was set
PATIENCE_S = 10.0  # for the write lock
PAUSE_S = 1.0  # while the disk is full or the file is locked


def run(settings: Settings, control: Channel, world: World) -> int:
    """Serve a table until the supervisor says to end; return the exit code of the process."""
    log = Log("scheduler")
    source = Source(settings.table, os.environ)
    try:
        table = _first_table(source, settings, log)
        with open_store(settings.path, create=True, patience_s=PATIENCE_S) as store:
            check_for_workers(settings.path)
            if store.created:
                log.say(f"made a job file at {settings.path}")
            with sole_scheduler(store, settings.table, pid=os.getppid(), now=world.now()):
                Scheduler(settings, store, control, world, log).run(source, table)
    except JobrunError as error:
        log.refuse(error)
        return error.exit_code
    return 0


def _first_table(source: Source, settings: Settings, log: Log) -> Table | None:
    """Read the table. None, for who takes over, when it is broken just now: others are at work already."""
    try:
        return source.read()
    except JobrunError as error:
        if not settings.is_replacement:
            raise
        log.refuse(error)
        return None


class Scheduler:
    """The scheduler of one table."""

    def __init__(self, settings: Settings, store: Store, control: Channel, world: World, log: Log) -> None:
        self._name = os.fspath(settings.table)
        self._store = store
        self._control = control
        self._world = world
        self._log = log
        self._serving = Serving(store)
        self._pings = Pings(store, log, world.now)
        self._ends = Listener(side_dir(store.path), Tone.DONE)
        self._timetable: Timetable | None = None
        self._offset_s = self._clock_offset_s()
        self._has_pending = True  # ticks that wait for the end of a job; at first we do not know
        self._paused_until = 0.0
        self._is_over = False

    def run(self, source: Source, table: Table | None) -> None:
        """Serve until told to end."""
        if table is not None:
            self.take(table)
            self._announce()
        self._control.send(Opened())
        while not self._is_over:
            self.step(source)
            self._sleep()
        self._pings.close()
        self._ends.close()

    def step(self, source: Source) -> None:
        """Go once round: all that can be done now is done."""
        wants_reload = self._hear()
        if wants_reload or source.has_changed(self._world.boottime()):
            self._reload(source)
        if self._world.boottime() < self._paused_until:
            return
        try:
            self._look_at_clock()
            self._serve()
            self._pings.step()
        except (NoRoom, Busy) as error:
            self._log.say(f"{error.message}; trying again in {PAUSE_S:.0f} s")
            self._paused_until = self._world.boottime() + PAUSE_S

    def _hear(self) -> bool:
        """Listen to the supervisor; say whether the table is to be read again."""
        wants_reload = False
        try:
            while (message := self._control.receive()) is not None:
                wants_reload |= isinstance(message, Reload)
                self._is_over |= isinstance(message, Shutdown)
        except EOFError:
            self._is_over = True
        return wants_reload

    def _reload(self, source: Source) -> None:
        """Read the table again as one step: all of it is taken, or with any fault nothing."""
        try:
            table = source.read()
            if self._timetable is not None:
                self._serve()  # what is due by now was due by the old table
            self.take(table)
        except JobrunError as error:
            self._store.tables.problem(self._name, error.message)
            for line in (f"{error.message}; the table is kept as it was", *error.details):
                self._log.say(line)

    def take(self, table: Table) -> None:
        """Serve this table from now on; what is new or changed in it makes up nothing from before."""
        now = self._world.now()
        entries = {entry.name: entry for entry in table.entries}
        specs = [
            EntrySpec(entry=e, digest=digest(e), schedule_digest=schedule_digest(e)) for e in entries.values()
        ]
        changes = self._store.entries.load(self._name, specs, boot_id=procs.boot_id(), now=now)
        self._store.tables.problem(self._name, None)
        self._timetable = self._new_timetable(entries)
        for line in (*changes_in_words(changes), *table.warnings):
            self._log.say(line)
        at_boot = [entry.name for entry in table.entries if entry.schedule is Special.REBOOT]
        self._serving.serve_boot(self._timetable, at_boot, procs.boot_id(), now=now)

    def _announce(self) -> None:
        if self._timetable is not None:
            self._log.say(coming_in_words(self._name, self._timetable, self._world.now()))

    def _look_at_clock(self) -> None:
        """Notice that the wall clock was set: what falls due next is another matter then."""
        before, self._offset_s = self._offset_s, self._clock_offset_s()
        if abs(step_s := self._offset_s - before) <= STEP_S:
            return
        self._log.say(f"the clock was set by {step_s:+.0f} s")
        if self._timetable is not None:
            self._timetable = self._new_timetable(self._timetable.entries)

    def _new_timetable(self, entries: Mapping[str, Entry]) -> Timetable:
        self._store.entries.rewind(self._name, now=self._world.now())
        return Timetable(entries, {row.name: row for row in self._store.entries.rows(self._name)})

    def _clock_offset_s(self) -> float:
        return self._world.now().timestamp() - self._world.boottime()

    def _serve(self) -> None:
        timetable = self._timetable
        if timetable is None:
            return
        while names := timetable.take_due(now := self._world.now(), most=BATCH):
            try:
                ticks = self._serving.serve(timetable, names, now=now)
            except (NoRoom, Busy):
                timetable.put_off(names, until=now)
                raise
            timetable.put_back(names, served_at=now)
            self._has_pending |= any(tick.state is TickState.PENDING for tick in ticks)
            self._tell_unrun(ticks)
        self._ends.drain()
        if self._has_pending:
            self._has_pending = self._serving.serve_pending(timetable, self._name, now=self._world.now())

    def _tell_unrun(self, ticks: list[Tick]) -> None:
        """Have the monitor of an entry told of a tick that did not run."""
        assert self._timetable is not None
        for tick in ticks:
            url = self._timetable.entries[tick.entry].terms.ping
            if url is not None and tick.state in (TickState.MISSED, TickState.SKIPPED):
                self._pings.tell_unrun(tick.entry, url, f"{tick.state}: {tick.reason or ''}")

    def _sleep(self) -> None:
        poll = select.poll()
        ends = [self._ends.fileno()] if self._has_pending else []  # on a busy file jobs end all the time
        for fd in (self._control.fileno(), *self._pings.fds(), *ends):
            poll.register(fd, select.POLLIN)
        poll.poll(self._timeout_s() * 1000)

    def _timeout_s(self) -> float:
        if self._is_over:
            return 0.0
        if (paused_s := self._paused_until - self._world.boottime()) > 0:
            return paused_s
        next_at = None if self._timetable is None else self._timetable.next_at()
        moments = [at for at in (next_at, self._pings.next_at()) if at is not None]
        waits = [(at - self._world.now()).total_seconds() for at in moments]
        return max(min([LONGEST_SLEEP_S, *waits]), 0.0)
