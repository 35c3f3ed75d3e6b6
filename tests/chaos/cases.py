"""The commands of the sweeps: what is there before, the command, and what its exit code 0 promises."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobrun.store import open_store
from jobrun.store.version import VERSION
from tests.chaos.healing import heal
from tests.chaos.judge import integrity
from tests.chaos.ledger import write
from tests.chaos.scene import Scene
from tests.chaos.tracing import Answer, Words
from tests.process.site import kill

CALL = "chaostasks:short"
_NOTE = 'echo "{} $JOBRUN_ID $JOBRUN_TOKEN $$ $JOBRUN_ATTEMPT" >> "$EFFECTS"'
LINE = f"{_NOTE.format('S')}; {_NOTE.format('E')}"
_HANGS = f'{_NOTE.format("S")}; [ "$JOBRUN_ATTEMPT" -gt 1 ] || sleep 600; {_NOTE.format("E")}'
_WORKER = ("worker", "--burst", "-n", "1", "--grace", "0.3s")
_VERSION_1 = Path(__file__).parents[1] / "store" / "schema_v1.sql"
_DEADLINE_S = 30.0

Promise = Callable[[Scene, Answer], list[str]]


def nothing(_scene: Scene, _answer: Answer) -> list[str]:
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One command."""

    name: str
    command: Words
    prepare: Callable[[Scene], None]
    promise: Promise = nothing  # looked at after the healthy group, if the command ended with 0
    heal_first: Callable[[Scene], list[str]] | None = None  # before the healthy group


def acknowledge(scene: Scene, text: str) -> None:
    """Note the ids that a command printed; what a kill cut off was not told."""
    ids = [line for line in text.split("\n")[:-1] if line.isascii() and line.isdigit()]
    write(scene.papers.acknowledged, ids)


def _ask(scene: Scene, *words: str) -> None:
    done = scene.run("enqueue", "-q", *words)
    assert done.returncode == 0, done.stderr
    acknowledge(scene, done.stdout)


def _let_run(scene: Scene) -> None:
    assert (faults := heal(scene)) == [], faults


def _empty(scene: Scene) -> None:
    """Begin without a job file."""
    (scene.folder / "batch").write_text("".join(f"{CALL} {number}\n" for number in range(20)))


def _with_file(scene: Scene) -> None:
    _empty(scene)
    _ask(scene, CALL)
    _let_run(scene)


def _with_key(scene: Scene) -> None:
    _ask(scene, "--key", "taken", CALL)


def _waiting(*lines: tuple[str, ...]) -> Callable[[Scene], None]:
    def prepare(scene: Scene) -> None:
        for words in lines:
            _ask(scene, *words)

    return prepare


def _failed(scene: Scene) -> None:
    for _ in range(2):
        _ask(scene, "chaostasks:fails", "1")
    _let_run(scene)


def _ended(scene: Scene) -> None:
    for _ in range(2):
        _ask(scene, CALL)
    _let_run(scene)
    _ask(scene, CALL)
    write(scene.papers.purged, [1, 2])


def _to_cancel(scene: Scene) -> None:
    for _ in range(2):
        _ask(scene, CALL)
    write(scene.papers.cancelled, [1])


def _lost(scene: Scene) -> None:
    """Leave a file whose whole group was killed, with what it ran; its WAL is still full."""
    _ask(scene, "--retries", "1", "--backoff", "0s", "--shell", _HANGS)
    _ask(scene, "--retries", "1", "--backoff", "0s", "sweeptasks:hangs")
    group = scene.start()
    end = time.monotonic() + _DEADLINE_S
    while len(_lines(scene.papers.effects)) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    pids = _below(group.pid)
    for pid in pids:
        kill(pid, signal.SIGSTOP)
    for pid in pids:
        kill(pid)
    group.process.wait()
    write(scene.papers.cancelled, [])


def _lost_to_cancel(scene: Scene) -> None:
    _lost(scene)
    write(scene.papers.cancelled, [1])


def _of_version_1(scene: Scene) -> None:
    with closing(sqlite3.connect(scene.path)) as connection:
        connection.executescript(_VERSION_1.read_text(encoding="utf-8"))
        connection.execute("PRAGMA journal_mode = WAL")
        for _ in range(2):
            connection.execute(
                "INSERT INTO jobs (state, queue, priority, run_at, attempt, failures, kind, task, args, kwargs, retries,"
                " backoff_ms, max_backoff_ms, on_crash, created_at, tags)"
                " VALUES ('ready', 'default', 0, 1000, 0, 0, 'call', ?, '[]', '{}', 0, 1000, 60000, 'retry', 800, '[]')",
                [CALL],
            )
        connection.commit()
    scene.path.chmod(0o600)
    write(scene.papers.acknowledged, [1, 2])


