"""What systemd is told of a group: that it works, what it does, and that it makes progress.

The watchdog is fed only with proof: a probe goes to each office, and comes back once its loop has gone
round. That this process loops proves nothing.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from jobrun.notify import Notifier
from jobrun.supervisor.office import Office
from jobrun.supervisor.offices import Offices
from jobrun.units import from_ms, plural
from jobrun.wire.messages import Coming, Message, Probe, Reloaded, Report

PROBES_A_WATCH = 2  # half the interval, as sd_watchdog_enabled(3) advises


class Service:
    """The group as systemd sees it; without systemd it does nothing."""

    def __init__(self, notifier: Notifier, offices: Offices, text: str) -> None:
        """`text` is what the group does, until there is something to count."""
        self._notifier = notifier
        self._offices = offices
        self._text = text
        self._report: Report | None = None
        self._coming: Coming | None = None
        self._told = ""
        self._is_ready = False
        self._is_reloading = False
        self._is_stopping = False
        self._probe = 0  # the number of the last one
        self._proven: set[Office] = set()  # who has answered it
        self._probe_at: float | None = None  # monotonic: when the next one goes out

    def hear(self, message: Message, office: Office) -> None:
        """Take in what an office says that is for us."""
        match message:
            case Probe():
                self._note_proof(office, message)
            case Report():
                self._note_report(message)
            case Coming():
                self._coming = message
                self._tell()
            case Reloaded():
                self.reloaded()

    def _note_report(self, report: Report) -> None:
        """Take in how many work, run and wait; the first worker that is there makes us ready."""
        self._report = report
        if report.workers:
            self._become_ready()
        self._tell()

    def note_open(self, *, has_workers: bool) -> None:
        """Note that all offices are open: who only schedules is ready then."""
        if not has_workers:
            self._become_ready()

    def reload(self) -> None:
        """Say that a reload begins."""
        if self._is_ready:
            self._is_reloading = True
            self._notifier.reloading()

    def reloaded(self) -> None:
        """Say that it is over, if one was begun."""
        if self._is_reloading:
            self._is_reloading = False
            self._notifier.ready(self._in_words())

    def stopping(self, within_s: float) -> None:
        """Say that the end begins, and how long it may take."""
        self._is_stopping = True
        self._notifier.stopping(within_s)

    def watch(self) -> None:
        """Send out the next probe when it is time, to all that should answer."""
        if self._probe_at is None or time.monotonic() < self._probe_at or not self._has_proof():
            return
        self._probe += 1
        self._proven.clear()
        self._probe_at = time.monotonic() + self._every_s()
        self._offices.send(Probe(number=self._probe))

    def probe_anew(self, office: Office) -> None:
        """Ask who has just come to an office: nobody else will answer for it."""
        if self._probe:
            office.send(Probe(number=self._probe))

    def _note_proof(self, office: Office, probe: Probe) -> None:
        """Take in that the loop of an office went round; feed the watchdog once all have."""
        if probe.number != self._probe or office in self._proven:
            return
        self._proven.add(office)
        if self._has_proof():
            self._notifier.alive()

    def wait_s(self) -> float | None:
        """Return for how long there is no probe to send; None while those that are out are waited for."""
        if self._probe_at is None or not self._has_proof():
            return None
        return max(self._probe_at - time.monotonic(), 0.0)

    def _has_proof(self) -> bool:
        asked = (office for office in self._offices if office.pid or not self._is_stopping)
        return not self._probe or self._proven.issuperset(asked)

    def _every_s(self) -> float:
        return (self._notifier.watchdog_s or 0.0) / PROBES_A_WATCH

    def _become_ready(self) -> None:
        if self._is_ready:
            return
        self._is_ready = True
        self._told = self._in_words()
        self._notifier.ready(self._told)
        if self._notifier.watchdog_s is not None:
            self._probe_at = time.monotonic()

    def _tell(self) -> None:
        text = self._in_words()
        if self._is_ready and text != self._told:
            self._told = text
            self._notifier.status(text)

    def _in_words(self) -> str:
        parts = []
        if self._report is not None:
            ready = f"{self._report.ready}{'+' * self._report.is_more}"
            parts += [
                plural(self._report.workers, "worker"),
                f"{self._report.running} running",
                f"{ready} ready",
            ]
        if self._coming is not None and self._coming.at is not None:
            parts.append(f"next tick {_clock(from_ms(self._coming.at))}")
        return ", ".join(parts) or self._text


def _clock(at: datetime) -> str:
    here = at.astimezone()
    is_today = here.date() == datetime.now(UTC).astimezone().date()
    return f"{here:%H:%M}" if is_today else f"{here:%F %H:%M}"
