"""L12: mixed load and a kill each few seconds for a long time. Nothing may grow.

One group is never hurt: its processes are watched. What is killed belongs to a second group on the same
job file, and to the people who ask for jobs.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from bench.curves import draw
from bench.tables import at
from tests.chaos import ledger
from tests.chaos.scene import ROOT, Scene
from tests.chaos.trial import Drill, Trial
from tests.chaos.watching import Points, Watch, ends, growth
from tests.process.site import children_of, eventually, kill

LOOK_S, KILL_S, PURGE_S, RELOAD_S = 5.0, 3.0, 60.0, 300.0
FULL_S = 30 * 60.0  # from here on the curves are kept
MOST_MIB, MOST_WAL_MIB = 10.0, 64.0
MOST_POINTS = 60
TABLE = """
# written at {now}
[env]
EFFECTS = "{effects}"
[jobs.ticks]
every = "1s"
call = "chaostasks:short"
[jobs.shells]
every = "2s"
shell = '''
echo "S $JOBRUN_ID $JOBRUN_TOKEN $$ $JOBRUN_ATTEMPT" >>"$EFFECTS"
echo "E $JOBRUN_ID $JOBRUN_TOKEN $$ $JOBRUN_ATTEMPT" >>"$EFFECTS"
'''
"""


class _Soak:
    """The scene of a soak, and when what is next."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.scene = Scene(trial)
        self.watch = Watch()
        self.table = trial.folder / "jobs.toml"
        self.rewrite_table()
        self.scene.run("enqueue", "-q", "--exec", "true")
        self.calm = self.scene.launch(self.serving())
        self.hurt = self.scene.start(n=2)
        self.client = self.scene.person("steady")
        self.roles = self.named()
        self.due = dict.fromkeys((self.look, self.hurt_one, self.purge, self.rewrite_table), 0.0)
        self.waits_read = 0

    def serving(self) -> list[str]:
        return self.scene.words("cron", str(self.table), "-n", "2", "--path", str(self.scene.tasks))

    def rewrite_table(self) -> float:
        """Write the table anew: the scheduler reads it again."""
        draft = self.table.with_suffix(".new")
        draft.write_text(TABLE.format(now=time.time(), effects=self.scene.papers.effects))
        draft.replace(self.table)
        return RELOAD_S

    def named(self) -> dict[str, int]:
        """Return the processes of the calm group, by role."""
        workers = eventually(lambda: self.calm.workers() if len(self.calm.workers()) == 2 else [])
        dispatcher = eventually(self.calm.dispatcher)
        assert dispatcher is not None
        scheduler = (children_of(self.calm.pid) - {dispatcher, *workers}).pop()
        roles = {"supervisor": self.calm.pid, "scheduler": scheduler, "dispatcher": dispatcher}
        return roles | {f"worker {n}": pid for n, pid in enumerate(workers, 1)}

    def look(self) -> float:
        minute = (time.monotonic() - self.trial.begun) / 60
        self.watch.look(minute, self.roles, Path(f"{self.scene.path}-wal"))
        if len(self.watch.wal) % 12 == 0:
            self.read_waits(minute)
        return LOOK_S

    def read_waits(self, minute: float) -> None:
        """Add the p99 of the waits of the last minute."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self.scene.folder / "waits").read_text().split("\n")[:-1]
            if fresh := sorted(map(float, lines[self.waits_read :])):
                self.watch.wait.append((minute, at(fresh, 99)))
                self.waits_read = len(lines)

    def hurt_one(self) -> float:
        """Kill a worker, a dispatcher, a whole group or a client; and see to it that there is a next one."""
        what = self.trial.dice.choice(["worker"] * 6 + ["dispatcher"] * 2 + ["group", "client"])
        for pid in self.victims(what):
            kill(pid)
            self.trial.count("kills")
        if self.client.poll() is not None or what == "client":
            self.client.wait()
            self.client = self.scene.person("steady")
        if what == "group":
            self.hurt.process.wait()
            self.hurt = self.scene.start(n=2)
        return KILL_S

    def victims(self, what: str) -> list[int]:
        if what == "worker":
            return self.trial.dice.sample(workers, 1) if (workers := self.hurt.workers()) else []
        if what == "dispatcher":
            return [pid] if (pid := self.hurt.dispatcher()) else []
        return [self.client.pid] if what == "client" else self.hurt.pids()

    def purge(self) -> float:
        """Note what has ended, and remove what ended a minute ago."""
        ended = self.scene.rows("SELECT id FROM jobs WHERE finished_at IS NOT NULL")
        ledger.write(self.scene.papers.purged, [number for (number,) in ended])
        done = self.scene.run("purge", "--older-than", "1m", "--yes")
        if done.returncode not in {0, 1}:
            self.trial.fault(f"purge: {done.stderr.strip()}")
        return PURGE_S

    def go_on(self) -> None:
        """Do what is due, until the time is up."""
        while not self.trial.is_over:
            now = time.monotonic()
            for act, at_s in self.due.items():
                if now >= at_s:
                    self.due[act] = now + act()
            time.sleep(max(0.0, min(self.due.values()) - time.monotonic()))

    def close(self) -> None:
        self.client.kill()
        self.client.wait()
        self.scene.close()


def _run(trial: Trial) -> None:
    soak = _Soak(trial)
    try:
        soak.go_on()
        soak.client.kill()
        for name, pid in soak.roles.items():
            trial.expect(pid == soak.calm.pid or pid in children_of(soak.calm.pid), f"{name} was replaced")
        _flat(trial, soak.watch)
        _draw(trial, soak.watch)
        soak.scene.finish()
        trial.count("jobs", max(soak.scene.papers.ids(soak.scene.papers.acknowledged), default=0))
        soak.scene.verdict(may_leave_files=True)  # groups are killed
    finally:
        soak.close()


def _flat(trial: Trial, watch: Watch) -> None:
    """Note what grew, and count what was reached."""
    for name, points in watch.memory.items():
        first, last = ends(points)
        trial.count(f"MiB of {name}", round(last))
        trial.expect(last - first < MOST_MIB, f"memory of {name} grew from {first:.1f} to {last:.1f} MiB")
    for name, points in watch.descriptors.items():
        trial.expect(growth(points) < 1, f"descriptors of {name} grew: {ends(points)}")
    largest = max(value for _, value in watch.wal)
    trial.count("MiB of WAL at most", round(largest))
    trial.expect(largest < MOST_WAL_MIB, f"the WAL had {largest:.0f} MiB")
    if watch.wait:
        first, last = ends(watch.wait)
        trial.count("ms of wait, p99", round(last))
        trial.expect(last < 2 * first + 20, f"p99 of the wait grew from {first:.0f} to {last:.0f} ms")


def _draw(trial: Trial, watch: Watch) -> None:
    """Draw what was seen: kept in docs/ after a whole soak, else beside the round's files."""
    place = ROOT / "docs" if trial.seconds >= FULL_S else trial.folder
    pages: dict[str, tuple[str, dict[str, Points]]] = {
        "memory": ("resident memory in MiB", dict(watch.memory)),
        "descriptors": ("open descriptors", dict(watch.descriptors)),
        "wal": ("WAL in MiB", {"WAL": watch.wal}),
        "wait": ("wait in ms", {"p99 of a minute": watch.wait}),
    }
    for name, (up, series) in pages.items():
        if all(series.values()):
            thinned = {each: _thinned(points) for each, points in series.items()}
            title = f"Half an hour under load, with a kill each {KILL_S:.0f} s: {up}"
            (place / f"soak-{name}.svg").write_text(draw(title, "minutes", up, thinned, even=True))


def _thinned(points: Points) -> Points:
    """Return about as many points as the eye can tell apart, the last among them."""
    return points[:: -max(len(points) // MOST_POINTS, 1)][::-1]


DRILL = Drill(level="L12", says="a long time of mixed load and kills: nothing may grow", run=_run, share=0.0)
