"""L6: the table is rewritten while those who serve it compete, and are killed and frozen at random moments."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path

from tests.chaos import harms, tickjudge, timetables
from tests.chaos.harms import Hand, strike
from tests.chaos.judge import doubled
from tests.chaos.ledger import write
from tests.chaos.people.client import SCRIPT
from tests.chaos.scene import Group, Scene
from tests.chaos.trial import CannotTry, Drill, Trial
from tests.process.site import kill

_FIGURES = ("kills", "stops", "ends", "tables", "broken tables", "ticks")
_HARMS = (*harms.OF_TABLES, *harms.ALL)
_PAUSE_S, _AGAIN_S = 0.15, 0.02  # between two blows, on average; where nobody was struck
_REWRITE_S = 1.5  # between two versions of the table, on average
_BROKEN_S = 0.7  # a scheduler may be without a valid table, for then none starts
_CALM_S = 60.0  # until all that waits has become a job
_STEP_S = 0.005


class Editor:
    """Who rewrites the table again and again, and sometimes wrongly."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._dice = scene.trial.dice
        self.path = scene.folder / "jobs.toml"
        self.script = scene.tasks / SCRIPT
        self._next_at = 0.0
        self._is_broken = False
        self.mend()

    def step(self) -> None:
        if time.monotonic() < self._next_at:
            return
        if not self._is_broken and self._dice.random() < 0.4:
            timetables.put(self.path, timetables.broken(self._dice, self.path.read_text()))
            self._is_broken = True
            self._next_at = time.monotonic() + _BROKEN_S
            self._scene.trial.count("broken tables")
        else:
            self.mend()

    def mend(self) -> None:
        """Write a table that is valid."""
        around = {name: self._scene.environment()[name] for name in ("PATH", "EFFECTS", "TICKS")}
        timetables.put(self.path, timetables.version(self._dice, self.script, around))
        self._is_broken = False
        self._next_at = time.monotonic() + self._dice.expovariate(1 / _REWRITE_S)
        self._scene.trial.count("tables")


class Rivals:
    """Groups that want to serve one table, and one without any."""

    def __init__(self, scene: Scene, table: Path) -> None:
        self._scene = scene
        self._table = table
        self.groups = [self._rival(), self._rival(), scene.start("--drain", "0.5s", n=2)]
        self._again_at = 0.0

    def step(self) -> None:
        """Replace who has ended; a loser comes back, though not at once."""
        now = time.monotonic()
        for place, group in enumerate(self.groups):
            if group.is_up or now < self._again_at:
                continue
            is_rival = place < len(self.groups) - 1
            self.groups[place] = self._rival() if is_rival else self._scene.start("--drain", "0.5s", n=2)
            self._again_at = now + 0.3

    def hang_up(self, group: Group) -> None:
        """Have the table read again."""
        if group.scheduler() is not None:
            kill(group.pid, signal.SIGHUP)

    def _rival(self) -> Group:
        scene = self._scene
        words = ["cron", str(self._table), "-n", "1", "--path", str(scene.tasks)]
        return scene.launch(scene.words(*words, "--grace", "0.3s", "--drain", "0.5s"))


def _run(trial: Trial) -> None:
    if not shutil.which("flock"):
        raise CannotTry("needs flock of util-linux, for commands that hold a lock")
    scene = Scene(trial)
    for figure in _FIGURES:
        trial.count(figure, 0)  # so that they stand in this order
    try:
        editor = Editor(scene)
        _storm(scene, editor)
        calm_at = _calm(scene, editor)
        scene.finish(n=3)
        _judge(scene, editor, calm_at)
    finally:
        scene.close()


def _storm(scene: Scene, editor: Editor) -> None:
    trial, hand = scene.trial, Hand(scene)
    rivals = Rivals(scene, editor.path)
    blow_at = time.monotonic() + 1.0
    while not trial.is_over:
        hand.wake()
        editor.step()
        rivals.step()
        if time.monotonic() >= blow_at:
            group = trial.dice.choice(rivals.groups)
            if trial.dice.random() < 0.05:
                rivals.hang_up(group)
            has_hit = strike(hand, _HARMS, group)
            blow_at = time.monotonic() + (trial.dice.expovariate(1 / _PAUSE_S) if has_hit else _AGAIN_S)
        time.sleep(_STEP_S)
    hand.wake(all_of_them=True)


def _calm(scene: Scene, editor: Editor) -> int:
    """Serve a valid table until all that waited has become jobs; return when that began, in ms."""
    editor.mend()
    for group in scene.groups:
        if group.is_up and group.stop() is None:
            scene.trial.fault(f"a group did not end: {group.errors}")
    last = scene.launch(scene.words("cron", str(editor.path), "-n", "8", "--path", str(scene.tasks)))
    begun, end = round(time.time() * 1000), time.monotonic() + _CALM_S
    steady = timetables.steady(editor.script)
    while time.monotonic() < end:
        time.sleep(0.2)
        seen = tickjudge.gather(scene.path, scene.papers)
        if tickjudge.all_served(seen, steady, begun) and not tickjudge.waiting(seen, steady, begun):
            break
    else:
        scene.trial.fault(f"ticks from before were still to be served: {last.errors}")
    if (code := last.stop()) != 0:
        scene.trial.fault(f"the last scheduler ended with {code}: {last.errors}")
    return begun


def _judge(scene: Scene, editor: Editor, calm_at: int) -> None:
    trial = scene.trial
    ticks = tickjudge.gather(scene.path, scene.papers)
    replaced = [job.id for job in ticks.jobs.values() if job.entry == timetables.REPLACED]
    write(scene.papers.cancelled, replaced)  # each may be, by the tick that comes after it
    seen = scene.verdict(may_leave_files=True)
    for fault in tickjudge.faults(ticks, timetables.steady(editor.script), calm_at):
        trial.fault(fault)
    states = [tick.state for rows in ticks.of_entry.values() for tick in rows]
    trial.count("ticks", len(states))
    for state in ("ran", "skipped", "missed"):
        trial.count(f"ticks {state}", states.count(state))
    trial.count("attempts", len(seen.attempts))
    trial.count("doubled", doubled(seen))


DRILL = Drill(
    level="L6",
    says="a table is rewritten while its schedulers compete and die",
    run=_run,
    short_s=4.0,
    long_s=30.0,
)
