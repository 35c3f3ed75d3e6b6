from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobrun.cli.person import person
from jobrun.measures import Pause
from jobrun.model import Job
from jobrun.store import Store
from tests.cli.test_cron_entries import HERE

Make = Callable[..., Job]
Run = Callable[..., subprocess.CompletedProcess[str]]
RunJson = Callable[..., Any]


def pauses(store: Store) -> list[Pause]:
    return store.pauses.all(now=datetime.now(UTC))


def test_a_pause_tells_who_why_and_when_it_ends(store: Store, add: Make, jobrun: Run) -> None:
    add(queue="mail")

    done = jobrun("pause", "mail", "--for", "2h", "--why", "relay is down")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("queue mail is paused until ")
    assert done.stdout.endswith(" (in 2h): relay is down\n")
    [pause] = pauses(store)
    assert pause.until == pause.since + timedelta(hours=2)
    assert (pause.by, pause.reason) == (person({}, uid=os.getuid()), "relay is down")


def test_several_queues_are_paused_and_resumed_at_once(store: Store, jobrun: Run) -> None:
    jobrun("pause", "mail", "reports", "mail")
    assert [pause.queue for pause in pauses(store)] == ["mail", "reports"]

    done = jobrun("resume", "reports", "mail")

    assert (done.returncode, done.stdout) == (0, "queue reports goes on\nqueue mail goes on\n")
    assert pauses(store) == []


def test_who_resumes_what_is_not_paused_is_told_and_the_others_go_on(store: Store, jobrun: Run) -> None:
    jobrun("pause", "mail")

    done = jobrun("resume", "mial", "mail")

    assert (done.returncode, done.stdout) == (1, "queue mail goes on\n")
    assert done.stderr == "jobrun: queue mial is not paused\n"
    assert pauses(store) == []


def test_a_new_pause_takes_the_place_of_the_old(store: Store, jobrun: Run) -> None:
    jobrun("pause", "mail", "--for", "2h", "--why", "first")

    jobrun("pause", "mail")

    assert [(pause.until, pause.reason) for pause in pauses(store)] == [(None, None)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--for", "1h", "--until", "12:00"], "--for and --until both say when it ends; use one"),
        (["--until", "2020-01-01 00:00"], "the end of the pause is in the past"),
        (["--why", "x" * 501], "--why has 501 characters, and 500 are the most"),
        ([".mail"], "bad queue `.mail`"),
    ],
)
def test_what_makes_no_sense_pauses_nothing(
    store: Store, words: list[str], message: str, jobrun: Run
) -> None:
    done = jobrun("pause", "mail", *words)

    assert done.returncode == 2
    assert message in done.stderr
    assert pauses(store) == []


def test_a_queue_without_a_job_may_be_mistyped(add: Make, jobrun: Run) -> None:
    add(queue="mail")

    assert jobrun("pause", "mial").stderr == "no job is known of queue mial; did you mean `mail`?\n"


def test_a_queue_whose_jobs_are_all_due_later_is_known(add: Make, jobrun: Run) -> None:
    add(queue="mail", run_at=datetime.now(UTC) + timedelta(hours=1))

    assert jobrun("pause", "mail").stderr == ""


def test_who_means_an_entry_is_told_how_that_is_paused(
    table: Callable[..., Path], load: Callable[..., None], jobrun: Run
) -> None:
    load(table(HERE), now=datetime.now(UTC))

    assert "of an entry it is `jobrun cron pause hello`" in jobrun("pause", "hello").stderr


def test_without_a_job_file_nothing_is_paused(path: Path, jobrun: Run) -> None:
    assert jobrun("pause", "mail").returncode == 4
    assert not path.exists()


@pytest.mark.usefixtures("store")
def test_json_has_the_pauses(jobrun_json: RunJson) -> None:
    [paused] = jobrun_json("pause", "mail", "--why", "relay is down")

    assert paused.keys() == {"queue", "since", "until", "by", "reason"}
    assert (paused["queue"], paused["until"], paused["reason"]) == ("mail", None, "relay is down")
    assert jobrun_json("status")["pauses"] == [paused]
    assert jobrun_json("resume", "mail") == [paused]


def test_status_says_in_its_first_lines_what_is_paused_by_whom_and_why(store: Store, jobrun: Run) -> None:
    now = datetime.now(UTC)
    until = now + timedelta(hours=2, seconds=30)
    pause = Pause(
        queue="mail", since=now - timedelta(hours=1), until=until, by="ann", reason="relay\x1b is down"
    )
    store.pauses.begin(pause)

    line = jobrun("status").stdout.splitlines()[1]

    assert line.startswith("queue mail paused by ann 1h ago, until ")
    assert line.endswith(" (in 2h): relay\\x1b is down")


def test_a_list_tells_of_the_pauses_that_hold_its_jobs_back(add: Make, jobrun: Run) -> None:
    add(queue="mail")
    jobrun("pause", "mail", "default")

    told = jobrun("list").stderr

    assert told.startswith("queue mail paused by ")
    assert told.endswith(", until `jobrun resume mail`\n")
    assert "queue default" not in told
    assert "queue default paused by " in jobrun("workers").stderr


@pytest.mark.parametrize(
    ("uid", "environ", "name"),
    [
        (0, {}, "root"),
        (0, {"SUDO_USER": "ann"}, "ann (as root)"),
        (0, {"SUDO_USER": "root"}, "root"),
        (4_000_000, {"SUDO_USER": "ann"}, "user 4000000"),
    ],
)
def test_who_acts_as_root_is_named_besides(uid: int, environ: dict[str, str], name: str) -> None:
    assert person(environ, uid=uid) == name
