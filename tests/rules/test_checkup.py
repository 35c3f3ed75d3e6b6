"""What `doctor` makes of facts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobrun.actions.checkup import clocks, house, place, software, units
from jobrun.actions.checkup.words import Grade
from jobrun.actions.looking import WorkerView
from jobrun.actions.tables import TableView
from jobrun.cron.words import TableRow, Tick, TickState
from jobrun.model import WorkerRow
from jobrun.store.integrity import Integrity

NOW = datetime(2027, 1, 5, 12, tzinfo=UTC)
MIB = 1024 * 1024
FILE = Path("/srv/jobs.db")
OK, WARNING, PROBLEM = Grade


@pytest.mark.parametrize(
    ("version", "grade"),
    [
        ((3, 6, 23), OK),
        ((3, 7, 0), WARNING),
        ((3, 40, 1), WARNING),
        ((3, 44, 5), WARNING),
        ((3, 44, 6), OK),
        ((3, 45, 0), WARNING),
        ((3, 50, 6), WARNING),
        ((3, 50, 7), OK),
        ((3, 51, 2), WARNING),
        ((3, 51, 3), OK),
        ((3, 53, 0), OK),
    ],
)
def test_a_version_of_sqlite_with_the_wal_reset_fault_is_told(version: tuple[int, ...], grade: Grade) -> None:
    assert software.sqlite(version).grade is grade


def test_a_library_that_is_missing_is_a_problem() -> None:
    found = software.libraries("3.11.7", {"jobrun": None, "rich": "15.0.0", "typer": None})

    assert (found.grade, found.said) == (PROBLEM, "missing: typer")
    assert software.libraries("3.11.7", {"jobrun": None, "rich": "15"}).said == "Python 3.11.7; rich 15"


@pytest.mark.parametrize(
    ("kind", "grade"),
    [("ext4", OK), ("fuseblk", OK), ("", OK), ("tmpfs", WARNING), ("overlay", WARNING)]
    + [(kind, PROBLEM) for kind in ("nfs4", "cifs", "9p", "fuse.sshfs")],
)
def test_a_job_file_does_not_belong_on_a_network_nor_where_it_is_lost(kind: str, grade: Grade) -> None:
    assert place.file_system(kind).grade is grade


@pytest.mark.parametrize(
    ("free", "size", "names", "grade"),
    [
        (63 * MIB, 0, None, PROBLEM),
        (64 * MIB, 0, None, WARNING),
        (511 * MIB, 0, 10**6, WARNING),
        (512 * MIB, 0, 10**6, OK),
        (700 * MIB, 701 * MIB, 10**6, WARNING),
        (700 * MIB, 700 * MIB, 10**6, OK),
        (10**12, 0, 999, WARNING),
        (10**12, 0, 1000, OK),
    ],
)
def test_room_is_wanted_for_the_next_jobs_and_for_a_copy(
    free: int, size: int, names: int | None, grade: Grade
) -> None:
    assert place.room(free, size, names).grade is grade


@pytest.mark.parametrize(
    ("size", "grade"), [(0, OK), (96 * MIB - 1, OK), (96 * MIB, WARNING), (1024 * MIB, PROBLEM)]
)
def test_a_wal_that_nobody_empties_is_told(size: int, grade: Grade) -> None:
    assert place.wal(size, FILE).grade is grade


def test_what_there_was_no_time_to_read_is_named() -> None:
    found = place.integrity(Integrity(faults=(), checked=("a", "b"), left=("jobs",), took_s=3.0), FILE)

    assert found.grade is OK
    assert found.said == "no fault in 2 tables; not looked through in 3.0 s: jobs (--full does it)"


def test_damage_is_told_with_what_can_be_done() -> None:
    found = place.integrity(
        Integrity(faults=("row 1 gone", "row 2 gone"), checked=(), left=(), took_s=0), FILE
    )

    assert (found.grade, found.said) == (PROBLEM, "damaged: row 1 gone (and 1 more faults)")
    assert found.todo is not None
    assert "backup" in found.todo


@pytest.mark.parametrize(("is_kept", "grade"), [(True, OK), (None, OK), (False, WARNING)])
def test_a_clock_that_nobody_keeps_is_told(is_kept: bool | None, grade: Grade) -> None:  # noqa: FBT001 -- a parameter
    assert clocks.kept(is_kept=is_kept).grade is grade


@pytest.mark.parametrize(
    ("zones", "version", "grade"),
    [(0, None, PROBLEM), (600, None, OK), (600, "2025b", OK), (600, "2024a", WARNING), (600, "odd", OK)],
)
def test_rules_of_time_zones_are_wanted_and_grow_old(zones: int, version: str | None, grade: Grade) -> None:
    found = clocks.ZoneData(zones=zones, source="/zones", version=version)

    assert clocks.zone_data(found, year=2027).grade is grade


def worker(name: str = "w1", *queues: str, is_alive: bool = True, silent_s: float = 0.0) -> WorkerView:
    row = WorkerRow(name=name, number=1, pid=7, group_pid=6, queues=queues, started_at=NOW, stopping_at=None)
    beat_at = NOW - timedelta(seconds=silent_s)
    return WorkerView(row=row, is_alive=is_alive, beat_at=beat_at, job=None)


@pytest.mark.parametrize(
    ("workers", "waiting", "due_s", "grade", "said"),
    [
        ([], [], None, OK, "no worker is running, and no job waits"),
        ([], [], 60, WARNING, "no worker is running, and a job is due in 1m"),
        ([], [], -60, WARNING, "no worker is running, and a job is due now"),
        ([], ["mail"], None, PROBLEM, "no worker is running, and jobs wait in mail"),
        ([worker(is_alive=False)], ["mail"], None, PROBLEM, "no worker is running, and jobs wait in mail"),
        ([worker("w1", ".7.mail")], ["mail"], None, PROBLEM, "no worker is running, and jobs wait in mail"),
        ([worker("w1", "mail")], ["mail"], None, OK, "1 worker for mail"),
        ([worker("w1", "mail"), worker("w2")], ["b"], None, OK, "2 workers for all queues"),
        (
            [worker("w1", "mail")],
            ["a", "b", "c", "d", "mail"],
            None,
            PROBLEM,
            "no worker listens to a, b, c and 1 more, where jobs wait",
        ),
    ],
)
def test_somebody_should_listen_to_every_queue_in_which_jobs_wait(
    workers: list[WorkerView], waiting: list[str], due_s: float | None, grade: Grade, said: str
) -> None:
    found = house.working(workers, waiting, None if due_s is None else timedelta(seconds=due_s))

    assert (found.grade, found.said) == (grade, said)


def test_a_worker_that_lives_and_does_not_beat_may_be_stopped() -> None:
    workers = [worker("w1", silent_s=60), worker("w2", silent_s=61), worker("w3", is_alive=False)]

    dead, silent = house.dead_or_silent(workers, NOW)

    assert dead.said == "1 dead worker not yet cleared away"
    assert silent.said == "worker w2 (pid 7) has given no sign of life for 1m 1s"


TICK = Tick(
    entry="backup",
    at=NOW,
    state=TickState.RAN,
    job_id=1,
    moved_from=None,
    reason=None,
    in_way=None,
    last=NOW,
    count=1,
    decided_at=NOW - timedelta(hours=2),
)
HELD = TableRow(path="/t.toml", pid=9, started_at=NOW, problem=None)


@pytest.mark.parametrize(
    ("scheduler", "problem", "is_there", "grade", "said"),
    [
        (HELD, None, True, OK, "; scheduled by pid 9"),
        (HELD, "line 3: what?", True, PROBLEM, "; its last change was refused: line 3: what?"),
        (None, None, True, PROBLEM, "; nobody schedules it"),
        (None, None, False, WARNING, "; the file is gone, and nobody schedules it"),
    ],
)
def test_a_table_should_be_scheduled(
    scheduler: TableRow | None, problem: str | None, *, is_there: bool, grade: Grade, said: str
) -> None:
    view = TableView(path="/t.toml", entries=(), scheduler=scheduler, problem=problem)

    found = house.scheduled(view, TICK, NOW, is_there=is_there)

    assert found.grade is grade
    assert found.said == f"/t.toml, 0 entries, last tick 2h ago (backup: ran){said}"


def unit(tmp_path: Path, text: str, *, is_user: bool = False, drop_in: str | None = None) -> units.Unit:
    """Write a unit of jobrun and another, and read them."""
    (tmp_path / "jobrun-worker.service").write_text(text)
    (tmp_path / "other.service").write_text("[Service]\nExecStart=/usr/bin/true\n")
    if drop_in is not None:
        (tmp_path / "jobrun-worker.service.d").mkdir()
        (tmp_path / "jobrun-worker.service.d" / "override.conf").write_text(drop_in)
    [found] = units.units((tmp_path,), is_user=is_user, state="/var/lib").values()
    return found


START = "[Service]\nExecStart=/usr/bin/jobrun worker\n"


@pytest.mark.parametrize(
    ("text", "job_file"),
    [
        (START, None),
        (f"{START}Environment=A=1 JOBRUN_DB=/srv/jobs.db\n", "/srv/jobs.db"),
        (f"{START}Environment=JOBRUN_DB=%S/jobrun/jobrun.db\n", "/var/lib/jobrun/jobrun.db"),
        (f'{START}Environment="JOBRUN_DB=/srv/my jobs.db"\n', "/srv/my jobs.db"),
        (f"{START}# Environment=JOBRUN_DB=/srv/jobs.db\n", None),
        ("[Service]\nExecStart=/usr/bin/jobrun --db /a.db \\\n  worker\n", "/a.db"),
        ("[Unit]\nEnvironment=JOBRUN_DB=/a.db\n" + START, None),
    ],
)
def test_a_unit_names_its_job_file(tmp_path: Path, text: str, job_file: str | None) -> None:
    assert unit(tmp_path, text).job_file == job_file


def test_a_drop_in_says_the_last_word(tmp_path: Path) -> None:
    text = f"{START}Environment=JOBRUN_DB=/a.db\n"

    assert unit(tmp_path, text, drop_in="[Service]\nEnvironment=JOBRUN_DB=/b.db\n").job_file == "/b.db"


def test_a_unit_should_work_on_the_job_file_that_people_look_at(tmp_path: Path) -> None:
    ours = unit(tmp_path, f"{START}Environment=JOBRUN_DB=/srv/jobs.db\n")
    bare, of_user = unit(tmp_path, START), unit(tmp_path, START, is_user=True)

    assert units.environment(ours, "/srv/jobs.db").grade is OK
    assert units.environment(ours, "/srv/others.db").grade is WARNING
    assert (
        units.environment(bare, "/srv/jobs.db").said == "jobrun-worker.service names no job file (JOBRUN_DB)"
    )
    assert units.environment(of_user, "/srv/jobs.db").grade is OK
