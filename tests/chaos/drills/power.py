"""L7: the power fails between any two file calls, and what was not synced is lost, torn or comes in any order."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from jobrun.errors import JobrunError
from jobrun.store import open_store
from tests.chaos.powercut import TRACED, Call, Disk, calls, said
from tests.chaos.scene import Scene
from tests.chaos.trial import CannotTry, Drill, Trial

POLICIES = ("none", "all", "random", "reversed")
_PER_SECOND = 20  # images
_FULL, _FAST = "full", "fast"


def _run(trial: Trial) -> None:
    if shutil.which("strace") is None:
        raise CannotTry("needs strace")
    scene = Scene(trial)
    durability = _FAST if trial.seed % 3 == 2 else _FULL
    scene.run("enqueue", "-q", "chaostasks:short")
    scene.papers.acknowledged.write_text("1\n")
    before = {str(scene.path): scene.path.read_bytes()}
    done = _record(scene, durability)
    trial.count("file calls", len(done))
    written = [
        number for number, call in enumerate(done) if call.what in {"write", "sync", "say", "remove", "cut"}
    ]
    points = sorted(trial.dice.choices(written, k=max(8, int(trial.seconds * _PER_SECOND / len(POLICIES)))))
    disk, at = Disk(before), 0
    for point in points:
        for call in done[at : point + 1]:
            disk.do(call)
        at = point + 1
        for policy in POLICIES:
            files = disk.image(policy, trial.dice)
            where = f"after call {point}, {policy} unsynced, {durability}"
            _judge(trial, files, done[:at] if durability == _FULL else [], where)
            trial.count(f"images {durability}")


def _record(scene: Scene, durability: str) -> list[Call]:
    """Let jobs be asked for and run, and return all calls on the job file and on the papers."""
    batch = scene.folder / "batch"
    count = scene.trial.dice.randint(2, 60)
    batch.write_text("chaostasks:short\n" * count)
    words = " ".join(scene.words())
    same = f"--durability {durability}"
    script = f"""
        {words} enqueue -q {same} chaostasks:short >> acknowledged
        {words} enqueue -q {same} --shell 'exit 3' --retries 1 --backoff 1s >> acknowledged
        {words} enqueue -q {same} --batch {batch} >> acknowledged
        {words} worker --burst -n 2 {same} --path {scene.tasks}
        {words} enqueue -q {same} chaostasks:short >> acknowledged
    """
    trace = scene.folder / "trace"
    options = ["-f", "--seccomp-bpf", "-qq", "-xx", "-y", "-s", "1000000", "-e", "signal=none"]
    done = subprocess.run(
        ["strace", *options, "-e", f"trace={TRACED}", "-o", str(trace), "sh", "-c", script],
        cwd=scene.folder,
        env=scene.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    scene.trial.expect(done.returncode == 0, f"what was recorded failed: {done.stderr[-300:]}")
    ours = (str(scene.path), f"{scene.path}-wal", str(scene.papers.acknowledged), str(scene.papers.effects))
    return [
        call
        for call in calls(trace)
        if call.path in ours or (call.what == "sync" and call.path == str(scene.folder))
    ]


def _judge(trial: Trial, files: dict[str, bytes], done: list[Call], where: str) -> None:
    """Open the files as they may be, and look for what was promised before the cut."""
    folder = trial.folder / "image"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    for path, content in files.items():
        if path.startswith(str(trial.folder / "jobs.db")):
            (folder / Path(path).name).write_bytes(content)
            (folder / Path(path).name).chmod(0o600)
    image = folder / "jobs.db"
    try:
        open_store(image).close()
        with closing(sqlite3.connect(image)) as reader:
            states = dict(reader.execute("SELECT id, attempt FROM jobs").fetchall())
            checked = reader.execute("PRAGMA integrity_check").fetchall()
    except (JobrunError, sqlite3.Error) as error:
        trial.fault(f"{where}: {error}")
        return
    trial.expect(checked == [("ok",)], f"{where}: {checked[:2]}")
    promised = {int(number) for text in said(done, "/acknowledged") for number in text.split()}
    lost = sorted(promised - states.keys())
    trial.expect(not lost, f"{where}: {len(lost)} acknowledged jobs are lost: {lost[:5]}")
    begun = [line.split() for line in said(done, "/effects")]
    unknown = [line for line in begun if line[0] == b"S" and states.get(int(line[1]), 0) < int(line[4])]
    trial.expect(not unknown, f"{where}: begun, and no attempt is written down: {unknown[:3]}")


DRILL = Drill(level="L7", says="the power fails between any two file calls", run=_run, short_s=1, long_s=10)
