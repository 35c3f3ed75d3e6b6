"""`jobrun alerts`: how each alert stands, and one told as a test."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobrun import locks
from jobrun.alerts.words import Event, Latch, Reading
from jobrun.model import Job
from jobrun.paths import scheduler_lock
from jobrun.store import Store
from jobrun.table import read_table

Run = Callable[..., subprocess.CompletedProcess[str]]
RunJson = Callable[..., Any]
MANUAL = Path(__file__).resolve().parents[2] / "man" / "jobrun.1"
TEXT = """
[alerts.backlog]
depth = 2
for = "5m"
severity = "critical"
shell = 'echo "$JOBRUN_ALERT_STATE: $JOBRUN_ALERT_TEXT"; exit 3'

[alerts.deserted]
no_worker = true

[alerts.quiet]
wait = "1h"
shell = "true"
"""


@pytest.fixture
def file(store: Store, table: Callable[..., Path]) -> Path:
    """Have the job file know the alerts of a table."""
    path = table(TEXT)
    alerts = read_table(path, local=UTC, local_name="UTC", environ={}).alerts
    store.alerts.load(str(path), alerts, now=datetime.now(UTC))
    return path


def fire(store: Store, name: str, *, ago: timedelta) -> None:
    """Have an alert told that it fires, some time ago."""
    row = store.alerts.get(name)
    assert row is not None
    at = datetime.now(UTC) - ago
    latch = Latch(holds_since=at, told_at=at, tells=1)
    assert store.alerts.move(row, latch, told=(Event.FIRING, Reading(value=5, text="5 ready")), now=at)


def test_each_alert_is_shown_with_what_is_measured_and_who_was_told(
    store: Store, file: Path, jobrun: Run
) -> None:
    fire(store, "backlog", ago=timedelta(hours=3))
    with locks.taken(scheduler_lock(store.path, file)):
        done = jobrun("alerts")

    lines = [re.split(r" {2,}", line.strip()) for line in done.stdout.splitlines()]
    assert lines == [
        ["ALERT", "STATE", "FOR", "SEVERITY", "NOW", "LIMIT", "TOLD", "BY"],
        [
            "backlog", "firing", "3h", "critical", "1 ready", "2 for 5m", "3h ago", "job 1 ready",
        ],
        ["deserted", "pending", "warning", "no worker"],
        ["quiet", "pending", "warning", "longest wait 3h", "1h"],  # what tells of the other one waits itself
    ]  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_that_nobody_looks_at_the_alerts_is_said(file: Path, jobrun: Run) -> None:
    done = jobrun("alerts")

    assert (
        done.stderr == f"nobody looks at them: no scheduler serves `{file}`; start one with `jobrun cron`\n"
    )


@pytest.mark.usefixtures("store")
def test_without_alerts_it_says_where_they_come_from(jobrun: Run) -> None:
    done = jobrun("alerts")

    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("no table that is scheduled here has alerts; ")


def test_the_json_of_an_alert_has_what_the_manual_says(
    store: Store, file: Path, jobrun_json: RunJson
) -> None:
    fire(store, "backlog", ago=timedelta(minutes=1))
    part = MANUAL.read_text(encoding="utf-8").partition(".Ss Alerts\n")[2].partition("\n.Ss ")[0]
    named = [name for line in re.findall(r"(?m)^\.It Va (.+)$", part) for name in line.split(" , ")]

    backlog, deserted, _ = jobrun_json("alerts")

    assert sorted(backlog) == sorted(named)
    assert (backlog["state"], backlog["tells"], backlog["job"], backlog["job_state"]) == (
        "firing", 1, 1, "ready",
    )  # fmt: skip
    assert (deserted["value"], deserted["table"], deserted["last_event"], deserted["has_scheduler"]) == (
        1.0, str(file), None, False,
    )  # fmt: skip


@pytest.mark.usefixtures("file")
def test_the_status_names_what_fires(store: Store, jobrun: Run, jobrun_json: RunJson) -> None:
    assert jobrun_json("status")["firing"] == []
    fire(store, "backlog", ago=timedelta(hours=3))

    assert "alerts: firing: backlog (critical, 3h)\n" in jobrun("status").stdout
    assert jobrun_json("status")["firing"] == ["backlog"]


@pytest.mark.process
@pytest.mark.usefixtures("file")
def test_a_test_tells_an_alert_once_here_and_now(store: Store, jobrun: Run) -> None:
    done = jobrun("alerts", "--test", "backlog")

    assert done.returncode == 3
    assert done.stdout == "test: critical: backlog test: 0 ready (limit 2)\n"
    row, job = store.alerts.get("backlog"), store.ledger.get(1)
    assert row is not None
    assert (row.latch, row.last_event) == (Latch(), None)
    assert isinstance(job, Job)
    assert (job.attempt, job.retries, job.key) == (1, 0, None)


@pytest.mark.parametrize(
    ("words", "code", "message", "hint"),
    [
        (["--test", "backlgo"], 1, "no alert `backlgo` in ", "did you mean `backlog`?"),
        (["--test", "deserted"], 1, "alert `deserted` tells nobody", "give it a `shell`, "),
        (
            ["--test", "backlog", "--json"],
            2,
            "--test shows what the alert prints, and takes no --json",
            None,
        ),
        (["--path", "."], 2, "--path is for --test; ", None),
    ],
)
@pytest.mark.usefixtures("file")
def test_what_cannot_be_tested_is_refused(
    words: list[str], code: int, message: str, hint: str | None, jobrun: Run
) -> None:
    done = jobrun("alerts", *words)

    assert done.returncode == code
    assert message in done.stderr
    assert hint is None or f"hint: {hint}" in done.stderr
