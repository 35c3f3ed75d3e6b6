"""L8: commands with few descriptors, little memory, and files that may not grow."""

from __future__ import annotations

import resource
import subprocess

from jobrun import procs
from tests.chaos.cases import CALL, LINE, acknowledge
from tests.chaos.drills.errors import law_of
from tests.chaos.healing import heal, verdict
from tests.chaos.scene import Scene
from tests.chaos.tracing import Answer
from tests.chaos.trial import Drill, Trial

_MIB = 1 << 20
_COMMANDS = (
    ("enqueue", "-q", CALL),
    ("enqueue", "-q", "--shell", LINE),
    ("enqueue", "-q", "--retries", "1", CALL),
    ("list",),
    ("status",),
    ("worker", "--burst", "-n", "1", "--path", "tasks"),
)
_LIMITS = (
    *((resource.RLIMIT_NOFILE, number) for number in range(5, 41)),
    *((resource.RLIMIT_AS, size * _MIB) for size in range(24, 132, 3)),
    *((resource.RLIMIT_FSIZE, size * 1024) for size in (0, 1, 4, 8, 32, 33, 48, 64, 100, 128, 160, 200)),
)
_WITHIN_S = 30.0
_NAMES = {
    resource.RLIMIT_NOFILE: "descriptors",
    resource.RLIMIT_AS: "bytes of memory",
    resource.RLIMIT_FSIZE: "bytes of a file",
}


def _run(trial: Trial) -> None:
    procs.adopt_orphans()
    scene = Scene(trial)
    done = scene.run("enqueue", "-q", CALL)
    acknowledge(scene, done.stdout)
    tries = [(words, limit) for words in _COMMANDS for limit in _LIMITS]
    trial.dice.shuffle(tries)
    while tries and not trial.is_over and not trial.faults:
        words, (which, size) = tries.pop()
        answer = _limited(scene, words, which, size)
        trial.count("limits")
        if words[0] == "enqueue":
            acknowledge(scene, answer.out)
        faults = law_of(answer, is_group=words[0] == "worker")
        for fault in [*faults, *heal(scene), *verdict(scene)]:
            trial.fault(f"{' '.join(words[:3])} with {size} {_NAMES[which]}: {fault}")


def _limited(scene: Scene, words: tuple[str, ...], which: int, size: int) -> Answer:
    process = subprocess.Popen(
        scene.words(*words),
        env=scene.environment(),
        cwd=scene.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
        preexec_fn=lambda: resource.setrlimit(which, (size, size)),  # noqa: PLW1509 -- no threads here
    )
    try:
        out, err = process.communicate(timeout=_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        return Answer(code=None, out=out, err=err, was_hurt=True)
    return Answer(code=process.returncode, out=out, err=err, was_hurt=True)


DRILL = Drill(
    level="L8",
    says="few descriptors, little memory, files that may not grow",
    run=_run,
    long_s=20.0,
    share=0.5,
)
