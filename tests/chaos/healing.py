"""What comes after a point: a healthy group brings everything to its end, and the ledger judges."""

from __future__ import annotations

import os
import re
import select
import signal
import sqlite3
import traceback
from contextlib import closing
from pathlib import Path

from jobrun import procs
from jobrun.errors import JobrunError
from jobrun.supervisor import Settings, run
from tests.chaos import judge
from tests.chaos.scene import SIDE_FILES, Scene

_WITHIN_S = 40.0
_RAISED = re.compile(r"[\w.]*(Error|Exception)\b")  # the last line of a traceback
# The fault met the job itself before its first line: it failed, as it should.
_MET_BY_THE_JOB = re.compile(r"failed without having failed.*(\[Errno |ModuleNotFoundError)")
_LONG_AGO_S = 2 * 86400.0  # what lay about for so long is swept


def heal(scene: Scene) -> list[str]:
    """Run what is left with a healthy group, forked here since that is much faster; return what is wrong."""
    log = scene.folder / "healthy"
    pid = os.fork()
    if pid == 0:
        _be_a_group(scene, log)
    code = _wait(pid)
    said = log.read_text(errors="replace")
    if code != 0:
        return [f"a healthy group ended with {code}: {said[-300:]}"]
    return [f"a healthy group said: {line}" for line in said.splitlines() if is_bug(line)][:3]


def verdict(scene: Scene) -> list[str]:
    """Return what does not hold once a healthy group has ended."""
    found = judge.faults(judge.gather(scene.path, scene.papers))
    faults = [*judge.integrity(scene.path), *(fault for fault in found if not _MET_BY_THE_JOB.match(fault))]
    if live := scene.live():
        faults.append(f"{live} jobs were not run to their end")
    return faults + _strays(scene)


def is_bug(line: str) -> bool:
    return "Traceback" in line or "a bug" in line or _RAISED.match(line) is not None


def _be_a_group(scene: Scene, log: Path) -> None:
    code = 70
    try:
        os.setsid()
        fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        os.dup2(fd, 1)
        os.dup2(fd, 2)
        around = scene.environment()
        os.environ.clear()
        os.environ.update(around)
        os.chdir(scene.folder)
        settings = Settings(
            path=scene.path, workers=1, burst=True, grace_s=0.3, import_paths=(str(scene.tasks),)
        )
        code = run(settings)
    except JobrunError as error:
        os.write(2, f"jobrun: {error.message}\n".encode())
        code = error.exit_code
    except BaseException:  # noqa: BLE001 -- the parent's stack must not run in here
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


def _wait(pid: int) -> int | None:
    leader = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(leader, select.POLLIN)
        if not poll.poll(_WITHIN_S * 1000):
            procs.send_below(procs.descendants([pid]), signal.SIGKILL)
            os.waitpid(pid, 0)
            return None
    finally:
        os.close(leader)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _strays(scene: Scene) -> list[str]:
    """I10: what a kill left is swept, at once or after a day; here the day is made to have passed."""
    left = _side_files(scene)
    if not left:
        return []
    for path in left:
        then = path.stat().st_mtime - _LONG_AGO_S
        os.utime(path, (then, then))
    with closing(sqlite3.connect(scene.path)) as reader:
        known = {name for (name,) in reader.execute("SELECT name FROM workers")}
    faults = heal(scene)
    for path in _side_files(scene):
        faults.append(
            f"a stray is never swept: {path.relative_to(scene.folder)}, known: {path.name in known}"
        )
    return faults


def _side_files(scene: Scene) -> list[Path]:
    """Return what lies about though nothing runs: in the side folders, and drafts beside the file."""
    folders = [scene.side / name for name in SIDE_FILES]
    found = [path for folder in folders if folder.is_dir() for path in folder.iterdir()]
    drafts = [path for path in scene.folder.iterdir() if ".new" in path.name]
    return found + drafts + [path for path in scene.side.iterdir() if ".new" in path.name]