def _of_version_2(scene: Scene) -> None:
    _ask(scene, CALL)
    [trigger] = re.findall(
        r"CREATE TRIGGER jobs_refuse_transition.*?END;", _VERSION_1.read_text(encoding="utf-8"), re.DOTALL
    )
    with closing(sqlite3.connect(scene.path)) as connection:
        connection.executescript(f"DROP TRIGGER jobs_refuse_transition; {trigger} PRAGMA user_version = 2;")


def _table(scene: Scene, *entries: str) -> None:
    around = scene.environment().items()
    given = "".join(f"{name} = '{value}'\n" for name, value in around if not name.startswith("JOBRUN_"))
    (scene.folder / "jobs.toml").write_text(f"[env]\n{given}{''.join(entries)}")
    (scene.folder / "jobs.toml").chmod(0o600)


def _entry(name: str, when: str) -> str:
    return f"[jobs.{name}]\nshell = '''{LINE}'''\n{when}\n"


_BOOT = _entry("boot", "schedule = '@reboot'\ncatchup = 'none'")
_OFTEN = _entry("often", "every = '1s'\ncatchup = 'none'\noverlap = 'allow'")
_SERVED = "SELECT count(DISTINCT entry) = 2 FROM ticks WHERE state = 'ran'"


def _triggered(scene: Scene) -> None:
    _table(scene, _BOOT)
    _with_file(scene)


def _ticking(scene: Scene) -> None:
    """Leave a table that was served before a boot, and was changed since."""
    _table(scene, _BOOT, _entry("gone", "every = '1h'"))
    with open_store(scene.path, create=True):
        pass
    scheduler = scene.launch(scene.words("cron", "run", "-n", "0", "jobs.toml"))
    end = time.monotonic() + _DEADLINE_S
    while len(scene.rows("SELECT name FROM entries")) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    assert scheduler.stop() == 0, scheduler.log()
    with closing(sqlite3.connect(scene.path)) as connection:
        connection.execute("UPDATE entries SET boot_id = 'before'")
        connection.commit()
    _table(scene, _BOOT, _OFTEN)


def _serve(scene: Scene) -> list[str]:
    """Have a healthy scheduler serve what the hurt one did not."""
    if any(row[0] for row in scene.rows(_SERVED)):
        return []
    scheduler = scene.launch(scene.words("cron", "run", "-n", "0", "jobs.toml"))
    end = time.monotonic() + _DEADLINE_S
    while not any(row[0] for row in scene.rows(_SERVED)) and time.monotonic() < end:
        time.sleep(0.02)
    code = scheduler.stop()
    return [] if code == 0 else [f"a healthy scheduler ended with {code}: {scheduler.log()[-300:]}"]


def _ticks(scene: Scene, _answer: Answer) -> list[str]:
    """I6: a tick has one job, and a job its tick."""
    rows = scene.rows("SELECT entry, scheduled_for FROM jobs WHERE entry IS NOT NULL")
    ticks = scene.rows("SELECT entry, at FROM ticks WHERE state = 'ran'")
    [[boots]] = scene.rows("SELECT count(*) FROM jobs WHERE entry = 'boot'")
    return [
        *([f"{len(rows)} jobs for {len(ticks)} ticks"] if sorted(rows) != sorted(ticks) else []),
        *([f"{boots} jobs of one boot"] if boots != 1 else []),
    ]


def _state(state: str, *ids: int) -> Promise:
    """Promise that these jobs end in one state."""

    def look(scene: Scene, answer: Answer) -> list[str]:
        found = _table_of(scene, "SELECT id, state FROM jobs")
        wrong = {job: found.get(job) for job in ids if found.get(job) != state}
        return [f"answered with 0, but {wrong} are not {state}"] if answer.code == 0 and wrong else []

    return look


def _purged(scene: Scene, answer: Answer) -> list[str]:
    left = scene.rows("SELECT id FROM jobs WHERE id IN (1, 2)")
    return [f"answered with 0, but {left} are there"] if answer.code == 0 and left else []


def _printed(count: int) -> Promise:
    """Promise that an answer of 0 came with so many ids."""

    def look(_scene: Scene, answer: Answer) -> list[str]:
        ids = answer.out.split()
        return [f"answered with 0 and {len(ids)} ids"] if answer.code == 0 and len(ids) != count else []

    return look


