"""What is done for the workers of a group whose job file is lost: how their jobs end is kept beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from jobrun.dispatcher import ballast
from jobrun.dispatcher.books import News
from jobrun.dispatcher.seating import Seating
from jobrun.dispatcher.settings import World
from jobrun.errors import JobrunError
from jobrun.log import Log
from jobrun.wire import shelf
from jobrun.wire.messages import Answer, Settled


class Aftermath:
    """Takes what is heard instead of the job file, which gets it from a recovery if it comes back."""

    def __init__(self, error: JobrunError, spool: Path, seats: Seating, world: World, log: Log) -> None:
        """Say what is wrong, and what becomes of the group."""
        hint = f"; {error.hint}" if error.hint else ""
        log.say("file-lost", f"{error.message}{hint}; no job is begun any more, and the group leaves")
        ballast.give(spool.parent)
        self._error = error.message
        self._spool = spool
        self._seats = seats
        self._world = world
        self._log = log
        self._kept = 0
        self._fault: OSError | None = None

    def goes_on(self) -> bool:
        """Say whether anything runs, or has ended and is not kept yet."""
        return any(seat.jobs for seat in self._seats)

    def take(self, news: News) -> News:
        """Keep ends, and answer questions; return what has to be tried again.

        Of a worker that died nothing is kept: its lock file tells a recovery what it had begun.
        """
        left = News()
        for seat, ask in news.asked:
            self._seats.send(seat, Answer(number=ask.number, error=self._error))
        for token, (seat, ended) in news.ended.items():
            try:
                if token in seat.jobs:
                    shelf.put(self._spool, replace(ended, pid=ended.pid or seat.pid))
                    self._kept += 1
            except OSError as fault:
                self._fault = fault
                left.ended[token] = seat, ended
                continue
            seat.drop([token], now=self._world.now(), monotonic=self._world.monotonic())
            self._seats.send(seat, Settled(tokens=[token], is_shelved=True))
        for token, seat in news.returned.items():  # never begun, as its worker's lock file will tell
            seat.drop([token], now=self._world.now(), monotonic=self._world.monotonic())
        for gone in news.gone:
            self._seats.dismiss(gone.name)
        return left

    def tell_kept(self) -> None:
        """Say what became of the jobs that ran."""
        lost = sorted(job.id for seat in self._seats for job in seat.jobs.values())
        if self._kept:
            self._log.say(
                "file-lost", f"{self._kept} ends are kept in `{self._spool}`, for when the job file is back"
            )
        if lost:
            why = f": {self._fault.strerror}" if self._fault else ""
            self._log.say("file-lost", f"how these jobs end cannot be kept{why}: {', '.join(map(str, lost))}")
