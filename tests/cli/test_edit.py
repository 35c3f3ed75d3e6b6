"""edit: in an editor, and with --set."""

from __future__ import annotations

import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobrun.actions import editing
from jobrun.actions.editing import Reader
from jobrun.cli import editpage
from jobrun.model import COMMON_TERMS, Edit, Job, Kind, NewJob, OnCrash, Outcome, State, Surroundings, Terms
from jobrun.queues import reserved_queue
from jobrun.store import Store
from jobrun.units import rfc3339

Make = Callable[..., Job]
Run = Callable[..., subprocess.CompletedProcess[str]]
Editing = Callable[..., subprocess.CompletedProcess[str]]

NOW = datetime(2027, 1, 5, 12, tzinfo=UTC)
READER = Reader(by="ann", now=NOW, zone=UTC)


def got(store: Store, job_id: int = 1) -> Job:
    job = store.ledger.get(job_id)
    assert job is not None
    return job


@pytest.fixture
def edit(jobrun: Run, tmp_path: Path) -> Editing:
    """Edit a job with an editor that is a piece of Python: `text` is the page, and `turn` counts from 1."""

    def edited(code: str, job_id: int = 1, **more: str) -> subprocess.CompletedProcess[str]:
        script = tmp_path / "editor.py"
        script.write_text(
            "import os, pathlib, sys\n"
            "path, turns = pathlib.Path(sys.argv[1]), pathlib.Path(__file__).with_name('turns')\n"
            "turn = len(turns.read_text()) + 1 if turns.exists() else 1\n"
            "turns.write_text('x' * turn)\n"
            "text = path.read_text()\n"
            f"{code}\n"
            "path.write_text(text)\n"
        )
        return jobrun("edit", str(job_id), EDITOR=shlex.join([sys.executable, str(script)]), **more)

    return edited


def test_what_is_saved_is_what_the_job_is(store: Store, add: Make, edit: Editing) -> None:
    add(args=(1, None), tags=("a",), queue="mail")

    done = edit("text = text.replace('\"mail\"', '\"bulk\"').replace('priority = 0', 'priority = 7')")

    assert (done.returncode, done.stdout) == (0, "job 1: 2 fields changed: queue, priority\n")
    job = got(store)
    assert (job.queue, job.priority, job.args, job.tags) == ("bulk", 7, (1, None), ("a",))
    [record] = store.edits.of(1)
    assert record.changes == "queue mail to bulk; priority 0 to 7"


@pytest.mark.parametrize(
    "code", ["os.unlink(path); os._exit(0)", "os.unlink(path); path.mkdir(); os._exit(0)"]
)
def test_an_editor_that_leaves_no_text_changes_nothing(
    store: Store, add: Make, code: str, tmp_path: Path, edit: Editing
) -> None:
    before = add()

    done = edit(code, TMPDIR=str(tmp_path))

    assert (done.returncode, done.stderr.startswith("jobrun: the editor left nothing at `")) == (1, True)
    assert got(store) == before


@pytest.mark.parametrize("page", ["[", "queue = 'a/b'"])
def test_an_editor_that_writes_the_same_mistake_again_is_not_asked_for_ever(
    add: Make, page: str, tmp_path: Path, edit: Editing
) -> None:
    add()

    done = edit(f"text = {page!r}", TMPDIR=str(tmp_path))

    assert done.returncode == 2
    assert (tmp_path / "turns").read_text() == "xx"


@pytest.mark.parametrize("code", ["", "text = ''", "text = '# nothing\\n'"])
def test_what_is_left_unchanged_or_empty_changes_nothing(
    store: Store, add: Make, code: str, edit: Editing
) -> None:
    before = add()

    done = edit(code)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "nothing was changed\n")
    assert got(store) == before
    assert store.edits.of(1) == []


def test_a_page_that_is_wrong_is_shown_again_with_the_reason(store: Store, add: Make, edit: Editing) -> None:
    add()
    code = """
if turn == 1: text = text.replace('retries = 0', 'retries = 101')
elif turn == 2: text = text.replace('retries = 101', 'retries = ')
else:
    assert [line[:3] for line in text.splitlines()[:2]] == ['#! '] * 2 and 'not TOML' in text
    text = text.replace('retries = ', 'retries = 3')"""

    done = edit(code)

    assert (done.returncode, done.stdout) == (0, "job 1: 1 field changed: retries\n")
    assert got(store).retries == 3


