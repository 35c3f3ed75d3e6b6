from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobrun.actions import looking
from jobrun.model import Job, JobFilter, Kind, State
from jobrun.store import Store, ledger

Make = Callable[..., Job]
Run = Callable[..., subprocess.CompletedProcess[str]]
RunJson = Callable[..., Any]


def ids(jobs: Any) -> list[int]:
    return [job["id"] for job in jobs]


def test_the_newest_job_stands_first(add: Make, jobrun_json: RunJson) -> None:
    first, second = add("app:one"), add("app:two")

    assert ids(jobrun_json("list")) == [second.id, first.id]


def test_a_job_object_has_the_fields_of_the_contract(add: Make, jobrun_json: RunJson) -> None:
    add("app:one", args=(1, "two"), tags=("a",))

    [job] = jobrun_json("list")

    contract = """id kind task args kwargs queue priority state reason key tags name entry scheduled_for run_at
        created_at started_at finished_at attempt max_attempts exit_code signal result error worker"""
    assert set(contract.split()) <= set(job)
    assert (job["task"], job["args"], job["tags"], job["state"]) == ("app:one", [1, "two"], ["a"], "ready")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["failed"], {"failed"}),
        (["active"], {"running"}),
        (["pending"], {"ready"}),
        (["future"], {"scheduled"}),
        (["--state", "succeeded"], {"succeeded"}),
        (["failed", "--state", "running"], {"failed", "running"}),
        ([], {"failed", "running", "ready", "scheduled", "succeeded"}),
    ],
)
def test_states_and_views_select(  # noqa: PLR0917 -- a job in each state
    words: list[str],
    expected: set[str],
    add: Make,
    start: Make,
    end: Make,
    fail: Make,
    jobrun_json: RunJson,
) -> None:
    end()
    fail()
    start()
    add()
    add(run_at=datetime.now(UTC) + timedelta(hours=1))

    assert {job["state"] for job in jobrun_json("list", *words)} == expected


@pytest.mark.parametrize("tag", ["ä", 'a"b', "a\\b", "x"])
def test_a_tag_is_found_however_it_is_written_as_json(tag: str, add: Make, jobrun_json: RunJson) -> None:
    wanted = add(tags=("first", tag))
    add(tags=(f"{tag}y",))

    assert ids(jobrun_json("list", "--tag", tag)) == [wanted.id]


def test_a_task_without_wildcards_is_that_task_alone(add: Make, jobrun_json: RunJson) -> None:
    wanted = add("mail:send")
    add("mail:send_all")

    assert ids(jobrun_json("list", "--task", "mail:send")) == [wanted.id]
    assert len(jobrun_json("list", "--task", "mail:*")) == 2


def test_a_state_with_many_jobs_is_read_in_the_order_of_the_file(
    store: Store, end: Make, fail: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "FREQUENT", 2)
    monkeypatch.setattr(ledger, "NEAR", 0)
    made = [end().id for _ in range(3)]
    fail()

    found = looking.listing(store, JobFilter(states=frozenset({State.SUCCEEDED})), limit=2)

    assert ([job.id for job in found.jobs], found.total) == (made[:0:-1], 3)


def test_filters_hold_together(add: Make, jobrun_json: RunJson) -> None:
    wanted = add("mail.out:send", queue="mail", tags=("x", "y"))
    add("mail.out:send", queue="mail")
    add("mail.out:send", tags=("x",))
    add("news:send", queue="mail", tags=("x",))

    assert ids(jobrun_json("list", "--task", "mail.*", "-Q", "mail", "--tag", "x")) == [wanted.id]


def test_since_counts_from_the_end_of_a_job(end: Make, jobrun_json: RunJson) -> None:
    recent, _old = end(ago_s=60), end(ago_s=7200)

    assert ids(jobrun_json("list", "--since", "1h")) == [recent.id]


@pytest.mark.usefixtures("store")
def test_no_match_is_an_empty_array(jobrun_json: RunJson) -> None:
    assert jobrun_json("list") == []


def test_a_limit_says_how_many_more_there_are(add: Make, jobrun: Run) -> None:
    for _ in range(3):
        add()

    done = jobrun("list", "--limit", "2")

    assert len(done.stdout.splitlines()) == 1 + 2
    assert done.stderr == "the newest 2 of 3; --limit N shows more\n"


def test_no_more_are_counted_than_anybody_wants_to_know(
    add: Make, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "COUNTED", 3)
    for _ in range(9):
        add()

    assert looking.listing(store, JobFilter(), limit=2).total == 4


def test_a_limit_beyond_reason_is_capped_with_a_note(add: Make, jobrun: Run) -> None:
    add()

    done = jobrun("list", "--limit", "1000000000")

    assert done.returncode == 0
    assert "100000" in done.stderr


@pytest.mark.parametrize("limit", ["-1", "0", "x", "1e9", "2.5", "٣"])
@pytest.mark.usefixtures("store")
def test_a_limit_that_is_no_number_is_a_usage_error(limit: str, jobrun: Run) -> None:
    done = jobrun("list", f"--limit={limit}")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("jobrun: --limit is a whole number from 1")


@pytest.mark.parametrize("state", ["nonsense", "x' OR 1=1--", ""])
@pytest.mark.usefixtures("store")
def test_an_unknown_state_is_a_usage_error(state: str, jobrun: Run) -> None:
    done = jobrun("list", "--state", state)

    assert done.returncode == 2
    assert "is not a state" in done.stderr


@pytest.mark.usefixtures("store")
def test_a_mistyped_state_gets_a_suggestion(jobrun: Run) -> None:
    assert "did you mean `failed`?" in jobrun("list", "fialed").stderr


@pytest.mark.parametrize("command", [["list"], ["failed"], ["workers"], ["inspect", "1"], ["logs", "1"]])
def test_looking_never_makes_a_job_file(command: list[str], path: Path, jobrun: Run) -> None:
    done = jobrun(*command)

    assert done.returncode == 4
    assert done.stderr.startswith(f"jobrun: no job file at `{path}`\nhint: ")
    assert not path.exists()


def test_names_are_shown_literally(add: Make, jobrun: Run) -> None:
    add("echo \x1b[31m", kind=Kind.SHELL, name="[/x] [bold]b :smile: [link=file:///etc/passwd]a")

    shown = jobrun("list").stdout

    assert "[/x] [bold]b :smile: [link=file:///etc/passwd]a: echo \\x1b[31m" in shown


def test_a_reader_that_leaves_early_sees_no_traceback(
    add: Make,
    environ: dict[str, str],
) -> None:
    for _ in range(50):
        add("app:" + "x" * 2000)
    line = f"{sys.executable} -m jobrun list --limit 1000 | head -n 1"

    done = subprocess.run(["sh", "-c", line], env=environ, capture_output=True, text=True, check=False)

    assert done.stderr == ""
    assert done.stdout.startswith("ID")


def test_an_ascii_locale_replaces_what_it_cannot_show(add: Make, jobrun: Run) -> None:
    add("echo Größe", kind=Kind.SHELL)

    done = jobrun("list", LANG="C", LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")

    assert done.returncode == 0
    assert "echo Gr" in done.stdout
