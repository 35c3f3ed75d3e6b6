from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobrun import locks
from jobrun.measures import Pause
from jobrun.model import Job, WorkerRow
from jobrun.paths import scheduler_lock, side_dir
from jobrun.store import Store

Make = Callable[..., Job]
Run = Callable[..., subprocess.CompletedProcess[str]]
RunJson = Callable[..., Any]


def join(store: Store, name: str, number: int = 1, queues: tuple[str, ...] = ()) -> Path:
    """Write a worker down; return its lock file."""
    store.workers.join(
        WorkerRow(
            name=name,
            number=number,
            pid=100 + number,
            group_pid=99,
            queues=queues,
            started_at=datetime.now(UTC),
            stopping_at=None,
        )
    )
    lock = side_dir(store.path) / "locks" / name
    lock.touch(0o600)
    return lock


@pytest.mark.parametrize("command", [[], ["status"]])
def test_without_a_job_file_it_says_so_and_what_to_try(command: list[str], path: Path, jobrun: Run) -> None:
    done = jobrun(*command)

    assert done.returncode == 0
    assert done.stdout == "nothing here yet\n"
    assert f"no job file at `{path}`; try: jobrun enqueue" in done.stderr
    assert not path.exists()


def test_without_a_job_file_json_counts_nought(jobrun_json: RunJson) -> None:
    assert jobrun_json("status")["workers"] == 0


def test_the_first_line_counts(end: Make, fail: Make, start: Make, add: Make, jobrun: Run) -> None:
    end()
    fail()
    start()
    add()
    add(run_at=datetime.now(UTC) + timedelta(hours=5, seconds=30))

    done = jobrun()

    first = done.stdout.splitlines()[0]
    assert first == "1 scheduled (next in 5h), 1 ready, 1 running, 1 succeeded, 1 failed; no worker"
    assert done.stderr == "no worker is running; 2 jobs waiting; start one with `jobrun worker`\n"


def test_nothing_is_said_of_workers_when_nothing_waits(end: Make, jobrun: Run) -> None:
    end()

    assert jobrun("status").stderr == ""


def test_the_last_failures_are_shown_with_their_cause(fail: Make, jobrun: Run) -> None:
    fail("app:broken")

    assert "exit 3" in jobrun("status").stdout.split("failed or crashed", 1)[1]


def test_json_has_counts_and_workers(store: Store, fail: Make, jobrun_json: RunJson) -> None:
    fail()
    with locks.taken(join(store, "w1")):
        found = jobrun_json("status")

    assert found["counts"]["failed"] == 1
    assert found["counts"]["running"] == 0
    assert found["workers"] == 1


def test_a_worker_lives_as_long_as_its_lock_is_held(store: Store, start: Make, jobrun_json: RunJson) -> None:
    job = start()
    alive = join(store, "w1", queues=("a", "b"))
    join(store, "w2", 2)

    with locks.taken(alive):
        first, second = jobrun_json("workers")

    assert (first["name"], first["is_alive"], first["job"], first["queues"]) == (
        "w1",
        True,
        job.id,
        ["a", "b"],
    )
    assert first["running_since"] is not None
    assert (second["name"], second["is_alive"], second["job"]) == ("w2", False, None)


def test_dead_workers_are_counted_in_the_first_line(store: Store, jobrun: Run) -> None:
    join(store, "w1")

    assert "1 dead worker" in jobrun("status").stdout.splitlines()[0]


def test_a_table_of_workers_names_their_jobs(store: Store, start: Make, jobrun: Run) -> None:
    start("app:long")
    with locks.taken(join(store, "w1")):
        shown = jobrun("workers").stdout

    heading, line = shown.splitlines()
    assert heading.split() == ["WORKER", "PID", "GROUP", "QUEUES", "ALIVE", "JOB", "TASK", "FOR"]
    assert line.split()[:5] == ["w1", "101", "99", "all", "yes"]
    assert "app:long" in line


