"""A job file of an older version: brought up to date wholly or not at all, with nothing lost."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobrun import locks
from jobrun.errors import Busy, JobFileUnusable
from jobrun.lifecycle import settle
from jobrun.model import Ending, Job, JobFilter, Kind, NewJob, OnCrash, Outcome, State
from jobrun.paths import side_dir
from jobrun.store import open_store, opening
from jobrun.store.schema import WATCH
from jobrun.store.version import VERSION
from jobrun.units import from_ms
from tests.claims import claim

# What takes away again what version 4 added.
UNWATCHED = "".join(
    f"DROP {kind} {name};"
    for kind, name in reversed(re.findall(r"CREATE (TRIGGER|TABLE|INDEX) (\w+)", WATCH))
)
VERSION_1 = Path(__file__).with_name("schema_v1.sql").read_text(encoding="utf-8")
JOB = (
    "INSERT INTO jobs (state, queue, priority, run_at, attempt, failures, token, worker, started_at, finished_at,"
    " expires_at, kind, task, args, kwargs, retries, backoff_ms, max_backoff_ms, timeout_ms, on_crash, created_at,"
    " key, name, tags, cwd, umask, environment, result)"
    " VALUES (:state, 'q', 3, 1000, 1, 1, :token, :worker, 900, :finished_at, 9999999999999, 'command', 'echo ü',"
    """ '["echo","ü"]', '{}', 2, 1500, 60000, 250, 'park', 800, :key, 'n', '["t"]', :cwd, 18, 'h', '[1]')"""
)
ATTEMPT = (
    "INSERT INTO attempts VALUES (:id, 1, 't', 'w', 7, 900, 950, 'error', 3, NULL, 'exit 3', 'a note', 5, 6,"
)
ATTEMPT += " NULL, NULL, NULL, 4, x'ff00', x'0a')"


@pytest.fixture
def old(path: Path) -> Path:
    """A file of version 1 with a job in each state."""
    connection = sqlite3.connect(path)
    connection.executescript(VERSION_1)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("INSERT INTO environments VALUES ('h', '{\"A\":\"b\"}')")
    for number, state in enumerate(State, start=1):
        is_running = state is State.RUNNING
        facts: dict[str, Any] = {
            "state": state,
            "token": f"t{number}" if is_running else None,
            "worker": "w" if is_running else None,
            "finished_at": 950 if state.is_final else None,
            "key": f"k{number}",
            "cwd": '"/srv/\\udcff"' if number % 2 else "/srv/a \"b\" 'c'/ü",
        }
        connection.execute(JOB, facts)
        if not is_running:
            connection.execute(ATTEMPT, {"id": number})
    connection.commit()
    connection.close()
    path.chmod(0o600)
    return path


def facts(path: Path) -> tuple[int, list[str], list[tuple[Any, ...]]]:
    """Return version, schema and jobs of a file, as they stand in it."""
    connection = sqlite3.connect(path)
    [(version,)] = connection.execute("PRAGMA user_version").fetchall()
    rows = connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name")
    schema = [plain(sql) for (sql,) in rows.fetchall()]
    columns = "id, state, token, run_at, task, args, result, expires_at"
    jobs = connection.execute(f"SELECT {columns} FROM jobs ORDER BY id").fetchall()
    connection.close()
    return version, schema, jobs


def plain(sql: str) -> str:
    """Return SQL without comments, and with no blank that means nothing."""
    return re.sub(r"\s*([(),])\s*", r"\1", " ".join(re.sub(r"--[^\n]*", "", sql).split()))


def expected(number: int, state: State) -> Job:
    """Return a job of the fixture as this version is to show it."""
    is_running = state is State.RUNNING
    return Job(
        id=number,
        kind=Kind.COMMAND,
        task="echo ü",
        args=("echo", "ü"),
        kwargs={},
        queue="q",
        priority=3,
        state=state,
        reason=None,
        key=f"k{number}",
        tags=("t",),
        name="n",
        entry=None,
        scheduled_for=None,
        run_at=from_ms(1000),
        created_at=from_ms(800),
        started_at=from_ms(900),
        finished_at=from_ms(950) if state.is_final else None,
        expires_at=from_ms(9999999999999),
        cancel_at=None,
        attempt=1,
        failures=1,
        crashes=0,
        retries=2,
        backoff_s=1.5,
        max_backoff_s=60.0,
        timeout_s=0.25,
        on_crash=OnCrash.PARK,
        token=f"t{number}" if is_running else None,
        worker="w" if is_running else None,
        exit_code=None if is_running else 3,
        signal=None,
        result="[1]",
        note=None if is_running else "a note",
        error=None,
        cwd="/srv/\udcff" if number % 2 else "/srv/a \"b\" 'c'/ü",
        umask=18,
        environment="h",
    )


def test_every_job_of_an_older_file_reads_as_it_was(old: Path) -> None:
    with open_store(old) as store:
        jobs = store.ledger.select(JobFilter(), limit=99, newest_first=False)
        attempts = [store.ledger.attempts(job.id) for job in jobs]

    assert jobs == [expected(number, state) for number, state in enumerate(State, start=1)]
    assert [len(ended) for ended in attempts] == [int(state is not State.RUNNING) for state in State]


def test_a_file_brought_up_to_date_is_made_as_a_new_one(old: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.db"
    open_store(new, create=True).close()

    open_store(old).close()

    assert facts(old)[:2] == facts(new)[:2] == (VERSION, facts(new)[1])


def test_in_a_file_of_version_3_ends_are_counted_from_then_on(path: Path) -> None:
    open_store(path, create=True).close()
    connection = sqlite3.connect(path)
    connection.executescript(f"{UNWATCHED} PRAGMA user_version = 3;")
    connection.close()

    with open_store(path) as store:
        store.intake.add([NewJob(kind=Kind.CALL, task="app:f")], now=from_ms(1000))
        store.orders.cancel(1, now=from_ms(1000))

    connection = sqlite3.connect(path)
    tally = connection.execute("SELECT work, state, count FROM job_tally").fetchall()
    connection.close()
    assert (facts(path)[0], tally) == (VERSION, [("app:f", "cancelled", 1)])


def test_in_a_file_of_version_2_a_claim_can_be_undone_from_then_on(path: Path) -> None:
    open_store(path, create=True).close()
    connection = sqlite3.connect(path)
    [trigger] = re.findall(r"CREATE TRIGGER jobs_refuse_transition.*?END;", VERSION_1, re.DOTALL)
    connection.executescript(
        f"{UNWATCHED} DROP TRIGGER jobs_refuse_transition; {trigger} PRAGMA user_version = 2;"
    )
    connection.close()

    with open_store(path) as store:
        store.intake.add([NewJob(kind=Kind.CALL, task="app:f")], now=from_ms(1000))
        [job] = claim(store, "w", now=from_ms(1000), new_token=lambda: "t")
        ending = Ending(outcome=Outcome.INTERRUPTED, has_begun=False)
        becomes = settle(job, ending, from_ms(1000), 0.0)

        assert store.endings.settle(job, ending, becomes, now=from_ms(1000), pid=None)
    assert facts(path)[0] == VERSION


def test_the_older_file_is_kept_beside_the_new_one_for_its_owner_alone(old: Path) -> None:
    before = facts(old)

    open_store(old).close()

    copy = side_dir(old) / "version-1.db"
    assert facts(copy) == before
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert not list(copy.parent.glob(f"{copy.name}.copy-*"))


def test_a_file_that_is_up_to_date_is_left_alone_and_costs_no_import(path: Path) -> None:
    open_store(path, create=True).close()
    code = "import sys; from pathlib import Path; from jobrun.store import open_store\n"
    code += "open_store(Path(sys.argv[1])).close(); print('sqlite_utils' in sys.modules)"

    found = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)

    assert found.stdout == "False\n"
    assert list(side_dir(path).glob("version-*")) == []


def test_while_workers_run_their_file_is_not_changed_under_them(old: Path) -> None:
    before = facts(old)
    opening.make_side_folders(old)
    lock = locks.take(side_dir(old) / "locks" / "w")
    assert lock is not None

    with pytest.raises(Busy, match="workers of an older jobrun run"):
        open_store(old)

    assert facts(old) == before
    os.close(lock)
    open_store(old).close()


def test_who_may_only_read_an_older_file_is_told_who_can_help(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere

    with pytest.raises(JobFileUnusable, match="made by an older jobrun"):
        open_store(old)


def test_of_many_who_open_an_older_file_at_once_one_brings_it_up_to_date(old: Path) -> None:
    code = "import sys; from pathlib import Path; from jobrun.store import open_store\n"
    code += "open_store(Path(sys.argv[1])).close()"

    openers = [subprocess.Popen([sys.executable, "-c", code, old], stderr=subprocess.PIPE) for _ in range(4)]

    assert [opener.communicate(timeout=60)[1] for opener in openers] == [b""] * 4
    assert facts(old)[0] == VERSION


def killed_at(path: Path, number: int) -> bool:
    """Open a file in a process that is killed at its n-th statement; False if it had fewer."""
    pid = os.fork()
    if pid == 0:
        connect: Callable[..., sqlite3.Connection] = sqlite3.connect
        left = [number]

        def note(_sql: str) -> None:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        def traced(*args: Any, **options: Any) -> sqlite3.Connection:
            connection = connect(*args, **options)
            connection.set_trace_callback(note)
            return connection

        sqlite3.connect = traced  # type: ignore[assignment]
        try:
            open_store(path)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def test_killed_between_any_two_statements_it_leaves_the_old_file_or_the_new_one(
    old: Path, tmp_path: Path
) -> None:
    new = tmp_path / "new.db"
    new.write_bytes(old.read_bytes())
    new.chmod(0o600)
    open_store(new).close()
    either = {facts(old)[0]: facts(old), VERSION: facts(new)}
    seen = []

    for number in range(1, 200):
        copy = tmp_path / f"copy-{number}.db"
        copy.write_bytes(old.read_bytes())
        copy.chmod(0o600)
        was_killed = killed_at(copy, number)
        found = facts(copy)
        assert found == either[found[0]]
        open_store(copy).close()
        assert facts(copy) == either[VERSION]
        seen.append(found[0])
        if not was_killed:
            break

    assert len(seen) > 20
    assert seen == sorted(seen)
    assert set(seen) == {1, VERSION}


def test_a_copy_that_cannot_be_kept_leaves_the_older_file_as_it_is(old: Path) -> None:
    before = facts(old)
    (side_dir(old) / "version-1.db").mkdir(parents=True)

    with pytest.raises(JobFileUnusable, match=r"cannot write `.*/version-1.db`: Is a directory"):
        open_store(old)

    assert facts(old) == before


def test_attempts_of_an_older_file_are_all_there_and_found_without_reading_output(old: Path) -> None:
    open_store(old).close()

    connection = sqlite3.connect(old)
    kept = connection.execute("SELECT job_id, number FROM attempts ORDER BY job_id, number").fetchall()
    [(*_, plan)] = connection.execute(
        "EXPLAIN QUERY PLAN SELECT outcome FROM attempts WHERE job_id = 1 AND number = 1"
    )
    connection.close()
    assert kept
    assert plan == "SEARCH attempts USING INDEX sqlite_autoindex_attempts_1 (job_id=? AND number=?)"