def test_who_leaves_it_wrong_finds_what_was_written_in_a_file(
    add: Make, tmp_path: Path, edit: Editing
) -> None:
    add()

    done = edit("text = text.replace('retries = 0', 'retries = 101')", TMPDIR=str(tmp_path))

    assert done.returncode == 2
    assert done.stderr.startswith(
        "jobrun: retries must be from 0 to 100, not `101`\nhint: what you wrote is kept in "
    )
    [kept] = tmp_path.glob("jobrun-1-*.toml")
    assert str(kept) in done.stderr
    assert "retries = 101" in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_job_that_began_meanwhile_is_not_changed_and_the_text_is_kept(
    store: Store, add: Make, tmp_path: Path, edit: Editing
) -> None:
    add()
    begin = "UPDATE jobs SET state = 'running', token = 't', worker = 'w', attempt = 1"
    code = f"""
import sqlite3
base = sqlite3.connect({str(store.path)!r}); base.execute({begin!r}); base.commit(); base.close()
text = text.replace('priority = 0', 'priority = 7')"""

    done = edit(code, TMPDIR=str(tmp_path))

    assert done.returncode == 1
    assert done.stderr.startswith(
        "jobrun: job 1 began meanwhile; nothing was changed\nhint: what you wrote is kept"
    )
    [kept] = tmp_path.glob("jobrun-1-*.toml")
    assert "priority = 7" in kept.read_text()
    assert got(store).priority == 0


def test_the_page_is_private_and_removed(add: Make, tmp_path: Path, edit: Editing) -> None:
    add()

    done = edit(
        "assert os.stat(path).st_mode & 0o777 == 0o600\ntext = text.replace('= 0', '= 1')",
        TMPDIR=str(tmp_path),
    )

    assert done.returncode == 0
    assert list(tmp_path.glob("jobrun-*")) == []


def test_an_editor_that_fails_changes_nothing(store: Store, add: Make, edit: Editing) -> None:
    before = add()

    done = edit("sys.exit(3)")

    assert (done.returncode, done.stderr) == (1, "jobrun: the editor ended with 3; nothing was changed\n")
    assert got(store) == before


