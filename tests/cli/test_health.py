"""health, as a monitor calls it: one line, and a code that is never another verb's."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobrun import locks
from jobrun.measures import Pause
from jobrun.model import Job
from jobrun.queues import reserved_queue
from jobrun.store import Store
from tests.cli.test_status import join

Make = Callable[..., Job]
Run = Callable[..., subprocess.CompletedProcess[str]]

EDGE = r"(\d+(\.\d+)?:?)?"
DRAWN = re.compile(rf"\w+=\d+(\.\d+)?s?;{EDGE};{EDGE};0")
LONG_AGO = datetime.now(UTC) - timedelta(days=2)  # told in days and hours: no matter how long the tests take


def parts(done: subprocess.CompletedProcess[str]) -> tuple[str, dict[str, str]]:
    """Return what a person reads, and what is drawn by its names."""
    assert done.stdout.count("\n") == 1
    told, drawn = done.stdout.rstrip("\n").split(" | ")
    assert all(DRAWN.fullmatch(each) for each in drawn.split())
    return told, dict(each.split("=") for each in drawn.split())


def test_one_line_says_that_all_is_well(store: Store, add: Make, fail: Make, jobrun: Run) -> None:
    fail()
    add()
    with locks.taken(join(store, "w1")):
        done = jobrun("health", "--max-depth", "100", "--warn-depth", "50", "--min-workers", "1")

    told, drawn = parts(done)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"OK - 1 ready, oldest [\d.]+s, 1 worker, 1 failed or crashed", told)
    assert list(drawn) == [
        "ready", "oldest_wait", "running", "workers", "failed", "missed", "schedulers", "scheduled",
    ]  # fmt: skip
    assert (drawn["ready"], drawn["workers"], drawn["failed"]) == ("1;50;100;0", "1;;1:;0", "1;;;0")
    assert drawn["oldest_wait"].endswith("s;;;0")


def test_a_warning_leaves_with_1_and_what_is_critical_with_2(fail: Make, jobrun: Run) -> None:
    fail()

    warned, alarmed = jobrun("health", "--warn-failed", "0"), jobrun("health", "--max-failed", "0")

    assert (warned.returncode, alarmed.returncode) == (1, 2)
    assert parts(warned)[0] == "WARNING - 1 failed or crashed (more than 0), 0 ready, 0 workers"
    assert parts(alarmed)[0].startswith("CRITICAL - 1 failed or crashed (more than 0), ")


def test_a_dead_worker_serves_nobody(store: Store, add: Make, jobrun: Run) -> None:
    add(queue="mail", now=LONG_AGO)
    join(store, "w1")

    done = jobrun("health")

    assert done.returncode == 2
    assert parts(done)[0].startswith("CRITICAL - no worker for `mail`: 1 job waiting, the oldest for 2d, ")


def test_a_job_that_nobody_made_ready_in_time_waits_too(add: Make, jobrun: Run) -> None:
    add(run_at=LONG_AGO + timedelta(hours=1), now=LONG_AGO)

    assert "no worker for `default`: 1 job waiting" in jobrun("health").stdout


def test_a_job_of_a_dead_worker_is_missed_when_all_are_dead(store: Store, start: Make, jobrun: Run) -> None:
    start()
    lock = join(store, "w1")
    with locks.taken(lock):
        alive = jobrun("health")
    dead = jobrun("health")

    assert (alive.returncode, dead.returncode) == (0, 2)
    assert parts(dead)[0].startswith("CRITICAL - 1 job left behind by dead workers, ")


def test_who_runs_one_job_before_their_eyes_is_no_worker_for_others(
    store: Store, add: Make, jobrun: Run
) -> None:
    add(queue="mail", now=LONG_AGO)
    with locks.taken(join(store, "w1", queues=(reserved_queue("mail", 7),))):
        done, numbers = jobrun("health"), jobrun("metrics").stdout
        status = jobrun("status")

    assert (done.returncode, parts(done)[1]["workers"]) == (2, "0;;;0")
    assert "1 ready; no worker\n" in status.stdout
    assert "no worker is running; 1 job waiting" in status.stderr
    assert 'jobrun_workers{state="alive"} 0.0\n' in numbers


def test_json_has_the_verdict_and_every_number_with_its_thresholds(
    store: Store, add: Make, jobrun: Run
) -> None:
    add(queue="mail", now=LONG_AGO)
    store.pauses.begin(Pause(queue="mail", since=LONG_AGO, until=None, by="ann", reason=None))

    done = jobrun("health", "--max-wait", "1s", "--warn-workers", "1", "--json")

    found: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode, found["level"], found["code"], found["paused"]) == (1, "warning", 1, ["mail"])
    assert found["measures"]["oldest_wait"] == {"value": 0, "warning": None, "critical": 1.0}
    assert found["facts"][0] == {"level": "warning", "text": "0 workers (fewer than 1)"}


def test_thresholds_are_those_of_the_table_and_options_win(
    store: Store, fail: Make, jobrun: Run, table: Callable[..., Path]
) -> None:
    fail()
    now = datetime.now(UTC)
    file = table('[health]\nmax_failed = 0\nwarn_workers = 1\nsince = "1h"\n[jobs]\n')
    other = table("[health]\nmax_failed = 5\n[jobs]\n", "other.toml")
    store.sections.put(str(file), {"health": {"max_failed": 0, "of_later": "x"}}, now=now)

    assert jobrun("health").returncode == 2
    assert jobrun("health", "--max-failed", "1").returncode == 0
    assert jobrun("health", "--table", str(file)).stdout.startswith("CRITICAL - 1 failed or crashed ")
    assert jobrun("health", "--table", str(file), "--max-failed", "1").returncode == 1
    assert jobrun("health", "--table", str(other)).returncode == 0


@pytest.mark.usefixtures("store")
def test_a_table_is_to_be_scheduled_while_it_is_there_and_has_something_to_run(
    table: Callable[..., Path], load: Callable[..., None], jobrun: Run
) -> None:
    by_hand = '[jobs.a]\nshell = "true"\nschedule = "@manual"\n'
    file = table(by_hand)
    load(file, now=datetime.now(UTC))
    at_rest = jobrun("health")
    file.write_text(by_hand + '[jobs.b]\nshell = "true"\nevery = "1h"\n', encoding="utf-8")
    load(file, now=datetime.now(UTC))
    alone = jobrun("health")
    file.unlink()
    gone = jobrun("health")

    assert (at_rest.returncode, alone.returncode, gone.returncode) == (0, 2, 0)
    assert parts(alone)[0].startswith(f"CRITICAL - no scheduler for `{file}`, ")


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--max-depth", "many"], "UNKNOWN - --max-depth is a whole number from 0, not `many`"),
        (["--nonsense"], "UNKNOWN - no such option: --nonsense"),
        (["--max-wait", "5"], "UNKNOWN - bad duration `5`"),
        (["--max-wait", "a|b"], r"UNKNOWN - bad duration `a\x7cb`"),
        (["now"], "UNKNOWN - got unexpected extra argument"),
        (
            ["-Q", "mail", "--since", "1h"],
            "UNKNOWN - --since is about the whole job file, so -Q does not go with it",
        ),
        (["--table", "none.toml"], "UNKNOWN - cannot read `none.toml`: no such file or directory"),
        (["--db"], "UNKNOWN - --db needs a PATH"),
    ],
)
def test_whatever_makes_no_sense_is_unknown(words: list[str], line: str, jobrun: Run) -> None:
    done = jobrun("health", *words)

    assert done.returncode == 3
    assert done.stdout.lower().startswith(line.lower())
    assert done.stdout.count("\n") == 1
    assert "jobrun: " not in done.stderr


def test_a_job_file_that_is_not_there_or_is_none_is_unknown(jobrun: Run, path: Path) -> None:
    absent = jobrun("health")
    path.write_text("no job file")
    path.chmod(0o600)
    foreign = jobrun("--db", str(path), "health")
    with_json = jobrun("--db=" + str(path), "health", "--json")

    assert (absent.returncode, foreign.returncode, with_json.returncode) == (3, 3, 3)
    assert absent.stdout == f"UNKNOWN - no job file at `{path}`\n"
    assert foreign.stdout.startswith(f"UNKNOWN - `{path}` is not a")
    assert with_json.stdout.startswith('{"error": {"code": 3, ')


def test_a_fault_of_jobrun_itself_is_unknown_and_keeps_its_traceback(
    store: Store, environ: dict[str, str]
) -> None:
    script = (
        "import sys; from jobrun.cli import door; from jobrun.actions import health;"
        "health.thresholds = None; sys.exit(door.run(['health']))"
    )
    assert store.path.exists()
    done = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.returncode, done.stdout.count("\n")) == (3, 1)
    assert done.stdout.startswith("UNKNOWN - internal error, TypeError: ")
    assert "Traceback" in done.stderr


def test_other_verbs_keep_their_codes(jobrun: Run) -> None:
    assert jobrun("status", "--max-depth", "1").returncode == 2
    assert jobrun("inspect", "health").returncode == 2
    assert jobrun("--db", "health", "workers").returncode == 4


@pytest.mark.usefixtures("store")
def test_on_a_terminal_there_are_no_numbers_to_draw(terminal: Callable[..., str], jobrun: Run) -> None:
    assert "|" not in terminal("health")
    assert " | ready=0" in jobrun("health").stdout
