"""The scheduler's loop: sleep until a tick falls due, decide it, and look whether table or clock have changed.

    wait --> hear --> read the table again, if it changed --> serve what is due --> pings, alerts --.
     ^                                                                                              |
     `----------------------------------------------------------------------------------------------'

It never sleeps "until T" for long: wall clocks are set, and hosts sleep, so it looks at the clock
anew every few seconds.
"""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Mapping
from datetime import datetime, timedelta

from jobrun import procs
from jobrun.bell import Listener, Tone
from jobrun.cron.digest import digest, schedule_digest
from jobrun.cron.words import Entry, EntrySpec, Special, Tick, TickState
from jobrun.errors import Busy, DiskFault, JobrunError, NoRoom, Refused, UsageError
from jobrun.log import Log
from jobrun.paths import side_dir
from jobrun.patience import Patience
from jobrun.scheduler.announcing import changes_in_words, coming_in_words
from jobrun.scheduler.pings import Pings
from jobrun.scheduler.seat import sole_scheduler
from jobrun.scheduler.serving import Serving
from jobrun.scheduler.settings import Settings, World
from jobrun.scheduler.source import Source
from jobrun.scheduler.timetable import Timetable
from jobrun.scheduler.watch import Watch
from jobrun.steps import Steps
from jobrun.store import Store, check_for_workers, open_store
from jobrun.table import Table
from jobrun.trouble import AGAIN
from jobrun.units import to_ms
from jobrun.wire.channel import Channel
from jobrun.wire.messages import Coming, Opened, Probe, Reload, Reloaded, Shutdown

TELL_EVERY_S = 3.0
LONGEST_SLEEP_S = 2.0  # between looks at clock and table
BATCH = 50  # entries that are served in one commit: others must not wait long for the write lock
BEHIND = timedelta(days=1)  # a clock that lags so far behind the job file was not set yet since the boot
BEHIND_S = 60.0  # for so long we wait for somebody to set it
PATIENCE_S = 10.0  # for the write lock


def run(settings: Settings, control: Channel, world: World) -> int:
    """Serve a table until the supervisor says to end; return the exit code of the process."""
    log = Log("scheduler")
    source = Source(settings.table, os.environ)
    has_begun = settings.is_replacement
    try:
        # Who takes over reads it in its loop: though it is broken or the disk is full now, others are at work.
        table = None if settings.is_replacement else source.read()
        with open_store(
            settings.path, create=True, patience_s=PATIENCE_S, durability=settings.durability
        ) as store:
            store.check_is_writable()
            check_for_workers(settings.path)
            if store.created:
                log.say("file-made", f"made a job file at {settings.path}")
            seat = sole_scheduler(
                store,
                settings.table,
                pid=os.getppid(),
                now=world.now(),
                is_replacement=settings.is_replacement,
            )
            has_begun = True
            with seat:
                Scheduler(settings, store, control, world, log).run(source, table)
    except JobrunError as error:
        log.refuse(error)
        return AGAIN if isinstance(error, DiskFault) and has_begun else error.exit_code
    return 0


