"""The seats of a group: each is filled, and filled again when its worker ends; later and later where they die young."""

from __future__ import annotations

from jobrun.log import Log
from jobrun.supervisor.crew import Crew, Slot, Work
from jobrun.supervisor.forking import BUG
from jobrun.supervisor.office import in_words
from jobrun.supervisor.pauses import LONGEST_PAUSE_S, Pauses
from jobrun.supervisor.settings import Settings

TRIES = 5  # in a row, by which a group that is to leave one day knows that a seat stays empty
CANNOT_WORK = 75  # EX_TEMPFAIL of sysexits(3): jobs wait, and none could be run


class Hiring:
    """Who is hired when; the crew keeps who was."""

    def __init__(self, settings: Settings, crew: Crew, work: Work, log: Log) -> None:
        self._numbers = range(1, settings.workers + 1)
        self._gives_up = settings.burst  # a group that is to leave one day does not wait for better times
        self._crew = crew
        self._work = work
        self._log = log
        self._pauses = Pauses(settings.workers)
        self._told: dict[int, str] = {}  # of which seat what was last said: no step is told twice
        self._last_words = ""  # how the last one ended who died young
        self._exit_code = CANNOT_WORK

    def fill_seats(self) -> None:
        """Hire for each seat that is empty, and whose pause is over."""
        for number in self._empty():
            if self._pauses.is_over(number - 1):
                self._hire(number)

    def hopeful(self) -> int:
        """Count the seats for which there is hope."""
        return sum(not self._is_hopeless(number) for number in self._numbers)

    def failure(self) -> tuple[int, str]:
        """Return the exit code of a group in which nobody could work, and what to tell of it."""
        return self._exit_code, f"no worker can be started: {self._last_words}, {TRIES} times in a row"

    def waits_s(self) -> list[float]:
        """Return for how long nobody is to be hired, for each seat that is empty."""
        return [self._pauses.left_s(number - 1) for number in self._empty()]

    def ended(self, slot: Slot, code: int, *, is_expected: bool) -> None:
        """Note that a worker was reaped; `is_expected` while the group comes to its end."""
        if slot.is_retired:
            return
        if slot.is_doomed or is_expected:
            self._forgive(slot.number)
            return
        who, how = f"worker {slot.number} ({slot.name})", in_words(code)
        if slot.gone is not None and slot.gone.begun:
            self._forgive(slot.number)  # a job did it; it is stopped after three times
            self._log.say("worker-ended", f"{who} {how}; replaced in 0 s", worker=slot.number)
            return
        self._exit_code = BUG if code == BUG else CANNOT_WORK
        self._put_off(slot.number, who, how, "replaced")

    def retired(self, name: str, reason: str) -> None:
        """Give the seat of a worker to another one, who is hired at once."""
        if (slot := self._crew.retire(name)) is not None:
            self._forgive(slot.number)
            self._log.say("worker-replaced", f"worker {slot.number} replaced {reason}", worker=slot.number)

    def _empty(self) -> list[int]:
        return [n for n in self._numbers if n not in self._crew.by_number and not self._is_hopeless(n)]

    def _hire(self, number: int) -> None:
        self._pauses.began(number - 1)
        try:
            self._crew.hire(number, self._work)
        except OSError as error:
            self._exit_code = CANNOT_WORK
            self._put_off(number, f"worker {number}", f"cannot be started: {error.strerror}", "tried again")

    def _put_off(self, number: int, who: str, how: str, what: str) -> None:
        pause_s = self._pauses.ended(number - 1)
        self._last_words = how
        is_longest = pause_s >= LONGEST_PAUSE_S
        told = f"{how}; {what} {'every' if is_longest else 'in'} {pause_s:g} s"
        if self._is_hopeless(number):
            told = f"{how}; not {what}"
        if self._told.get(number) != told or not pause_s:
            self._told[number] = told
            self._log.say(
                "cannot-start", f"{who} {told}{' from now on' if is_longest else ''}", worker=number
            )

    def _forgive(self, number: int) -> None:
        self._pauses.forgive(number - 1)
        self._told.pop(number, None)

    def _is_hopeless(self, number: int) -> bool:
        is_empty = number not in self._crew.by_number
        return self._gives_up and is_empty and self._pauses.deaths(number - 1) >= TRIES
