"""Who enqueues, through the API or the command line, and writes down each id that was answered."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import jobrun
from jobrun.api import Options
from jobrun.model import Kind, NewJob, Surroundings
from tests.chaos.ledger import write

SCRIPT = "living.sh"


def main(mode: str, seed: str, tasks: str) -> None:
    """Enqueue until killed."""
    asker = Asker(Random(int(seed)), Path(tasks))
    if mode == "words":
        asker.ask_by_words()
    else:
        asker.ask_by_calls(is_big=mode == "big")


class Asker:
    """Draws jobs and asks for them."""

    def __init__(self, dice: Random, tasks: Path) -> None:
        self._dice = dice
        self._script = tasks / SCRIPT
        self._acknowledged = Path(os.environ["ACKNOWLEDGED"])

    def ask_by_calls(self, *, is_big: bool) -> None:
        with jobrun.open(os.environ["JOBRUN_DB"], durability=self._dice.choice(("full", "fast"))) as jobs:
            while True:
                number = self._dice.choice((1, 1, 1, 5, 60, 200))
                ids = jobs.enqueue_many([self.job(is_big=is_big) for _ in range(number)])
                write(self._acknowledged, ids)
                time.sleep(self._dice.choice((0.0, 0.01, 0.1, 0.3)) * (1 + number / 40))

    def ask_by_words(self) -> None:
        """Start the command again and again; it writes what it answers itself."""
        while True:
            with self._acknowledged.open("ab") as answers:
                subprocess.run(
                    [sys.executable, "-m", "jobrun", "enqueue", "-q", *self._words()],
                    stdin=subprocess.DEVNULL,
                    stdout=answers,
                    check=False,
                )
            time.sleep(self._dice.choice((0.0, 0.1, 0.3)))

    def _words(self) -> list[str]:
        return self._dice.choice(
            (
                ["chaostasks:short"],
                ["chaostasks:fails", "1", "--retries", "20", "--backoff", "0s"],
                ["--retries", "20", "--backoff", "0s", "--shell", f"sh {self._script} 0.05"],
                ["--retries", "20", "--backoff", "0s", "-x", "--", "sh", f"{self._script}", "0.1"],
            )
        )

    def job(self, *, is_big: bool) -> NewJob:
        """Draw a job."""
        kinds = _BIG if is_big and self._dice.random() < 0.3 else _KINDS
        [draw] = self._dice.choices(list(kinds), list(kinds.values()))
        return draw(self)

    def _options(self, *, most_retries: int = 100) -> Options:
        dice = self._dice
        is_limited = dice.random() < 0.03
        return Options(
            retries=min(dice.choice((0, 3, 50, 100)), 3 if is_limited else most_retries),
            backoff_s=dice.choice((0.0, 0.0, 0.05)),
            max_backoff_s=0.1,
            priority=dice.choice((0, 0, 0, 0, 1, -1)),
            timeout_s=dice.choice((0.03, 0.2, 1.0)) if is_limited else None,
            in_s=dice.random() if dice.random() < 0.02 else None,
            on_crash=dice.choice(("park", "fail")) if dice.random() < 0.02 else "retry",
        )

    def short(self) -> NewJob:
        return self._options().job("chaostasks:short")

    def padded(self) -> NewJob:
        return self._options().job("chaostasks:short", "y" * self._dice.choice((10, 1000, 70_000)))

    def works(self) -> NewJob:
        [longest_s] = self._dice.choices((0.05, 0.3, 2.0), (20, 5, 1))
        return self._options().job("chaostasks:works", self._dice.uniform(0.005, longest_s))

    def fails(self) -> NewJob:
        times = self._dice.choice((1, 1, 2, 1000))
        return self._options(most_retries=100 if times < 1000 else 2).job("chaostasks:fails", times)

    def dies(self) -> NewJob:
        return self._options().job("chaostasks:dies", self._dice.choice((1, 1, 2, 1000)))

    def asks(self) -> NewJob:
        task = self._dice.choice(("asks", "asks_at_once"))
        return self._options().job(f"chaostasks:{task}", self._dice.choice((1, 3)))

    def answers(self) -> NewJob:
        return self._options().job("chaostasks:answers", 70_000)

    def prints(self) -> NewJob:
        return self._options().job("chaostasks:prints", self._dice.choice((100, 5_000, 300_000)))

    def command(self) -> NewJob:
        [seconds] = self._dice.choices(("0", "0.02", "0.1", "0.3", "2"), (10, 10, 10, 5, 1))
        times = self._dice.choice(("0", "0", "0", "1"))
        is_shell = self._dice.random() < 0.5
        argv = ("sh", str(self._script), seconds, times)
        return NewJob(
            kind=Kind.SHELL if is_shell else Kind.COMMAND,
            task=f"set -- {seconds} {times}; . {self._script}" if is_shell else " ".join(argv),
            args=() if is_shell else argv,
            retries=20,
            backoff_s=0.0,
            surroundings=Surroundings(cwd="/", umask=0o077, environment=dict(os.environ)),
        )


# What they ask for, and how often.
_KINDS: dict[Callable[[Asker], NewJob], int] = {
    Asker.short: 800,
    Asker.works: 50,
    Asker.fails: 25,
    Asker.command: 40,
    Asker.dies: 5,
    Asker.asks: 10,
    Asker.padded: 10,
    Asker.prints: 10,
}
_BIG: dict[Callable[[Asker], NewJob], int] = {Asker.padded: 3, Asker.answers: 2, Asker.prints: 1}

if __name__ == "__main__":
    main(*sys.argv[1:])
