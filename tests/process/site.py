"""A job file in a folder of its own, groups of real workers on it, and a ledger that judges them."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from jobrun import procs
from jobrun.bell import Tone, listening
from jobrun.model import Attempt, Job, Kind, NewJob, State, Surroundings
from jobrun.paths import side_dir
from jobrun.store import open_store
from tests.around import kept

DEADLINE_S = 30.0  # for what takes a second at most: a loaded machine is no failure
FINAL = frozenset(state for state in State if state.is_final)
SIDE_FILES = ("locks", "logs", "spool")

_TASKS = Path(__file__).parent / "tasks" / "disasters.py"
_NO_FILE = Path("/nonexistent")

Found = TypeVar("Found")


def eventually(look: Callable[[], Found], *, within_s: float = DEADLINE_S) -> Found:
    """Return the first true answer of `look`, for facts that ring no bell."""
    end = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)
    return found


def kill(pid: int, signum: signal.Signals = signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signum)


def is_alive(pid: int) -> bool:
    """Say whether a process runs; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return stat.rpartition(b")")[2].split()[0] != b"Z"


def _complaints(log: str) -> list[str]:
    """Return what Python itself found wrong with a process: files left open, forks beside threads."""
    return re.findall("(?m)^Exception ignored.*|^.*Warning: .*", log)


def children_of(pid: int) -> set[int]:
    """Return the direct children of a process without threads."""
    try:
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    except OSError:
        return set()


class Group:
    """One `jobrun worker` and all that it forked."""

    def __init__(self, site: Site, process: subprocess.Popen[bytes], size: int, errors: Path) -> None:
        self.pid = process.pid
        self._site = site
        self._process = process
        self._size = size
        self._errors = errors

    def workers(self) -> list[int]:
        """Return the pids of all its workers, once they are there."""
        return eventually(self._all_workers)

    def dispatcher(self) -> int:
        """Return the pid of its dispatcher: the child that is no worker."""
        workers = set(self.workers())
        return eventually(lambda: children_of(self.pid) - workers).pop()

    def scheduler(self) -> int:
        """Return the pid of its scheduler: the child that was forked first."""
        return eventually(lambda: min(children_of(self.pid), default=0))

    def children(self) -> set[int]:
        return children_of(self.pid)

    def runner(self, job_id: int) -> int:
        """Return the pid of the worker that runs a job."""
        job = self._site.job(job_id)
        return next(row.pid for row in self._site.store.workers.all() if row.name == job.worker)

    def kill_all(self) -> None:
        """Kill supervisor, dispatcher and workers as a power cut would: nobody has time to say anything."""
        pids = [self.pid, *children_of(self.pid)]
        for pid in pids:
            kill(pid, signal.SIGSTOP)
        for pid in pids:
            kill(pid)
        self.wait()

    def kill_one(self, pid: int) -> None:
        """Kill a process of the group, and wait until it was reaped."""
        kill(pid)
        eventually(lambda: pid not in children_of(self.pid))

    def freeze(self, pid: int) -> None:
        """Stop a process of the group where it is; only its kill ends that."""
        kill(pid, signal.SIGSTOP)
        eventually(lambda: b") T " in Path(f"/proc/{pid}/stat").read_bytes())

    def send(self, signum: signal.Signals) -> None:
        self._process.send_signal(signum)

    def wait(self) -> int:
        """Return its exit code once it has ended."""
        return self._process.wait(DEADLINE_S)

    def stop(self) -> int:
        """End it in a hurry, and return its exit code."""
        self.send(signal.SIGTERM)
        eventually(lambda: self._process.poll() is not None or "stopping" in self.log())
        self.send(signal.SIGTERM)
        return self.wait()

    def log(self) -> str:
        return self._errors.read_text()

    def says(self, text: str) -> None:
        """Wait until its log holds a text."""
        eventually(lambda: text in self.log())

    def _all_workers(self) -> list[int]:
        rows = [row for row in self._site.store.workers.all() if row.group_pid == self.pid]
        pids = [row.pid for row in rows]
        return pids if len(pids) == self._size and set(pids) <= children_of(self.pid) else []


