"""A job file, groups of real workers on it, people who ask for jobs, and the papers of the judge."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from jobrun import locks
from tests.around import strictness
from tests.chaos import judge
from tests.chaos.ledger import Papers
from tests.chaos.trial import MARK, Trial
from tests.process.site import children_of, is_alive, kill

_TASKS = Path(__file__).parent / "tasks"
ROOT = Path(__file__).resolve().parents[2]
SIDE_FILES = ("locks", "logs", "spool")
_LAST_S = 60.0  # for what is left of a round, on a loaded machine


class Group:
    """One `jobrun worker` and what it forked."""

    def __init__(self, scene: Scene, process: subprocess.Popen[bytes], errors: Path) -> None:
        self._scene = scene
        self.process = process
        self.pid = process.pid
        self.errors = errors

    @property
    def is_up(self) -> bool:
        return self.process.poll() is None

    def workers(self) -> list[int]:
        """Return the pids of its workers that are there, as the job file names them."""
        rows = self._scene.rows("SELECT pid FROM workers WHERE group_pid = ?", self.pid)
        return sorted({pid for (pid,) in rows} & children_of(self.pid))

    def dispatcher(self) -> int | None:
        """Return the child that has the job file open, and schedules nothing; None while there is none."""
        return next((pid for pid, files in self._officers() if not _schedules(files)), None)

    def scheduler(self) -> int | None:
        """Return the child that holds the lock of a table; None while there is none."""
        return next((pid for pid, files in self._officers() if _schedules(files)), None)

    def _officers(self) -> Iterator[tuple[int, set[str]]]:
        """Yield the children that have the job file open, and all files that each has open."""
        for child in sorted(children_of(self.pid) - set(self.workers())):
            with contextlib.suppress(OSError):
                files = {os.readlink(link) for link in Path(f"/proc/{child}/fd").iterdir()}
                if str(self._scene.path) in files:
                    yield child, files

    def pids(self) -> list[int]:
        return [self.pid, *children_of(self.pid)]

    def log(self) -> str:
        return self.errors.read_text(errors="replace")

    def stop(self, within_s: float = _LAST_S) -> int | None:
        """Ask it to end, and return its exit code; None if it did not, and was killed."""
        for pid in self.pids():
            kill(pid, signal.SIGCONT)
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None


class Scene:
    """All that one round of a drill works with; `close` ends it, `verdict` judges it."""

    def __init__(self, trial: Trial, *, path: Path | None = None) -> None:
        self.trial = trial
        self.folder = trial.folder
        self.path = path or trial.folder / "jobs.db"
        self.papers = Papers(trial.folder)
        self.tasks = trial.folder / "tasks"
        self.groups: list[Group] = []
        shutil.copytree(_TASKS, self.tasks, ignore=shutil.ignore_patterns("__pycache__"))

    @property
    def side(self) -> Path:
        return Path(f"{self.path}.d")

    def environment(self) -> dict[str, str]:
        """Return what everything in this scene is started with, and is found by."""
        return {
            **strictness(),
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "JOBRUN_DB": str(self.path),
            "EFFECTS": str(self.papers.effects),
            "ACKNOWLEDGED": str(self.papers.acknowledged),
            "TICKS": str(self.papers.ticks),
            MARK: os.environ.get(MARK, str(self.folder)),
        }

    def words(self, *words: str) -> list[str]:
        """Return a command line of jobrun."""
        return [sys.executable, "-m", "jobrun", *words]

    def run(self, *words: str, within_s: float = _LAST_S) -> subprocess.CompletedProcess[str]:
        """Run a command of jobrun to its end."""
        return subprocess.run(
            self.words(*words),
            env=self.environment(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=within_s,
        )

    def start(self, *options: str, n: int = 2, before: Sequence[str] = ()) -> Group:
        """Start a group of workers; `before` are words that start it, as of strace(1)."""
        words = self.words("worker", "-n", str(n), "--path", str(self.tasks), "--grace", "0.3s", *options)
        return self.launch([*before, *words])

    def launch(self, words: Sequence[str]) -> Group:
        """Start any command that serves the job file."""
        errors = self.folder / f"group{len(self.groups)}.err"
        with errors.open("wb") as stderr:
            process = subprocess.Popen(
                words,
                env=self.environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,
            )
        group = Group(self, process, errors)
        self.groups.append(group)
        return group

    def person(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        """Start a program of `people`; what it says is in NAME.err."""
        with (self.folder / f"{name}.err").open("ab") as errors:
            return subprocess.Popen(
                [sys.executable, "-m", f"tests.chaos.people.{name}", *words],
                env=self.environment(),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
            )

    def rows(self, sql: str, *values: object) -> list[tuple[int, ...]]:
        """Return what SQLite alone reads; nothing while the file cannot be read."""
        with contextlib.suppress(sqlite3.OperationalError), closing(self._reader()) as reader:
            return reader.execute(sql, values).fetchall()
        return []

    def live(self) -> int:
        """Return how many jobs have not ended yet; -1 while the file cannot be read."""
        marks = ", ".join("?" * len(judge.LIVE))
        rows = self.rows(f"SELECT count(*) FROM jobs WHERE state IN ({marks})", *judge.LIVE)
        return rows[0][0] if rows else -1

    def finish(self, *options: str, n: int = 2) -> None:
        """End all groups, let a healthy one run what is left, and note what did not end."""
        for group in self.groups:
            if group.is_up and group.stop() is None:
                self.trial.fault(f"a group did not end: {group.errors}")
        last = self.start(*options, n=n)
        end = time.monotonic() + _LAST_S
        while last.is_up and len(last.workers()) < n and time.monotonic() < end:
            time.sleep(0.02)  # a signal that comes before it listens would end it as it ends any program
        live = before = self.live()
        while live and time.monotonic() < end:
            time.sleep(0.02)
            if (live := self.live()) != before:  # on a loaded machine it may take long, but it goes on
                before, end = live, time.monotonic() + _LAST_S
        if live:
            self.trial.fault(f"{live} jobs were not run to their end: {last.errors}")
        if (code := last.stop()) != 0:
            self.trial.fault(f"the last group ended with {code}: {last.errors}")

    def verdict(self, *, may_leave_files: bool = False) -> judge.Evidence:
        """Judge what happened; call it once nothing works on the job file any more.

        Who is killed between a commit and the removal of a file leaves it for a day, for nobody can tell a young one
        from that of a worker or a message just made. A drill that kills so says that it may leave files.
        """
        seen = judge.gather(self.path, self.papers)
        for fault in [*judge.integrity(self.path), *judge.faults(seen), *self._left_behind()]:
            self.trial.fault(fault)
        if strays := self._strays():
            if may_leave_files:
                self.trial.count("files left for a day", len(strays))
            else:
                self.trial.fault(f"stray files: {strays[:5]}")
        return seen

    def heard(self, text: str) -> int:
        """Return how many lines of all logs hold a text."""
        return sum(text in line for group in self.groups for line in group.log().splitlines())

    def close(self) -> None:
        """Kill all groups."""
        for group in self.groups:
            for pid in group.pids() if group.is_up else []:
                kill(pid)
            group.process.wait()

    def _strays(self) -> list[str]:
        """I10: return the files that nobody needs any more."""
        return [str(file) for name in SIDE_FILES for file in (self.side / name).iterdir()]

    def _left_behind(self) -> list[str]:
        """I10, I11: no lock that is held, no group, no traceback."""
        held = [str(file) for file in (self.side / "locks").iterdir() if locks.is_held(file)]
        alive = [group.pid for group in self.groups if is_alive(group.pid)]
        bugs = [f"{g.errors}: {line}" for g in self.groups for line in g.log().splitlines() if _is_bug(line)]
        return [
            *([f"locks are held: {held[:5]}"] if held else []),
            *([f"groups are left: {alive}"] if alive else []),
            *bugs[:3],
        ]

    def _reader(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=5)


def _schedules(files: set[str]) -> bool:
    return any(Path(file).name.startswith("scheduler-") for file in files)


def _is_bug(line: str) -> bool:
    return any(sign in line for sign in ("Traceback", "a bug", "Exception ignored", "Warning: "))