def test_without_a_terminal_and_an_editor_it_says_what_to_do(add: Make, jobrun: Run) -> None:
    add()

    assert (
        jobrun("edit", "1").stderr == "jobrun: there is no terminal to edit on\nhint: use --set name=value\n"
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["queue=bulk"], {"queue": "bulk"}),
        (["queue=2027"], {"queue": "2027"}),
        (["priority=5", "retries=2"], {"priority": 5, "retries": 2}),
        (['tags=["a", "b"]'], {"tags": ("a", "b")}),
        (["args=[1, 2]"], {"args": (1, 2)}),
        (["args=[1, null]"], {"args": (1, None)}),
        (['kwargs={"n": null}'], {"kwargs": {"n": None}}),
        (["timeout=1h30m"], {"timeout_s": 5400.0}),
        (["timeout=90s", "timeout="], {"timeout_s": None}),
        (["key="], {"key": None}),
        (["isolate=true"], {"terms": Terms(isolate=True)}),
        (["isolate=true", "isolate="], {"terms": COMMON_TERMS}),
        (["on_crash=park"], {"on_crash": OnCrash.PARK}),
        (["eta=2030-01-01 00:00:00"], {"run_at": datetime(2030, 1, 1, tzinfo=UTC), "state": State.SCHEDULED}),
        (["eta=2030-01-01 00:00", "expires=2h"], {"expires_at": datetime(2030, 1, 1, 2, tzinfo=UTC)}),
        (["deadline=2030-01-01 00:00"], {"deadline_at": datetime(2030, 1, 1, tzinfo=UTC)}),
    ],
)
def test_fields_are_set_without_an_editor(
    store: Store, add: Make, words: list[str], expected: dict[str, Any], jobrun: Run
) -> None:
    add(key="k1", queue="mail", timeout_s=30.0)

    done = jobrun("edit", "1", *(word for each in words for word in ("--set", each)))

    assert (done.returncode, done.stderr) == (0, "")
    job = got(store)
    assert {name: getattr(job, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["qeue=x"], "a job has no field `qeue`\nhint: did you mean `queue`?"),
        (["queue=.x"], "bad queue `.x`"),
        (["retries=many"], "retries: a whole number was expected, not `many`"),
        (["retries=true"], "retries: a whole number was expected, not `True`"),
        (["timeout=5"], "timeout: "),
        (["task="], "task: text was expected"),
        (["task=nonsense"], "target `nonsense` needs a `:`"),
        (["args={}"], "args: a JSON list was expected"),
        (["shell=true"], "a job has no field `shell`"),
        (["eta=soon"], "eta: "),
        (["on_crash=explode"], "on_crash: `explode` is not one of"),
        (["isolate=yes"], "isolate: true or false was expected, not `yes`"),
        (["key=taken"], "job 2 has the key `taken`"),
        (["queue"], "--set takes name=value, not `queue`"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_changed(
    store: Store, add: Make, words: list[str], message: str, jobrun: Run
) -> None:
    before = add()
    add(key="taken")

    done = jobrun("edit", "1", "--set", "priority=5", "--set", *words)

    assert done.returncode == 2
    assert message in done.stderr
    assert got(store) == before


def test_what_waits_for_the_one_process_that_runs_it_is_not_edited(
    store: Store, add: Make, jobrun: Run
) -> None:
    add()
    queue = reserved_queue("default", 7)
    store.endings.keep_for(1, queue, expires_at=datetime.now(UTC) + timedelta(hours=1))

    done = jobrun("edit", "1", "--set", "priority=1")

    assert done.returncode == 1
    assert done.stderr == (
        "jobrun: job 1 waits for the one process that runs it, so it cannot be edited\n"
        "hint: `jobrun cancel 1` ends it\n"
    )
    assert (got(store).queue, got(store).priority) == (queue, 0)


def test_only_what_waits_can_be_edited(start: Make, fail: Make, jobrun: Run) -> None:
    failed, running = fail(), start()

    done = [jobrun("edit", str(job.id), "--set", "priority=1") for job in (failed, running)]

    assert [each.returncode for each in done] == [1, 1]
    assert done[0].stderr == (
        "jobrun: job 1 is failed, and only a job that waits can be edited\n"
        "hint: `jobrun retry 1` lets it wait again\n"
    )
    assert "hint: `jobrun cancel 2` stops it" in done[1].stderr
    assert jobrun("edit", "99", "--set", "priority=1").returncode == 3


def test_a_retry_that_waits_keeps_what_was_counted(
    store: Store, start: Make, settled: Make, jobrun: Run
) -> None:
    settled(start(retries=3), outcome=Outcome.ERROR, cause="no", spread=1.0)

    jobrun("edit", "1", "--set", "eta=2020-01-01 00:00", "--set", "backoff=1s")

    job = got(store)
    assert (job.state, job.attempt, job.failures, job.backoff_s) == (State.READY, 1, 1, 1.0)


def test_inspect_tells_who_changed_what_but_no_secret(add: Make, jobrun: Run, jobrun_json: Run) -> None:
    add(args=("old",))
    jobrun("edit", "1", "--set", 'args=["s3cret"]', "--set", "queue=bulk")

    [line] = [line for line in jobrun("inspect", "1").stdout.splitlines() if line.startswith("edited ")]
    [record] = jobrun_json("inspect", "1")["edits"]  # type: ignore[index]

    assert line.endswith(": args changed; queue default to bulk")
    assert record["changes"] == "args changed; queue default to bulk"


def test_what_was_changed_goes_with_the_job(store: Store, add: Make, jobrun: Run) -> None:
    add()
    jobrun("edit", "1", "--set", "priority=1")
    jobrun("cancel", "1")

    jobrun("purge", "1")

    assert store.edits.of(1) == []


JOBS = [
    NewJob(kind=Kind.CALL, task="app:f", args=(1, "ü\n'\"", None), kwargs={"a": [1.5]}, deadline_s=60.0),
    NewJob(
        kind=Kind.CALL,
        task="app:g",
        terms=Terms(isolate=True),
        surroundings=Surroundings(cwd="/srv", umask=0o77, environment={"A": "b"}),
    ),
    NewJob(
        kind=Kind.SHELL,
        task="echo 'a' \"b\"\n\techo c",
        expires_at=NOW + timedelta(hours=1, milliseconds=3),
        timeout_s=0.25,
        backoff_s=12.345,
        surroundings=Surroundings(cwd="/srv", umask=0o22, environment={"A": "b"}),
        terms=Terms(stdin="x\n", ok_exit=(0, 3)),
    ),
    NewJob(kind=Kind.COMMAND, task="cp 'a b' c", args=("cp", "a b", "c"), key="k", name="n", tags=("t",)),
]


@pytest.mark.parametrize("new", JOBS, ids=lambda new: new.task[:5])
def test_a_page_that_is_read_back_says_what_the_job_is(store: Store, new: NewJob) -> None:
    store.intake.add([new], now=NOW)
    job = got(store)
    fields = editing.fields_of(job, rfc3339)

    read = editpage.read(re.sub(r"(?m)^#! .*\n", "", editpage.page(1, fields)))

    assert editing.changes(fields, read) == {}
    store.edits.make(job, editing.changed(job, {}, READER), Edit(at=NOW, by="ann", changes=""))
    assert got(store) == job
    everything = {name: value for name, value in fields.items() if value is not None}
    assert replace(editing.changed(job, everything, READER), run_at=NOW) == replace(
        editing.changed(job, {}, READER), run_at=NOW
    )
