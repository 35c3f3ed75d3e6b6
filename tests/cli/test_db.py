"""`jobrun db`: the job file itself, checked, written anew, exported and imported."""

from __future__ import annotations

import base64
import json
import os
import shlex
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobrun import locks
from jobrun.model import Job, JobFilter, Kind, NewJob, Outcome, Output, State, Surroundings
from jobrun.paths import side_dir
from jobrun.store import Store, open_store
from jobrun.store.importing import MAX_LINE
from tests.cli.conftest import Finished

Make = Callable[..., Job]
Run = Callable[..., Finished]
HERE = Surroundings(cwd="/", umask=0o22, environment={"HOME": "/home/me", "TOKEN": "hush"})


def spoil(path: Path, sql: str) -> None:
    """Write to a job file as no jobrun does."""
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.executescript("DROP TRIGGER jobs_refuse_transition;" if "DROP" not in sql else "")
        raw.execute("PRAGMA ignore_check_constraints = ON")
        raw.executescript(sql)


def lines(done: Finished) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def text(some: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(line) + "\n" for line in some)


# --- db check ---


def test_a_file_that_is_in_use_is_sound(start: Make, fail: Make, end: Make, path: Path, jobrun: Run) -> None:
    end()
    fail()
    with locks.taken(side_dir(path) / "locks" / str(start().worker)):
        done = jobrun("db", "check", "--full")

    assert (done.returncode, done.stdout) == (0, f"`{path}` is sound\n")


@pytest.mark.parametrize(
    ("sql", "where", "said"),
    [
        ("UPDATE jobs SET attempt = 5 WHERE id = 1", "jobs", "numbers of attempts have gaps"),
        ("UPDATE attempts SET number = 3", "jobs", "numbers of attempts have gaps"),
        ("UPDATE attempts SET outcome = 'error'", "jobs", "succeeded without an attempt that did"),
        ("INSERT INTO environments VALUES ('x', '{}')", "rows", "environments are kept that no job needs"),
        ("UPDATE jobs SET environment = 'gone'", "jobs", "need an environment that is not there"),
        ("DELETE FROM jobs", "jobs", "attempts belong to no job"),
        (
            "INSERT INTO ticks VALUES ('e', 5, 'ran', 1, NULL, NULL, NULL, 5, NULL, 5)",
            "rows",
            "not those of the ticks",
        ),
        ("DROP INDEX jobs_ready", "schema", "index `jobs_ready` is missing"),
        ("DROP TRIGGER jobs_tally; CREATE TABLE mine (x)", "schema", "table `mine` is none of ours"),
    ],
)
def test_what_does_not_agree_is_named_with_what_to_do(  # noqa: PLR0917 -- three of them are cases
    sql: str, where: str, said: str, end: Make, path: Path, jobrun: Run
) -> None:
    end()
    spoil(path, sql)

    done = jobrun("db", "check", "--json")

    assert done.returncode == 1, done.stdout
    found = json.loads(done.stdout)
    assert found["is_sound"] is False
    [finding] = [each for each in found["findings"] if said in each["what"]]
    assert finding["check"] == where
    assert finding["advice"]


def test_a_damaged_page_is_named_and_the_rest_still_looked_at(
    store: Store, end: Make, path: Path, jobrun: Run
) -> None:
    for _ in range(300):
        end(args=("x" * 500,))
    store.checkpoint()
    with path.open("r+b") as file:
        file.seek(30 * 4096)
        file.write(os.urandom(4096))

    done = jobrun("db", "check")

    assert done.returncode == 1, done.stderr
    assert "pages: " in done.stdout
    assert "put a backup in its place" in done.stdout
    assert "is not sound" in done.stdout.splitlines()[0]
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("store")
def test_what_others_may_read_is_named(path: Path, jobrun: Run) -> None:
    path.chmod(0o640)

    done = jobrun("db", "check")

    assert done.returncode == 1
    assert f"permissions: `{path}` is open to others (mode 0640)\n  -> chmod go= {path}\n" in done.stdout


def test_a_job_on_a_dead_worker_is_named_unless_somebody_settles_it(
    start: Make, path: Path, jobrun: Run
) -> None:
    job = start()

    done = jobrun("db", "check")
    with locks.taken(side_dir(path) / "housekeeper"):
        served = jobrun("db", "check")

    assert done.returncode == 1
    assert f"1 job run on workers that are dead: job {job.id}" in done.stdout
    assert served.returncode == 0