class Site:
    """A job file, what works on it, and what its jobs did."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._locale = {"LANG": "C.UTF-8"}
        self.service: dict[str, str] = {}  # what systemd would say in the environment
        self.path = folder / "jobs.db"
        self.side = side_dir(self.path)
        self.store = open_store(self.path, create=True)
        self.table_path = folder / "jobs.toml"
        self.effects_path = folder / "effects"
        self.effects_path.touch()
        (folder / "tasks").mkdir()
        shutil.copy(_TASKS, folder / "tasks")
        self._mark = f"SITE_OF_TEST={folder}"
        self.groups: list[Group] = []

    def in_ascii(self) -> None:
        """Let what is started from here on live in a locale that knows ASCII alone."""
        self._locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

    def environment(self) -> dict[str, str]:
        """Return what all processes of this site are started with, and are found by."""
        name, _, value = self._mark.partition("=")
        return {**kept(), **self._locale, **self.service, "LEDGER": str(self.effects_path), name: value}

    def start(self, *options: str, n: int = 2, grace: str = "0.3s") -> Group:
        """Start a group of workers."""
        return self._start("worker", *options, n=n, grace=grace)

    def cron(self, *options: str, n: int = 1) -> Group:
        """Start a group that serves the table."""
        return self._start("cron", str(self.table_path), *options, n=n, grace="0.3s")

    def table(self, text: str) -> None:
        """Write the table, in one step as an editor would; its jobs find the ledger."""
        name, _, value = self._mark.partition("=")
        draft = self.table_path.with_suffix(".new")
        draft.write_text(f"[env]\nLEDGER = '{self.effects_path}'\n{name} = '{value}'\n{text}")
        draft.chmod(0o600)
        draft.replace(self.table_path)

    def _start(self, *words: str, n: int, grace: str) -> Group:
        errors = self.folder / f"group{len(self.groups)}.err"
        command = [sys.executable, "-m", "jobrun", "--db", str(self.path), *words, "-n", str(n)]
        paths = ["--path", str(self.folder / "tasks"), "--grace", grace]
        with errors.open("wb") as stderr, errors.with_suffix(".out").open("wb") as stdout:
            process = subprocess.Popen(
                [*command, *paths],
                env=self.environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
        group = Group(self, process, n, errors)
        self.groups.append(group)
        return group

    def burst(self, *options: str, n: int = 2) -> Group:
        """Run a group until nothing is due."""
        group = self.start("--burst", *options, n=n)
        assert group.wait() == 0, group.log()
        return group

    def call(self, task: str, *args: Any, **options: Any) -> int:
        """Enqueue a function of the tasks, or of `module:function`; return the id."""
        target = task if ":" in task else f"disasters:{task}"
        return self.add(NewJob(kind=Kind.CALL, task=target, args=args, **options))[0]

    def shell(self, line: str, **options: Any) -> int:
        """Enqueue a shell line."""
        around = Surroundings(cwd=str(self.folder), umask=0o022, environment=self.environment())
        return self.add(NewJob(kind=Kind.SHELL, task=line, surroundings=around, **options))[0]

    def command(self, *argv: str, **options: Any) -> int:
        """Enqueue an argv list."""
        around = Surroundings(cwd=str(self.folder), umask=0o022, environment=self.environment())
        job = NewJob(kind=Kind.COMMAND, task=" ".join(argv), args=argv, surroundings=around, **options)
        return self.add(job)[0]

    def add(self, *jobs: NewJob) -> list[int]:
        return [added.id for added in self.store.intake.add(jobs, now=datetime.now(UTC))]

    def job(self, job_id: int) -> Job:
        job = self.store.ledger.get(job_id)
        assert job is not None
        return job

    def last(self, job_id: int) -> Attempt:
        """Return the last attempt of a job."""
        return max(self.store.ledger.attempts(job_id), key=lambda attempt: attempt.number)

    def wait(self, job_id: int, states: Collection[State] = FINAL) -> Job:
        """Return a job once it is in one of some states."""
        end = time.monotonic() + DEADLINE_S
        with listening(self.side, Tone.DONE) as ear:
            while (job := self.job(job_id)).state not in states:
                assert time.monotonic() < end, f"job {job_id} is still {job.state}: {self._logs()}"
                ear.wait(1.0)
        return job

    def runs(self, job_id: int, attempt: int = 1) -> None:
        """Wait until an attempt has begun, by what it did itself."""
        eventually(lambda: self.effects()[f"S {job_id} {attempt}"])

    def effects(self) -> Counter[str]:
        """Return what the jobs wrote into the ledger: S id attempt at the start, E at the end."""
        return Counter(self.effects_path.read_text().splitlines())

    def alive(self) -> list[int]:
        """Return all living processes that this site started, directly or not."""
        return procs.carriers(self._mark, _NO_FILE)

    def strays(self) -> list[str]:
        """Return what is left in the side folders."""
        return [f"{folder}/{name}" for folder in SIDE_FILES for name in os.listdir(self.side / folder)]

    def close(self) -> None:
        """End everything; nothing may be left of it."""
        try:
            for group in self.groups:
                group.stop()
            assert self.alive() == [], self._logs()
            assert self.strays() == [], self._logs()
            assert not _complaints(self._logs()), self._logs()
        finally:
            self.store.close()
            for pid in self.alive():
                kill(pid)

    def _logs(self) -> str:
        return "".join(f"\n{group.log()}" for group in self.groups)
