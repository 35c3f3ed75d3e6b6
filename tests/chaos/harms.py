"""Ways to strike at a group, and the hand that does it and keeps count."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.ledger import BEGAN, ENDED, FAILED, STRUCK, write
from tests.chaos.scene import Group, Scene
from tests.process.site import is_alive, kill

Rows = list[tuple[int, ...]]

_SPARED = 0.95  # how often one is that has no workers yet, for else most would never have any
_TAIL = 16_384  # bytes of the ledger that are looked through for an attempt that lives
_OF_WORKER = "SELECT id, attempt FROM jobs WHERE worker IN (SELECT name FROM workers WHERE pid = ?)"
_OF_GROUP = "SELECT id, attempt FROM jobs WHERE worker IN (SELECT name FROM workers WHERE group_pid = ?)"


@dataclass(frozen=True, slots=True)
class Frozen:
    """A process that was stopped where it was, and what its side was about to do then."""

    pid: int
    wake_at: float  # monotonic
    running: Rows  # ids and attempts


class Hand:
    """Kills and freezes processes of a scene, and wakes them again."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.dice = scene.trial.dice
        self._frozen: list[Frozen] = []

    def kill(self, pid: int) -> bool:
        """Kill a process, if there is one."""
        is_there = is_alive(pid)
        if is_there:
            kill(pid)
            self.scene.trial.count("kills")
        return is_there

    def kill_all(self, pids: Sequence[int], *pauses_s: float) -> bool:
        """Kill processes one after the other; wait between two of them as the dice say."""
        killed = 0
        for pid in pids:
            killed += self.kill(pid)
            time.sleep(self.dice.choice(pauses_s or (0.0,)))
        return killed > 0

    def freeze(self, pid: int | None, sql: str, owner: int) -> bool:
        """Stop a process for a while; `sql` finds what `owner` runs just now."""
        if pid is None or not is_alive(pid):
            return False
        kill(pid, signal.SIGSTOP)
        self.scene.trial.count("stops")
        wake_at = time.monotonic() + self.dice.choice((0.05, 0.1, 0.3, 1.0, 3.0))
        self._frozen.append(Frozen(pid, wake_at, self.scene.rows(sql, owner)))
        return True

    def wake(self, *, all_of_them: bool = False) -> None:
        """Wake whose time has come."""
        now = time.monotonic()
        due = [frozen for frozen in self._frozen if all_of_them or frozen.wake_at <= now]
        self._frozen = [frozen for frozen in self._frozen if frozen not in due]
        for frozen in due:
            if is_alive(frozen.pid) and self._is_late(frozen):
                self.scene.trial.count("woken late")
            kill(frozen.pid, signal.SIGCONT)

    def _is_late(self, frozen: Frozen) -> bool:
        """Say whether a job that it had was given to another while it was stopped."""
        later = "SELECT 1 FROM jobs WHERE id = ? AND attempt > ?"
        return any(self.scene.rows(later, *row) for row in frozen.running)


def _worker(hand: Hand, group: Group) -> bool:
    workers = group.workers()
    return bool(workers) and hand.kill(hand.dice.choice(workers))


def _workers(hand: Hand, group: Group) -> bool:
    return hand.kill_all(group.workers())


def _dispatcher(hand: Hand, group: Group) -> bool:
    dispatcher = group.dispatcher()
    return dispatcher is not None and hand.kill(dispatcher)


def _both(hand: Hand, group: Group) -> bool:
    """A dispatcher and one of its workers, in any order."""
    dispatcher, workers = group.dispatcher(), group.workers()
    if dispatcher is None or not workers:
        return False
    pids = [dispatcher, hand.dice.choice(workers)]
    hand.dice.shuffle(pids)
    return hand.kill_all(pids, 0.0, 0.0, 0.001, 0.003)


def _supervisor(hand: Hand, group: Group) -> bool:
    return hand.kill(group.pid)


def _group(hand: Hand, group: Group) -> bool:
    """All at one moment, as a power cut would."""
    pids = group.pids()
    for pid in pids:
        kill(pid, signal.SIGSTOP)
    return hand.kill_all(pids)


def _group_bit_by_bit(hand: Hand, group: Group) -> bool:
    pids = group.pids()
    hand.dice.shuffle(pids)
    return hand.kill_all(pids, 0.0, 0.001, 0.01)


def _job(hand: Hand, _group: Group) -> bool:
    """The process of a command that runs; `living.sh` says in the ledger who it is."""
    path = hand.scene.papers.effects
    with contextlib.suppress(OSError), path.open("rb") as ledger:
        ledger.seek(max(path.stat().st_size - _TAIL, 0))
        lines = [line.decode().split() for line in ledger.read().split(b"\n")[1:-1]]
        over = {line[2] for line in lines if line[0] in (ENDED, FAILED, STRUCK)}
        alive = [line for line in lines if line[0] == BEGAN and line[2] not in over]
        return any(_strike(hand, line) for line in hand.dice.sample(alive, len(alive)))
    return False