@pytest.mark.usefixtures("store")
def test_a_file_that_nobody_came_for_is_named(path: Path, jobrun: Run) -> None:
    old = side_dir(path) / "spool" / "end-t1"
    old.write_text("x")
    then = time.time() - 3 * 86400
    os.utime(old, (then, then))
    (side_dir(path) / "spool" / "young").write_text("x")

    done = jobrun("db", "check")

    assert done.returncode == 1
    assert "leftovers: 1 file that nobody came for" in done.stdout


# --- db vacuum ---


def test_a_vacuum_gives_back_what_is_free(store: Store, end: Make, path: Path, jobrun: Run) -> None:
    kept = end()
    for _ in range(100):
        end(args=("x" * 9000,))
    store.checkpoint()
    store.orders.purge([job for job in store.ledger.ids(JobFilter(), limit=1000) if job != kept.id])

    done = jobrun("db", "vacuum", "--json")

    said = json.loads(done.stdout)
    assert said["before_bytes"] > 900_000
    assert said["after_bytes"] == path.stat().st_size < 300_000
    assert [job.id for job in store.ledger.select(JobFilter(), limit=5)] == [kept.id]
    assert jobrun("db", "check", "--full").returncode == 0


def test_who_writes_meanwhile_waits_and_goes_on(store: Store, end: Make, path: Path, jobrun: Run) -> None:
    """A group under load: no job is lost, and none fails because of a vacuum."""
    for _ in range(200):
        end(args=("x" * 9000,))
    store.orders.purge(store.ledger.ids(JobFilter(), limit=1000))
    log = path.with_name("log")
    with log.open("wb") as out:
        group = subprocess.Popen(
            [sys.executable, "-m", "jobrun", "--db", str(path), "worker", "-n", "2"], stderr=out, stdout=out
        )
    try:
        asked = 0
        codes = []
        for _ in range(4):
            news = [NewJob(kind=Kind.CALL, task="os:getpid") for _ in range(200)]
            asked += len(store.intake.add(news, now=datetime.now(UTC)))
            codes.append(jobrun("db", "vacuum", "--yes").returncode)
        done = jobrun("wait", *map(str, store.ledger.ids(JobFilter(), limit=asked)), "--timeout", "60s")
    finally:
        group.terminate()
        group.wait(timeout=60)

    assert codes == [0, 0, 0, 0]
    assert done.returncode == 0, done.stderr
    assert store.ledger.counts()[State.SUCCEEDED] == asked
    assert "Traceback" not in log.read_text()
    assert jobrun("db", "check", "--full").returncode == 0


# --- db export ---


def test_an_export_names_its_kind_first_and_counts_last(end: Make, add: Make, jobrun: Run) -> None:
    end()
    add()

    first, *middle, last = lines(jobrun("db", "export"))

    assert (first["jobrun"], first["last_id"], first["is_part"]) == (1, 2, False)
    assert [list(line) for line in middle[:3]] == [["job"], ["attempt"], ["job"]]
    assert (last["end"]["job"], last["end"]["attempt"]) == (2, 1)


def test_secrets_are_exported_only_if_asked(add: Make, jobrun: Run) -> None:
    add(surroundings=HERE)

    assert "hush" not in jobrun("db", "export").stdout
    assert "hush" in jobrun("db", "export", "--with-environments").stdout


def test_output_is_text_or_base64(end: Make, jobrun: Run) -> None:
    end(ending={"output": Output(head=b"ok\n", tail=b"\xff\x00", size=5)})

    [attempt] = [line["attempt"] for line in lines(jobrun("db", "export")) if "attempt" in line]

    assert attempt["output_head"] == "ok\n"
    assert base64.b64decode(attempt["output_tail"]["base64"]) == b"\xff\x00"


def test_a_part_has_the_jobs_that_were_asked_for_alone(fail: Make, end: Make, jobrun: Run) -> None:
    end()
    failed = fail()

    some = lines(jobrun("db", "export", "--state", "failed", "--since", "1h"))

    assert [line["job"]["id"] for line in some if "job" in line] == [failed.id]
    assert {kind for line in some[1:] for kind in line} == {"job", "attempt", "end"}


