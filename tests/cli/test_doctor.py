"""`doctor`, on files and hosts with real faults."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobrun import locks
from jobrun.actions import checkup
from jobrun.model import Job
from jobrun.store import Store, open_store
from tests.cli.test_cron_entries import HERE
from tests.cli.test_status import join

Make = Callable[..., Job]
Run = Callable[..., subprocess.CompletedProcess[str]]
Found = list[dict[str, Any]]
Examine = Callable[..., Found]


@pytest.fixture
def examined(jobrun: Run) -> Callable[..., Found]:
    """Run doctor, and return what it finds of one subject."""

    def examine(check: str, *options: str, **environ: str) -> Found:
        done = jobrun("doctor", "--json", *options, **environ)
        told = json.loads(done.stdout)
        grades = [each["grade"] for each in told["findings"]]
        assert done.returncode == ("ok", "warning", "problem").index(told["grade"])
        assert told["grade"] in grades
        return [each for each in told["findings"] if each["check"] == check]

    return examine


def test_of_a_file_that_is_well_every_check_says_so(store: Store, jobrun: Run) -> None:
    with locks.taken(join(store, "w1")):
        done = jobrun("doctor")

    for check in checkup.CHECKS:
        assert f"  {check.name}  " in done.stdout
    assert "problem" not in done.stdout


def test_without_a_job_file_it_says_so_and_looks_at_the_rest(path: Path, examined: Examine) -> None:
    [found] = examined("job file")

    assert (found["grade"], found["finding"]) == ("problem", f"no job file at `{path}`")
    assert "makes one" in found["todo"]
    assert examined("SQLite") != []
    assert not path.exists()


def test_what_is_no_job_file_is_a_finding(path: Path, examined: Examine) -> None:
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    path.chmod(0o600)

    [found] = examined("job file")

    assert found["grade"] == "problem"


@pytest.mark.parametrize(("mode", "grade"), [(0o640, "warning"), (0o604, "warning"), (0o620, "problem")])
def test_what_others_can_read_or_change_is_told(
    store: Store, mode: int, grade: str, examined: Examine
) -> None:
    store.path.chmod(mode)

    found = examined("permissions")

    assert {each["grade"] for each in found} == {grade}
    assert f"chmod 600 {store.path}" in {each["todo"] for each in found}


def test_a_wal_that_has_grown_is_told(store: Store, examined: Examine) -> None:
    os.truncate(f"{store.path}-wal", 100 * 1024 * 1024)  # sparse

    [found] = examined("WAL")

    assert (found["grade"], found["finding"]) == ("warning", "100.0 MiB, more than it should be")


@pytest.mark.parametrize("options", [(), ("--full",)])
def test_damage_in_the_file_is_found(path: Path, options: tuple[str, ...], examined: Examine) -> None:
    with open_store(path, create=True) as store:
        connection = store._database._connection
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("INSERT INTO pauses VALUES ('mail', 1, NULL, 'ann', NULL)")
        [(root,)] = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'pauses'").fetchall()
        [(size,)] = connection.execute("PRAGMA page_size").fetchall()
    with path.open("r+b") as file:
        file.seek((root - 1) * size + 3)
        file.write(b"\0\xff")  # 255 cells, and there is one

    [found] = examined("integrity", *options)

    assert found["grade"] == "problem"
    assert found["finding"].startswith("damaged: ")


def test_when_the_time_is_over_what_was_not_read_is_named(store: Store) -> None:
    found = store.integrity(budget_s=-1.0)

    assert found.faults == ()
    assert {"jobs", "attempts"} <= set(found.left)
    assert store.integrity(budget_s=60.0).left == store.integrity(budget_s=None).left == ()


def test_a_clock_behind_the_newest_job_was_set_back(add: Make, examined: Examine) -> None:
    add(now=datetime.now(UTC) + timedelta(hours=3, seconds=30))

    [_, found] = examined("clock")
    assert (found["grade"], "a time 3h " in found["finding"]) == ("warning", True)


@pytest.mark.usefixtures("store")
def test_a_zone_of_the_caller_that_is_none_is_told(examined: Examine) -> None:
    [_, found] = examined("time zones", TZ="Nowhere/City")

    assert (found["grade"], found["finding"]) == ("problem", "`TZ` names no time zone: `Nowhere/City`")


@pytest.mark.usefixtures("store")
def test_zone_data_that_are_missing_are_told(tmp_path: Path, examined: Examine) -> None:
    pytest.importorskip("zoneinfo")
    (tmp_path / "tzdata.py").write_text("raise ImportError\n")  # not even the package

    [found] = examined("time zones", PYTHONTZPATH=str(tmp_path / "none"), PYTHONPATH=str(tmp_path), TZ="")

    assert found["grade"] == "problem"
    assert found["finding"].startswith("there is no time zone data")


def test_dead_workers_are_told(store: Store, examined: Examine) -> None:
    join(store, "w1")

    [_, found] = examined("workers")

    assert (found["grade"], found["finding"]) == ("warning", "1 dead worker not yet cleared away")


def test_a_queue_that_waits_for_a_person_is_told(store: Store, jobrun: Run, examined: Examine) -> None:
    jobrun("pause", "mail")
    assert store.pauses.names(now=datetime.now(UTC)) == ["mail"]

    [_, found] = examined("workers")

    assert (found["grade"], found["finding"]) == ("warning", "paused until somebody resumes: mail")


def test_jobs_that_wait_for_no_worker_are_a_problem(add: Make, examined: Examine) -> None:
    add(queue="mail")

    [found] = examined("workers")

    assert (found["grade"], found["finding"]) == ("problem", "no worker is running, and jobs wait in mail")


def test_a_table_whose_scheduler_is_gone_is_told(
    store: Store, table: Callable[..., Path], load: Callable[..., None], examined: Examine
) -> None:
    file = table(HERE)
    load(file, now=datetime.now(UTC))
    store.tables.hold(str(file), pid=99, now=datetime.now(UTC))

    [found] = examined("tables")

    assert found["grade"] == "problem"
    assert found["finding"] == f"{file}, 2 entries, no tick yet; nobody schedules it"


@pytest.mark.usefixtures("store")
def test_a_unit_of_the_user_with_another_job_file_is_told(tmp_path: Path, examined: Examine) -> None:
    folder = tmp_path / "config" / "systemd" / "user"
    folder.mkdir(parents=True)
    (folder / "jobrun-worker.service").write_text(
        "[Service]\nExecStart=/usr/bin/jobrun worker\nEnvironment=JOBRUN_DB=/srv/other.db\n"
    )

    found = examined("units", XDG_CONFIG_HOME=str(tmp_path / "config"))

    assert "jobrun-worker.service works on /srv/other.db, and runs nothing of the file looked at" in {
        each["finding"] for each in found
    }


def test_a_terminal_shows_whole_lines_of_its_width(store: Store, terminal: Callable[..., str]) -> None:
    shown = terminal("doctor", columns=80, NO_COLOR="1")

    assert str(store.path)[:20] in shown
    assert "\n                        " in shown  # what to do, set in
    assert all(len(line) <= 80 or str(store.path) in line for line in shown.splitlines())


def test_what_is_kept_is_told_with_the_table_that_says_so(store: Store, examined: Examine) -> None:
    store.sections.put("/t/jobs.toml", {"retention": {"keep": 3600.0, "keep_runs": 5}}, now=datetime.now(UTC))

    [found] = examined("retention")
    assert found["grade"] == "ok"
    assert found["finding"].startswith(
        "what ended well 1h and 5 runs of each work, what failed until purged ([retention] of /t/jobs.toml;"
    )
