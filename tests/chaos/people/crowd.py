"""The crowd of a scene: clients and an admin, each killed after a while and replaced by another."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass

from tests.chaos.harms import Hand
from tests.chaos.scene import Scene
from tests.process.site import children_of

_LIVES_S = (0.4, 3.0)


@dataclass(slots=True)
class Person:
    """One of them; `ends_at` is monotonic."""

    words: tuple[str, ...]
    process: subprocess.Popen[bytes]
    ends_at: float


class Crowd:
    """All of them; `most` is how many jobs they ask for, about."""

    def __init__(self, scene: Scene, hand: Hand, *, modes: tuple[str, ...], most: int) -> None:
        self._scene = scene
        self._hand = hand
        self._most = most
        self._people = [self._born(("client", mode)) for mode in modes]
        self._people.append(self._born(("admin",)))

    def step(self) -> None:
        """Kill whose time has come, and let others take their places."""
        now = time.monotonic()
        for place, person in enumerate(self._people):
            has_ended = person.process.poll() is not None
            if not has_ended and person.ends_at > now:
                continue
            self._kill(person)
            if person.words[0] == "admin" or self._asked() < self._most:
                self._people[place] = self._born(person.words)

    def go(self) -> None:
        """Kill all of them."""
        for person in self._people:
            self._kill(person)

    def _kill(self, person: Person) -> None:
        """Kill one, and the command that it runs just now."""
        for pid in (person.process.pid, *children_of(person.process.pid)):
            self._hand.kill(pid)
        person.process.wait()

    def _asked(self) -> int:
        """Return how many jobs there were at most."""
        rows = self._scene.rows("SELECT seq FROM sqlite_sequence WHERE name = 'jobs'")
        return rows[0][0] if rows else 0

    def _born(self, words: tuple[str, ...]) -> Person:
        scene, dice = self._scene, self._hand.dice
        seed = str(dice.randrange(1 << 30))
        who, *mode = words
        given = [*mode, seed, str(scene.tasks if who == "client" else scene.folder)]
        return Person(words, scene.person(who, *given), time.monotonic() + dice.uniform(*_LIVES_S))
