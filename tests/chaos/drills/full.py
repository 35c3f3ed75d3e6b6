"""L8: the disk is full, freed, and full again, while jobs come in and run."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.chaos import ledger
from tests.chaos.scene import Group, Scene
from tests.chaos.trial import CannotTry, Drill, Trial
from tests.process.site import children_of, kill

_CLONE_NEWNS, _MS_REC, _MS_PRIVATE = 0x20000, 0x4000, 0x40000
RECOVERS_S = 5.0
_SLOW_S = 3.0  # more, on a loaded machine
_FULL_S = 2.0
CPU = 0.05  # of a core, while nothing can be written
_QUIET_S = 10.0  # between two lines of a log
_LARGE = 70_000  # bytes of a result, or of an output
_LINES = (
    "chaostasks:short",
    "chaostasks:works 0.3",
    f"chaostasks:answers {_LARGE}",
    f"chaostasks:prints {_LARGE}",
)


def _run(trial: Trial) -> None:
    limited = trial.seed % 4 == 3
    folder = trial.folder if limited else _small_disk(trial)
    scene = Scene(trial, path=folder / "jobs.db")
    try:
        told = scene.run("enqueue", "-q", "chaostasks:short")
        ledger.write(scene.papers.acknowledged, [int(told.stdout)])
        group = scene.start("--drain", "3s")
        asker = scene.person("asker", str(scene.papers.acknowledged), "0.05")
        _wait(lambda: len(group.workers()) == 2, 30)
        while True:
            (_limit if limited else _cycle)(scene, group)
            if trial.is_over:
                break
        kill(asker.pid)
        asker.wait()
        _stop_while_full(scene, group, limited=limited)
        scene.finish()
        seen = scene.verdict(may_leave_files=True)
        crashed = [row for row in seen.attempts.values() if row.outcome == "crashed"]
        trial.expect(not crashed, f"nobody died, and yet: {crashed[:2]}")
        _judge_log(trial, group)
    finally:
        scene.close()


def _small_disk(trial: Trial) -> Path:
    """Mount a small disk that this process and its children alone see."""
    if os.geteuid() != 0:
        raise CannotTry("needs root, to mount a small disk of its own")
    libc = ctypes.CDLL(None, use_errno=True)
    folder = trial.folder / "disk"
    folder.mkdir()
    size = trial.dice.choice([3, 4, 8])
    is_apart = (
        libc.unshare(_CLONE_NEWNS) == 0 and libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None) == 0
    )
    data = f"size={size}m,mode=700".encode()
    if not is_apart or libc.mount(b"none", os.fsencode(folder), b"tmpfs", 0, data) != 0:
        raise CannotTry(f"cannot mount a disk: {os.strerror(ctypes.get_errno())}")
    return folder


def _cycle(scene: Scene, group: Group) -> None:
    """Fill the disk for a while, then free it: all goes on soon."""
    trial = scene.trial
    for line in trial.dice.choices(_LINES, k=1):
        told = scene.run("enqueue", "-q", *line.split())
        if told.returncode == 0:
            ledger.write(scene.papers.acknowledged, [int(told.stdout)])
    filler = scene.path.parent / "filler"
    _fill(filler)
    _ask_in_vain(scene)  # and what runs ends meanwhile
    began, used_s = time.monotonic(), _cpu_s(group)
    while time.monotonic() - began < _FULL_S:
        time.sleep(0.1)
        _fill(filler)  # what was freed meanwhile
    share = (_cpu_s(group) - used_s) / (time.monotonic() - began)
    trial.expect(share < CPU, f"{share:.0%} of a core while the disk was full")
    filler.unlink()
    trial.count("times full")
    _goes_on(scene)


def _limit(scene: Scene, group: Group) -> None:
    """Let the files of the group not grow for a while: SQLite calls that another error than a full disk."""
    trial = scene.trial
    told = scene.run("enqueue", "-q", "--batch", str(_batch(scene)))
    ledger.write(scene.papers.acknowledged, map(int, told.stdout.split()))
    dispatcher = group.dispatcher()
    if dispatcher is None:
        return
    size = Path(f"{scene.path}-wal").stat().st_size
    resource.prlimit(dispatcher, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    time.sleep(_FULL_S)
    resource.prlimit(dispatcher, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    trial.count("times limited")
    _goes_on(scene)


def _batch(scene: Scene) -> Path:
    path = scene.folder / "batch"
    path.write_text("".join(f"{line}\n" for line in scene.trial.dice.choices(_LINES, k=20)))
    return path


def _fill(path: Path) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        while True:
            os.write(fd, b"\0" * 4096)
    except OSError:
        pass
    finally:
        os.close(fd)


def _ask_in_vain(scene: Scene) -> None:
    """Who asks learns that it was not queued; who looks, sees."""
    told = scene.run("enqueue", "-q", "chaostasks:short")
    if told.returncode == 0:
        ledger.write(scene.papers.acknowledged, [int(told.stdout)])
    else:
        is_said = (
            told.returncode == 4 and "no room" in told.stderr and "the job was NOT queued" in told.stderr
        )
        scene.trial.expect(is_said, f"enqueue gave {told.returncode}: {told.stderr}")
        scene.trial.count("refused")
    for words in (["list", "--limit", "3"], ["status"]):
        told = scene.run(*words)
        scene.trial.expect(told.returncode == 0, f"{words} gave {told.returncode}: {told.stderr}")


def _goes_on(scene: Scene) -> None:
    """See how long it takes until a job is finished again."""
    free = time.monotonic()
    done = _succeeded(scene)
    went_on = _wait(lambda: _succeeded(scene) > done, RECOVERS_S + _SLOW_S)
    disk, wal = os.statvfs(scene.path.parent), Path(f"{scene.path}-wal").stat().st_size
    left = f"{disk.f_bavail * disk.f_frsize} bytes are free, the WAL has {wal}"
    scene.trial.expect(
        went_on, f"nothing finished {time.monotonic() - free:.1f} s after there was room; {left}"
    )
    scene.trial.count("went on in 5 s", went_on and time.monotonic() - free <= RECOVERS_S)


def _stop_while_full(scene: Scene, group: Group, *, limited: bool) -> None:
    """A group that is told to end while nothing can be written ends all the same."""
    if limited:
        return
    filler = scene.path.parent / "filler"
    _fill(filler)
    group.process.send_signal(signal.SIGTERM)
    ended = _wait(lambda: not group.is_up, 60)
    scene.trial.expect(ended, "a group that was told to end on a full disk goes on")
    scene.trial.expect(group.process.returncode in {0, 4}, f"it ended with {group.process.returncode}")
    filler.unlink()


def _judge_log(trial: Trial, group: Group) -> None:
    lines = [line for line in group.log().splitlines() if "no room" in line]
    seconds = time.monotonic() - trial.begun
    trial.expect(
        len(lines) <= 1 + seconds / _QUIET_S, f"{len(lines)} lines in {seconds:.0f} s: {group.errors}"
    )
    trial.count("lines", len(lines))


def _succeeded(scene: Scene) -> int:
    rows = scene.rows("SELECT count(*) FROM jobs WHERE state = 'succeeded'")
    return rows[0][0] if rows else 0


def _cpu_s(group: Group) -> float:
    """Return what supervisor, dispatcher and idle workers have used."""
    ticks = 0
    for pid in [group.pid, *children_of(group.pid)]:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _wait(look: Callable[[], object], within_s: float) -> bool:
    end = time.monotonic() + within_s
    while not look():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


DRILL = Drill(level="L8", says="the disk is full and freed, again and again", run=_run, short_s=1, long_s=20)