def _strike(hand: Hand, line: list[str]) -> bool:
    """Kill the process that wrote a line, if it is still that one; a call has no process of its own."""
    _, job, token, pid, attempt = line
    with contextlib.suppress(OSError):
        fd = os.pidfd_open(int(pid))
        try:
            mark = f"JOBRUN_TOKEN={token}".encode()
            if mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                write(hand.scene.papers.effects, [f"{STRUCK} {job} {token} {pid} {attempt}"])
                signal.pidfd_send_signal(fd, signal.SIGKILL)
                hand.scene.trial.count("kills")
                return True
        finally:
            os.close(fd)
    return False


def _freeze_worker(hand: Hand, group: Group) -> bool:
    workers = group.workers()
    chosen = hand.dice.choice(workers) if workers else None
    return hand.freeze(chosen, _OF_WORKER, chosen or 0)


def _freeze_dispatcher(hand: Hand, group: Group) -> bool:
    return hand.freeze(group.dispatcher(), _OF_GROUP, group.pid)


def _freeze_supervisor(hand: Hand, group: Group) -> bool:
    return hand.freeze(group.pid, _OF_GROUP, group.pid)


def _scheduler(hand: Hand, group: Group) -> bool:
    scheduler = group.scheduler()
    return scheduler is not None and hand.kill(scheduler)


def _freeze_scheduler(hand: Hand, group: Group) -> bool:
    return hand.freeze(group.scheduler(), _OF_GROUP, group.pid)


def _freeze_dispatcher_and_kill_workers(hand: Hand, group: Group) -> bool:
    """What it has in hand is over while it cannot hear of it."""
    workers = group.workers()
    if not workers or not _freeze_dispatcher(hand, group):
        return False
    return hand.kill_all(hand.dice.sample(workers, hand.dice.randint(1, len(workers))), 0.0, 0.005, 0.03)


def _end(hand: Hand, group: Group) -> bool:
    kill(group.pid, signal.SIGTERM)
    hand.scene.trial.count("ends")
    return True


def _hurry(hand: Hand, group: Group) -> bool:
    _end(hand, group)
    time.sleep(hand.dice.choice((0.0, 0.01, 0.1)))
    kill(group.pid, signal.SIGTERM)
    return True


def _end_and_kill_worker(hand: Hand, group: Group) -> bool:
    workers = group.workers()
    _end(hand, group)
    time.sleep(hand.dice.choice((0.0, 0.005, 0.02)))
    return not workers or hand.kill(hand.dice.choice(workers))


Harm = Callable[[Hand, Group], bool]

# Each says whether it found whom to strike. The number is how often it is chosen, against the others.
HARMS: dict[Harm, int] = {
    _worker: 6,
    _workers: 6,
    _dispatcher: 5,
    _both: 5,
    _job: 6,
    _supervisor: 2,
    _group: 2,
    _group_bit_by_bit: 2,
    _freeze_worker: 2,
    _freeze_dispatcher: 2,
    _freeze_supervisor: 1,
    _freeze_dispatcher_and_kill_workers: 2,
    _end: 1,
    _hurry: 1,
    _end_and_kill_worker: 1,
    _scheduler: 8,
    _freeze_scheduler: 3,
}
OF_TABLES: tuple[Harm, ...] = (_scheduler, _freeze_scheduler)
ALL = tuple(harm for harm in HARMS if harm not in OF_TABLES)
OF_WORKERS: tuple[Harm, ...] = (_worker, _workers, _job)
OF_DISPATCHERS: tuple[Harm, ...] = (_dispatcher, _both)
OF_GROUPS: tuple[Harm, ...] = (_supervisor, _group, _group_bit_by_bit, _workers)
FREEZING: tuple[Harm, ...] = (
    _freeze_worker,
    _freeze_dispatcher,
    _freeze_supervisor,
    _freeze_dispatcher_and_kill_workers,
    _worker,
)
ENDING: tuple[Harm, ...] = (_end, _hurry, _end_and_kill_worker, _workers)


def strike(hand: Hand, chosen: Sequence[Harm], group: Group) -> bool:
    """Strike at a group in one of some ways, and say whether anybody was hit."""
    if not group.workers() and hand.dice.random() < _SPARED:
        return False
    [harm] = hand.dice.choices(chosen, [HARMS[harm] for harm in chosen])
    return group.is_up and harm(hand, group)