def test_an_export_to_a_file_is_private_and_replaces_nothing_unasked(
    end: Make, jobrun: Run, tmp_path: Path
) -> None:
    end()
    file = tmp_path / "out.jsonl"

    first, again = jobrun("db", "export", str(file)), jobrun("db", "export", str(file))
    replaced = jobrun("db", "export", str(file), "--replace", "--json")

    assert (first.stdout, again.returncode) == (f"exported 1 job to `{file}`\n", 1)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(replaced.stdout)["counts"]["job"] == 1
    assert [each.name for each in tmp_path.iterdir() if "copy" in each.name] == []


@pytest.mark.parametrize(
    "words", [("db", "export", "--replace"), ("backup", "--replace"), ("metrics", "--textfile")]
)
@pytest.mark.parametrize("beside", ["", "-wal"])
def test_nothing_that_is_written_takes_the_place_of_the_job_file(
    words: tuple[str, ...], beside: str, add: Make, path: Path, jobrun: Run
) -> None:
    add()

    done = jobrun(*words, f"{path}{beside}")

    assert (done.returncode, done.stderr) == (
        2,
        f"jobrun: `{path}{beside}` is the job file itself\nhint: name another file\n",
    )
    assert jobrun("db", "check").returncode == 0


# --- db import ---


def test_a_new_file_gets_ids_and_history(  # noqa: PLR0917 -- fixtures
    end: Make, fail: Make, add: Make, store: Store, jobrun: Run, tmp_path: Path
) -> None:
    gone = end()
    kept = [fail(surroundings=HERE).id, add(tags=("x",), run_at=datetime.now(UTC) + timedelta(hours=1)).id]
    store.orders.purge([gone.id])
    store.orders.purge([end().id])  # its id must not be given again
    jobrun("db", "export", "all.jsonl", "--with-environments")

    done = jobrun("--db", "new.db", "db", "import", "all.jsonl")

    assert done.stdout == "imported 2 jobs\n", done.stderr
    assert stat.S_IMODE((tmp_path / "new.db").stat().st_mode) == 0o600
    assert jobrun("--db", "new.db", "list", "--json").stdout == jobrun("list", "--json").stdout
    assert (
        jobrun("--db", "new.db", "inspect", str(kept[0]), "--json").stdout
        == jobrun("inspect", str(kept[0]), "--json").stdout
    )
    assert jobrun("--db", "new.db", "enqueue", "-q", "os:getpid").stdout == "5\n"
    assert jobrun("--db", "new.db", "db", "check", "--full").returncode == 0


def test_a_file_that_never_had_a_job_keeps_the_ids_too(end: Make, jobrun: Run, tmp_path: Path) -> None:
    end()
    wanted = end()
    out = jobrun("db", "export").stdout
    open_store(tmp_path / "empty.db", create=True).close()

    done = jobrun("--db", "empty.db", "db", "import", "-", text=out)

    assert done.returncode == 0, done.stderr
    assert json.loads(jobrun("--db", "empty.db", "inspect", "2", "--json").stdout)["task"] == wanted.task
    assert (
        lines(jobrun("--db", "empty.db", "db", "export"))[1:] == [json.loads(x) for x in out.splitlines()][1:]
    )


def test_a_file_with_jobs_takes_others_only_if_asked_and_gives_new_ids(
    end: Make, add: Make, store: Store, jobrun: Run
) -> None:
    end()
    add(key="k")
    out = jobrun("db", "export").stdout

    refused = jobrun("db", "import", "-", text=out)
    merged = jobrun("db", "import", "-", "--merge", "--json", text=out)

    assert (refused.returncode, "nothing was imported" in refused.stderr) == (1, True)
    assert (json.loads(merged.stdout)["jobs"], json.loads(merged.stdout)["skipped"]) == (2, 1)
    states = {job.id: job.state for job in store.ledger.select(JobFilter(), limit=9)}
    assert states == {1: "succeeded", 2: "ready", 3: "succeeded", 4: "skipped"}
    assert jobrun("db", "check", "--full").returncode == 0
    assert list((side_dir(store.path) / "spool").iterdir()) == []