def test_only_a_worker_without_a_job_shows_its_beat(store: Store, start: Make, jobrun: Run) -> None:
    start("app:long")
    with locks.taken(join(store, "w1")), locks.taken(join(store, "w2", number=2)):
        _, busy, idle = jobrun("workers").stdout.splitlines()

    assert idle.split() == ["w2", "102", "99", "all", "yes", "now"]
    assert "now" not in busy


@pytest.mark.usefixtures("store")
def test_no_worker_is_no_error(jobrun: Run) -> None:
    done = jobrun("workers")

    assert (done.returncode, done.stdout) == (0, "")
    assert "start one with `jobrun worker`" in done.stderr


def test_a_place_where_nobody_may_look_is_not_an_empty_one(jobrun: Run, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")

    done = jobrun("--db", str(tmp_path / "loop" / "jobs.db"), "status")

    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("jobrun: ")


def test_a_table_has_a_line_with_who_serves_it_and_what_comes(
    store: Store, table: Callable[..., Path], load: Callable[..., None], jobrun: Run, jobrun_json: RunJson
) -> None:
    file = table('[jobs.a]\nshell = "true"\nevery = "2h"\n[jobs.b]\nshell = "true"\nevery = "1h"\n')
    now = datetime.now(UTC)
    load(file, now=now)
    store.tables.hold(str(file), pid=4711, now=now)
    store.entries.pause("b", until=None, now=now)

    assert (
        jobrun().stdout.splitlines()[1] == "cron: 2 entries of jobs.toml (no scheduler is running); paused: b"
    )
    with locks.taken(scheduler_lock(store.path, file)):
        told = jobrun().stdout.splitlines()[1]
        [found] = jobrun_json("status")["tables"]

    assert told.startswith("cron: 2 entries of jobs.toml (scheduler pid 4711); paused: b; next: a in ")
    assert found == {
        "table": str(file),
        "entries": 2,
        "paused": ["b"],
        "scheduler_pid": 4711,
        "problem": None,
    }


def test_an_entry_that_rests_has_its_next_run_after_its_rest_or_none(
    store: Store, table: Callable[..., Path], load: Callable[..., None], jobrun: Run, jobrun_json: RunJson
) -> None:
    file = table('[jobs.a]\nshell = "true"\nevery = "2s"\n')
    now = datetime.now(UTC)
    load(file, now=now)
    store.tables.hold(str(file), pid=4711, now=now)

    with locks.taken(scheduler_lock(store.path, file)):
        store.entries.pause("a", until=None, now=now)
        assert jobrun("status").stdout.splitlines()[1].endswith("(scheduler pid 4711); paused: a")
        assert jobrun_json("why", "a")["next_at"] is None
        store.entries.pause("a", until=now + timedelta(days=2999.5), now=now)
        assert jobrun("status").stdout.splitlines()[1].partition("; next: ")[2].startswith("a in 2999d")


def test_the_counts_stay_on_a_terminal_of_few_lines(
    fail: Make, add: Make, start: Make, terminal: Callable[..., str]
) -> None:
    for _ in range(12):
        fail()
    start()
    for _ in range(12):
        add()
    lines = terminal("status", lines=24).splitlines()

    assert len(lines) < 24
    assert "12 failed" in lines[0]
    assert any("of 12, `jobrun failed` shows more" in line for line in lines)
    assert any("of 12, `jobrun list ready` shows more" in line for line in lines)


def test_a_remark_on_a_terminal_is_broken_between_words(store: Store, terminal: Callable[..., str]) -> None:
    now = datetime.now(UTC)
    reason = "the relay is down and the provider says that it will be so until noon"
    store.pauses.begin(Pause(queue="mail", since=now, until=None, by="ann", reason=reason))
    lines = terminal("workers", columns=60).splitlines()

    assert max(map(len, lines)) <= 60
    assert " ".join(lines).endswith(f": {reason}")