def _migrated(scene: Scene, answer: Answer) -> list[str]:
    [[version]] = scene.rows("PRAGMA user_version")
    return [] if version == VERSION else [f"version {version} after {answer.code}"]


def _whole_copy(scene: Scene, answer: Answer) -> list[str]:
    """Promise a copy that holds all, or, if it was not told, all or no file at all."""
    copy = scene.folder / "copy.db"
    if not copy.exists():
        return ["answered with 0, but there is no copy"] if answer.code == 0 else []
    with closing(sqlite3.connect(copy)) as reader:
        ids = {number for (number,) in reader.execute("SELECT id FROM jobs")}
    lost = scene.papers.ids(scene.papers.acknowledged) - ids
    return [*integrity(copy), *([f"the copy lacks {lost}"] if lost else [])]


def _copy_again(scene: Scene) -> list[str]:
    """See that a killed copy is in nobody's way."""
    done = scene.run("backup", "copy2.db")
    return [] if done.returncode == 0 else [f"a second copy ended with {done.returncode}: {done.stderr}"]


def _triggered_one(scene: Scene, answer: Answer) -> list[str]:
    if answer.code != 0:
        return []
    job = json.loads(answer.out)["id"]
    return _state("succeeded", job)(scene, answer)


def _group(*lines: tuple[str, ...], name: str) -> Case:
    return Case(
        name=name,
        prepare=_waiting(*lines),
        command=Words(words=(*_WORKER, "--path", "tasks"), is_group=True),
    )


def _plain(name: str, prepare: Callable[[Scene], None], promise: Promise, *words: str) -> Case:
    return Case(name=name, prepare=prepare, promise=promise, command=Words(words=words))


def _table_of(scene: Scene, sql: str) -> dict[Any, Any]:
    return dict(map(tuple, scene.rows(sql)))  # type: ignore[arg-type]


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _below(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in _below(int(child)))]


_RETRIED = ("--retries", "1", "--backoff", "0s")
CASES = (
    _plain("create", _empty, _printed(1), "enqueue", "-q", CALL),
    _plain("enqueue", _with_file, _printed(1), "enqueue", "-q", CALL),
    _plain("enqueue --shell", _with_file, _printed(1), "enqueue", "-q", "--shell", LINE),
    _plain("enqueue --batch", _with_file, _printed(20), "enqueue", "-q", "--batch", "batch"),
    _plain("enqueue --key", _with_file, _printed(1), "enqueue", "-q", "--key", "free", CALL),
    _plain("enqueue --key, taken", _with_key, _printed(1), "enqueue", "-q", "--key", "taken", CALL),
    _plain("enqueue after a crash", _lost, _printed(1), "enqueue", "-q", CALL),
    _plain("list after a crash", _lost, nothing, "list"),
    _plain("retry", _failed, _state("succeeded", 1), "retry", "1"),
    _plain("failed --retry", _failed, _state("succeeded", 1, 2), "failed", "--retry"),
    _plain("purge", _ended, _purged, "purge", "1", "2", "-y"),
    _plain("cancel", _to_cancel, _state("cancelled", 1), "cancel", "1"),
    _plain("cancel, running", _lost_to_cancel, nothing, "cancel", "1"),
    _plain("migrate 1", _of_version_1, _migrated, "list"),
    _plain("migrate 2", _of_version_2, _migrated, "enqueue", "-q", CALL),
    _plain("cron trigger", _triggered, _triggered_one, "cron", "trigger", "jobs.toml", "boot", "--json"),
    _group((CALL,), ("--shell", LINE), name="worker"),
    Case(
        name="backup",
        prepare=_with_file,
        promise=_whole_copy,
        heal_first=_copy_again,
        command=Words(words=("backup", "copy.db")),
    ),
    _group((*_RETRIED, "chaostasks:fails", "1"), ("chaostasks:fails", "1"), name="worker: fails"),
    _group((*_RETRIED, "sweeptasks:dies"), name="worker: crash"),
    _group(
        ("chaostasks:answers", "100000"),
        ("chaostasks:prints", "300000"),
        ("chaostasks:asks", "1"),
        name="worker: much",
    ),
    Case(
        name="worker after a crash",
        prepare=_lost,
        command=Words(words=(*_WORKER, "--path", "tasks"), is_group=True),
    ),
    Case(
        name="cron tick",
        prepare=_ticking,
        command=Words(
            words=("cron", "run", "-n", "0", "jobs.toml"), is_group=True, ends_with=_SERVED, within_s=6.0
        ),
        heal_first=_serve,
        promise=_ticks,
    ),
)