@pytest.mark.parametrize(("how", "state"), [("park", State.CRASHED), ("ready", State.READY)])
def test_what_ran_is_parked_or_waits_again(how: str, state: State, start: Make, jobrun: Run) -> None:
    job = start()
    out = jobrun("db", "export").stdout

    jobrun("--db", "new.db", "db", "import", "-", "--running", how, text=out)

    [found] = json.loads(jobrun("--db", "new.db", "list", "--json").stdout)
    assert (found["id"], found["state"]) == (job.id, state)
    assert found["reason"] == "it ran elsewhere when it was exported"
    assert jobrun("--db", "new.db", "db", "check", "--full").returncode == 0


def test_jobs_that_wait_do_not_lose_their_environment_unasked(
    add: Make, end: Make, jobrun: Run, tmp_path: Path
) -> None:
    add(surroundings=HERE)
    end(surroundings=HERE, priority=5)
    out = jobrun("db", "export").stdout

    refused = jobrun("--db", "new.db", "db", "import", "-", text=out)
    there = (tmp_path / "new.db").exists()
    done = jobrun("--db", "new.db", "db", "import", "-", "--without-environments", text=out)

    assert refused.returncode == 2
    assert "lacks the environments of 1 waiting job" in refused.stderr
    assert not there
    assert "waiting, with the environment of their worker now: 1 job" in done.stderr


def test_all_wrong_lines_are_named_and_nothing_is_imported(end: Make, jobrun: Run, tmp_path: Path) -> None:
    end()
    some = lines(jobrun("db", "export"))
    [job] = [line["job"] for line in some if "job" in line]
    bad = [
        {"job": {**job, "id": 2, "queue": "a/b"}},
        {"job": {**job, "id": 3, "state": "gone"}},
        {"job": {**job, "id": 4, "args": {}}},
        {"job": {**job, "id": 5, "attempt": "1"}},
        {"job": {**job, "id": 6, "priority": 2**70}},
        {"job": {**job, "id": 7, "mine": 1}},
        {"job": {**job, "id": 1}},
        {"attempt": {"job_id": 99}},
        {"mystery": {}},
        {"job": {**job, "id": 8, "state": "running"}},
    ]
    written = text([some[0], *bad]) + "{\n" + '"x"\n' + "[" * 100_000 + "\n" + '{"job": NaN}\n' + "\udc80\n"
    file = tmp_path / "bad.jsonl"
    file.write_bytes(written.encode("utf-8", "surrogateescape"))

    done = jobrun("--db", "new.db", "db", "import", str(file))

    assert done.returncode == 2
    named = [int(line.split(":")[1]) for line in done.stderr.splitlines() if line.startswith(f"`{file}`:")]
    assert named == list(range(2, 17))
    assert not (tmp_path / "new.db").exists()
    assert [each.name for each in tmp_path.iterdir() if ".new-" in each.name] == []


def test_what_was_cut_off_is_not_imported(end: Make, jobrun: Run, tmp_path: Path) -> None:
    end()
    some = lines(jobrun("db", "export"))

    whole_lines = jobrun("--db", "new.db", "db", "import", "-", text=text(some[:-1]))
    in_a_line = jobrun("--db", "new.db", "db", "import", "-", text=text(some)[:-20])
    one_missing = jobrun("--db", "new.db", "db", "import", "-", text=text([*some[:2], *some[3:]]))
    nothing = jobrun("--db", "new.db", "db", "import", "-")

    assert "cut off" in whole_lines.stderr
    assert {each.returncode for each in (whole_lines, in_a_line, one_missing, nothing)} == {2}
    assert not (tmp_path / "new.db").exists()


@pytest.mark.parametrize(
    "head", ['{"jobrun": 2, "schema": 4}', '{"jobrun": 1, "schema": 99}', '{"a": 1}', "x"]
)
def test_what_is_no_export_of_ours_is_refused(head: str, jobrun: Run) -> None:
    done = jobrun("--db", "new.db", "db", "import", "-", text=f"{head}\n")

    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_line_without_an_end_takes_no_memory(end: Make, jobrun: Run, tmp_path: Path) -> None:
    end()
    file = tmp_path / "long.jsonl"
    with file.open("wb") as out:
        out.write(jobrun("db", "export").stdout.splitlines()[0].encode() + b"\n")
        out.truncate(10 * MAX_LINE)

    done = jobrun("--db", "new.db", "db", "import", str(file))

    assert done.returncode == 2
    assert f":2: is longer than {MAX_LINE >> 20} MiB" in done.stderr