class Scheduler:
    """The scheduler of one table."""

    def __init__(self, settings: Settings, store: Store, control: Channel, world: World, log: Log) -> None:
        self._name = os.fspath(settings.table)
        self._store = store
        self._control = control
        self._world = world
        self._log = log
        self._serving = Serving(store, self._name)
        self._pings = Pings(store, log, world.now)
        self._watch = Watch(store, self._name, log, world, durability=settings.durability)
        self._ends = Listener(side_dir(store.path), Tone.DONE)
        self._timetable: Timetable | None = None
        self._steps = Steps(world.now, world.boottime)
        self._clock_until: float | None = None  # boot time; until then we wait for a clock that is behind
        self._has_pending = True  # ticks that wait for the end of a job; at first we do not know
        self._patience = Patience()  # while the disk is full or the file is locked
        self._wants_reload = False
        self._was_asked = False  # to reload, by a person who waits for that
        self._told = Coming(at=None)
        self._tell_at = 0.0  # boot time; not before
        self._is_over = False

    def run(self, source: Source, table: Table | None) -> None:
        """Serve until told to end; without a table, read it as soon as that can be done."""
        self.begin(table)
        try:
            self._control.send(Opened())
        except EOFError:
            self._is_over = True  # the supervisor is gone
        while not self._is_over:
            self.step(source)
            self._sleep()
        self.close()

    def begin(self, table: Table | None) -> None:
        """Take the first table; if there is none, or no clock that is right, it is read again in the loop."""
        self._wants_reload = table is None or self._is_clock_behind()
        if table is not None and not self._wants_reload:
            self.take(table)
            self._announce()

    def close(self) -> None:
        """Listen no more, after a moment for the pings that are under way."""
        self._watch.close()
        self._pings.close()
        self._ends.close()

    def step(self, source: Source) -> None:
        """Go once round: all that can be done now is done."""
        self._hear()
        self._wants_reload |= self._was_asked or source.has_changed(self._world.boottime())
        if self._awaits_clock() or self._patience.left_s(self._world.boottime()) > 0:
            return
        try:
            self._look_at_clock()
            if self._wants_reload:
                self._reload(source)
            self._serve()
            self._pings.step()
            self._watch.step()
            self._tell()
            self._store.check_is_in_place()
        except (NoRoom, Busy) as error:
            if self._patience.begin(self._world.boottime()):
                self._log.say("file-waits", f"{error.message}; trying again until it can be done")
        else:
            self._patience.end()

    def _tell(self) -> None:
        """Answer who asked for a reload, and tell from time to time when the next tick is due."""
        with contextlib.suppress(EOFError):  # `_hear` notices
            if self._was_asked:
                self._was_asked = False
                self._control.send(Reloaded())
            next_at = None if self._timetable is None else self._timetable.next_at()
            coming = Coming(at=None if next_at is None else to_ms(next_at))
            if coming != self._told and self._world.boottime() >= self._tell_at:
                self._told, self._tell_at = coming, self._world.boottime() + TELL_EVERY_S
                self._control.send(coming)

    def _hear(self) -> None:
        """Listen to the supervisor."""
        try:
            while (message := self._control.receive()) is not None:
                self._was_asked |= isinstance(message, Reload)
                self._is_over |= isinstance(message, Shutdown)
                if isinstance(message, Probe):
                    self._control.send(message)  # the last round has come to its end
        except EOFError:
            self._is_over = True

    def _reload(self, source: Source) -> None:
        """Read the table again as one step: all of it is taken, or with any fault nothing.

        With no room to write that down it is still to be done.
        """
        try:
            table = source.read()
            # What is due by now was due by the old table, and what falls due meanwhile is by the new one.
            self.take(table, now=self._serve())
            self._announce()  # though nothing in it has changed: somebody waits for a word
        except (UsageError, Refused) as error:
            self._store.tables.problem(self._name, error.message)
            for line in (f"{error.message}; the table is kept as it was", *error.details):
                self._log.say("table-problem", line)
        self._wants_reload = False

    def take(self, table: Table, *, now: datetime | None = None) -> None:
        """Serve this table from now on; what is new or changed in it makes up nothing from before."""
        now = now or self._world.now()
        entries = {entry.name: entry for entry in table.entries}
        specs = [
            EntrySpec(entry=e, digest=digest(e), schedule_digest=schedule_digest(e)) for e in entries.values()
        ]
        with self._store.group():
            changes = self._store.entries.load(self._name, specs, boot_id=procs.boot_id(), now=now)
            self._store.sections.put(self._name, table.sections, now=now)
            self._watch.take(table.alerts, now=now)
            self._store.tables.problem(self._name, None)
            self._store.entries.rewind(self._name, now=now)
        self._timetable = self._new_timetable(entries)
        for line in (*changes_in_words(changes), *table.warnings):
            self._log.say("table-changed", line)
        ours = self._timetable.entries.values()
        at_boot = [entry.name for entry in ours if entry.schedule is Special.REBOOT]
        self._serving.serve_boot(self._timetable, at_boot, procs.boot_id(), now=now)

    def _announce(self) -> None:
        if self._timetable is not None:
            self._log.say("table-taken", coming_in_words(self._name, self._timetable, self._world.now()))

    def _look_at_clock(self) -> None:
        """Notice that the wall clock was set: what falls due next is another matter then."""
        if step_s := self._steps.step_s():
            if self._timetable is not None:
                # Nobody knows when it was set since the last look, so what came after that counts as well.
                since_s = self._world.boottime() - self._steps.noted_at
                earliest = self._world.now() - timedelta(seconds=since_s)
                self._store.entries.rewind(self._name, now=earliest)
                self._timetable = self._new_timetable(self._timetable.entries)
            self._log.say("clock-set", f"the clock was set by {step_s:+.0f} s")
        self._steps.note()

    def _is_clock_behind(self) -> bool:
        """Say whether the clock was not set yet since the boot; what is due by it is due by no clock then."""
        now, newest = self._world.now(), self._store.ledger.newest_at()
        if newest is None or now >= newest - BEHIND:
            return False
        self._log.say(
            "clock-set",
            f"the clock shows {now:%F}, and the last job was added on {newest:%F}: no tick is served"
            f" for {BEHIND_S:.0f} s, or until the clock is set",
        )
        self._clock_until = self._world.boottime() + BEHIND_S
        return True

    def _awaits_clock(self) -> bool:
        """Say whether we still wait for the clock to be set."""
        if self._clock_until is not None and (
            self._steps.step_s() or self._world.boottime() >= self._clock_until
        ):
            self._clock_until = None
        return self._clock_until is not None

    def _new_timetable(self, entries: Mapping[str, Entry]) -> Timetable:
        """Return when these entries fall due, without those that another table took over."""
        rows = {row.name: row for row in self._store.entries.rows(self._name)}
        return Timetable({name: entry for name, entry in entries.items() if name in rows}, rows)

    def _serve(self) -> datetime:
        """Serve what is due; return until when all is served."""
        timetable = self._timetable
        if timetable is None:
            return self._world.now()
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
            self._has_pending = self._serving.serve_pending(timetable, now=self._world.now())
        return now

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
        now = self._world.boottime()
        if (paused_s := max(self._patience.left_s(now), (self._clock_until or now) - now)) > 0:
            return min(paused_s, LONGEST_SLEEP_S)
        next_at = None if self._timetable is None else self._timetable.next_at()
        moments = [at for at in (next_at, self._pings.next_at()) if at is not None]
        waits = [(at - self._world.now()).total_seconds() for at in moments]
        return max(min([LONGEST_SLEEP_S, *waits]), 0.0)
