"""Watching over the host: every few seconds the conditions of a table's alerts are looked at, and turns told.

A look is short reads, and a write only when an alert begins or ends to hold or is told. It comes after
all ticks that are due, and the more work looks are the rarer they become.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime

from jobrun.alerts.latch import holds, judged
from jobrun.alerts.words import Alert, AlertRow, Event, Reading
from jobrun.log import Log
from jobrun.scheduler.heralding import Heralding
from jobrun.scheduler.settings import World
from jobrun.store import Store

EVERY_S = 10.0
OFTENEST_S = 1.0  # for an alert whose `for` or `remind` is that short
REST = 100  # times as long as a look took of a core there is none


class Watch:
    """The alerts of one table."""

    def __init__(self, store: Store, table: str, log: Log, world: World, *, durability: str) -> None:
        self._store = store
        self._table = table
        self._log = log
        self._world = world
        self._heralding = Heralding(store, table, log, durability=durability)
        self._cpu_s: Callable[[], float] = time.process_time  # a look that only waits is no burden
        self._every_s = EVERY_S
        self._next_s = 0.0  # boot time of the next look

    def take(self, alerts: Sequence[Alert], *, now: datetime) -> None:
        """Watch for these alerts from now on; to be called in the commit that takes their table.

        The first look is a while later: a scheduler begins before the workers of its group.
        """
        self._store.alerts.load(self._table, alerts, now=now)
        spans = [s for alert in alerts for s in (alert.for_s / 2, (alert.remind_s or 0) / 2) if s]
        self._every_s = min([EVERY_S, *(max(s, OFTENEST_S) for s in spans)])
        self._next_s = self._world.boottime() + self._every_s

    def step(self) -> None:
        """Look, if it is time to."""
        began_s = self._world.boottime()
        if began_s < self._next_s:
            return
        self._next_s = began_s + self._every_s
        before_s = self._cpu_s()
        now = self._world.now()
        rows = self._store.alerts.rows(self._table)
        if rows:
            self._look(rows, now)
        if rows or self._heralding.is_busy:
            self._heralding.step(now=now)
        self._next_s = max(self._next_s, began_s + REST * (self._cpu_s() - before_s))

    def close(self) -> None:
        """Let those go on who tell of something just now."""
        self._heralding.close()

    def _look(self, rows: Sequence[AlertRow], now: datetime) -> None:
        readings = self._store.readings.of([row.alert.condition for row in rows], now=now)
        for row, reading in zip(rows, readings, strict=True):
            is_held = holds(row.alert.condition, reading)
            latch, event = judged(row.alert, row.latch, is_held=is_held, now=now)
            if latch == row.latch and event is None:
                continue
            told = None if event is None else (event, reading)
            if self._store.alerts.move(row, latch, told=told, now=now) and told is not None:
                self._say(row, *told)

    def _say(self, row: AlertRow, event: Event, reading: Reading) -> None:
        self._log.say("alert", f"alert {row.alert.name} {event}: {reading.text}")