def test_a_pipe_is_read_once_and_whole(end: Make, jobrun: Run, tmp_path: Path) -> None:
    end()
    (tmp_path / "some.jsonl").write_text(jobrun("db", "export").stdout)
    line = shlex.join([sys.executable, "-m", "jobrun", "--db", "new.db", "db", "import", "/dev/stdin"])

    done = subprocess.run(
        ["sh", "-c", f"cat some.jsonl | {line}"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, "imported 1 job\n"), done.stderr


def test_a_closed_standard_input_is_no_bug(tmp_path: Path) -> None:
    line = shlex.join([sys.executable, "-m", "jobrun", "--db", "new.db", "db", "import", "-"])

    done = subprocess.run(
        ["sh", "-c", f"{line} <&-"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "jobrun: standard input is closed")


@pytest.mark.parametrize(
    "terms",
    [{"stdin": 5}, {"ok_exit": ["a"]}, {"ok_exit": [256]}, {"ping": []}, {"discards_output": 1}, {"mine": 1}],
    ids=str,
)
def test_terms_that_no_job_has_are_refused(terms: dict[str, Any], end: Make, jobrun: Run) -> None:
    end()
    some = lines(jobrun("db", "export"))
    for line in some:
        if "job" in line:
            line["job"]["terms"] = terms

    done = jobrun("--db", "new.db", "db", "import", "-", text=text(some))

    assert done.returncode == 2
    assert "its terms in the job file cannot be read" in done.stderr


@pytest.mark.parametrize(
    "changed",
    [
        {"umask": -1},
        {"umask": 2**40},
        {"cwd": "relative"},
        {"retries": 2**62},
        {"priority": 10**9},
        {"name": "a\x1b[31m"},
        {"key": "\x7f"},
    ],
    ids=str,
)
def test_values_that_nobody_can_ask_for_are_refused(
    changed: dict[str, Any], end: Make, jobrun: Run, tmp_path: Path
) -> None:
    end(surroundings=HERE)
    some = lines(jobrun("db", "export", "--with-environments"))
    for line in some:
        if "job" in line:
            line["job"].update(changed)

    done = jobrun("--db", "new.db", "db", "import", "-", text=text(some))

    assert done.returncode == 2
    assert "that nobody can ask for" in done.stderr
    assert not (tmp_path / "new.db").exists()


@pytest.mark.parametrize("last", [2**62, 2**63 - 1])
def test_the_last_of_all_ids_is_refused_in_an_export_and_passed_by_a_check(
    last: int, end: Make, path: Path, jobrun: Run
) -> None:
    end()
    some = lines(jobrun("db", "export"))
    for line in some:
        for kind, name in (("job", "id"), ("attempt", "job_id")):
            if kind in line:
                line[kind][name] = last

    done = jobrun("--db", "new.db", "db", "import", "-", text=text(some))
    spoil(path, f"UPDATE jobs SET id = {last}; UPDATE attempts SET job_id = {last}")

    assert (done.returncode, "in the order of their ids" in done.stderr) == (2, True)
    assert jobrun("db", "check").returncode == 1  # the trigger is missing; what matters is that it ends


def test_a_device_is_not_replaced_by_an_export(end: Make, jobrun: Run, tmp_path: Path) -> None:
    end()
    os.mkfifo(tmp_path / "pipe")

    exported = jobrun("db", "export", "pipe", "--replace")
    copied = jobrun("backup", "pipe", "--replace")

    for done in (exported, copied):
        assert done.returncode
        assert "regular file" in done.stderr
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


# --- purge --dry-run ---


def test_a_dry_run_names_the_bytes(end: Make, jobrun: Run) -> None:
    end(ending={"outcome": Outcome.OK, "output": Output(tail=b"x" * 100_000, size=100_000)})
    end()

    done = jobrun("purge", "--all", "--dry-run")
    objects = json.loads(jobrun("purge", "--all", "--dry-run", "--json").stdout)

    assert "2 jobs would be removed with 2 attempts, 98." in done.stderr
    assert [each["attempts"] for each in objects] == [1, 1]
    assert objects[1]["bytes"] > 100_000
    assert 100 < objects[0]["bytes"] < 1000
