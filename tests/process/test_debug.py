"""`jobrun debug`: a job run again before one's eyes, in a process that never had the store."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jobrun.model import State
from tests.process.site import DEADLINE_S, Site

pytestmark = pytest.mark.process

Finished = subprocess.CompletedProcess[str]
Debug = Callable[..., Finished]

_APP = """
import asyncio, decimal, json, os, sys, time

import jobrun

def boom(number, more=1):
    twice = number * 2
    return fail(twice) + more

def fail(value):
    raise ValueError(f"no {value}")

async def later(number):
    await asyncio.sleep(0)
    raise KeyError(number)

def show(text, **more):
    job = jobrun.current()
    return [text, more, os.environ["JOBRUN_ID"], os.environ["JOBRUN_ATTEMPT"], os.environ["JOBRUN_DEBUG"],
            job.id, os.environ.get("COLOUR"), os.getcwd()]

def ask():
    return input("name? ")

def enqueue():
    jobrun.enqueue("app:boom", 1)

def leave(code):
    sys.exit(code)

def for_ever():
    time.sleep(600)

def holds_store():
    return [name for name in (os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
            if os.path.exists(f"/proc/self/fd/{fd}")) if "jobs.db" in name]
"""


@pytest.fixture
def site(site: Site) -> Site:
    (site.folder / "tasks" / "app.py").write_text(_APP)
    return site


@pytest.fixture
def debug(site: Site) -> Debug:
    """Run `jobrun debug` on a job, and see that nothing in the job file changes."""

    def run(job_id: int, *options: str, keys: str = "") -> Finished:
        before = _dump(site.path)
        done = subprocess.run(
            [sys.executable, "-m", "jobrun", "debug", str(job_id), "--path", "tasks", *options],
            env={**site.environment(), "JOBRUN_DB": str(site.path)},
            cwd=site.folder,
            input=keys,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert _dump(site.path) == before
        assert site.strays() == []
        return done

    return run


def _dump(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def test_a_failed_call_fails_again_and_its_record_stays(site: Site, debug: Debug) -> None:
    job_id = site.call("app:boom", 3)
    site.burst("--path", "tasks", n=1)

    done = debug(job_id)

    assert site.job(job_id).state is State.FAILED
    first, *trace, last = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert first == f"[job {job_id} runs here again; its record stays as it is]"
    assert last == f"[job {job_id} failed here: ValueError: no 6]"
    assert [line.split(", in ")[1] for line in trace if ", in " in line] == ["boom", "fail"]


def test_it_has_the_arguments_the_directory_and_the_variables_of_its_attempt(
    site: Site, debug: Debug, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    table = site.folder / "table.toml"
    table.write_text(
        '[jobs.a]\ncall = "app:show"\nargs = ["hi"]\nkwargs = {colour = "red"}\nschedule = "@manual"\n'
        f'cwd = "{tmp_path / "there"}"\nenv = {{ COLOUR = "red" }}\n'
    )
    table.chmod(0o600)
    triggered = subprocess.run(
        [sys.executable, "-m", "jobrun", "--db", str(site.path), "cron", "trigger", "table.toml", "a", "-q"],
        cwd=site.folder,
        env=site.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert triggered.returncode == 0, triggered.stderr
    job_id = int(triggered.stdout)

    done = debug(job_id)

    assert done.returncode == 0, done.stderr
    told = f'["hi",{{"colour":"red"}},"{job_id}","1","1",{job_id},"red","{tmp_path / "there"}"]'
    assert done.stderr.splitlines()[-1] == f"[job {job_id} went well here; it returned {told}]"


def test_it_has_the_terminal(site: Site, debug: Debug) -> None:
    done = debug(site.call("app:ask"), keys="ann\n")

    assert done.stdout == "name? "
    assert 'it returned "ann"' in done.stderr


def test_pdb_comes_in_where_it_failed_in_a_frame_of_the_user(site: Site, debug: Debug) -> None:
    done = debug(site.call("app:boom", 3), "--pdb", keys="p value\nup\np twice\nup\nq\n")

    assert done.returncode == 1
    assert "(Pdb) 6\n" in done.stdout
    assert "Oldest frame" in done.stdout
    assert "jobrun" not in done.stdout.replace(str(site.folder), "")
    assert done.stderr.count("ValueError: no 6\n") == 1


def test_pdb_comes_in_in_a_coroutine(site: Site, debug: Debug) -> None:
    done = debug(site.call("app:later", 3), "--pdb", keys="p number\nq\n")

    assert "(Pdb) 3\n" in done.stdout


def test_pdb_is_not_there_when_it_goes_well(site: Site, debug: Debug) -> None:
    done = debug(site.call("app:leave", 0), "--pdb")

    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(("task", "first"), [("boom", "twice = "), ("later", "await asyncio")])
def test_break_stops_at_the_first_line(site: Site, debug: Debug, task: str, first: str) -> None:
    done = debug(site.call(f"app:{task}", 3), "--break", keys="p number\nc\n")

    assert f"{task}()\n-> {first}" in done.stdout
    assert "(Pdb) 3\n" in done.stdout
    assert done.returncode == 1


def test_break_can_step_to_the_end_and_sees_nothing_of_ours(site: Site, debug: Debug) -> None:
    done = debug(site.call("app:holds_store"), "--break", keys="u\nr\nn\nn\nn\nn\n")

    assert (done.returncode, "jobrun/run" in done.stdout) == (0, False)
    assert "Oldest frame" in done.stdout


def test_break_can_be_left(site: Site, debug: Debug) -> None:
    job_id = site.call("app:boom", 3)

    assert debug(job_id, "--break", keys="q\n").stderr.splitlines()[-1] == (
        f"[job {job_id} was left in the debugger]"
    )


def test_its_process_never_had_the_job_file_open(site: Site, debug: Debug) -> None:
    assert "it returned []" in debug(site.call("app:holds_store")).stderr


def test_it_adds_no_jobs(site: Site, debug: Debug) -> None:
    done = debug(site.call("app:enqueue"))

    assert done.returncode == 1
    assert "NotDone: a call that is run again by `jobrun debug` adds no jobs]" in done.stderr


@pytest.mark.parametrize(
    ("task", "args", "told"),
    [
        ("app:nowhere", (), "AttributeError: `app:nowhere`: there is no `nowhere`"),
        ("nowhere:f", (), "ModuleNotFoundError: No module named 'nowhere'"),
        ("app:boom", (), "TypeError: boom() missing 1 required positional argument: 'number'"),
        ("app:leave", (3,), "exit 3"),
    ],
)
def test_it_says_how_it_failed(site: Site, debug: Debug, task: str, args: tuple[int, ...], told: str) -> None:
    job_id = site.call(task, *args)

    for options in ((), ("--pdb",)):
        done = debug(job_id, *options)
        assert (done.returncode, done.stderr.splitlines()[-1]) == (1, f"[job {job_id} failed here: {told}]")


def test_it_may_have_a_time_limit(site: Site, debug: Debug) -> None:
    call, shell = site.call("app:for_ever"), site.shell("sleep 600")

    assert "failed here: stopped at its time limit]" in debug(call, "--timeout", "0.1s").stderr
    assert (
        "failed here: stopped at its time limit, killed by SIGTERM]"
        in debug(shell, "--timeout", "0.1s").stderr
    )


def test_a_shell_line_has_the_streams_of_its_caller(site: Site, debug: Debug) -> None:
    job_id = site.shell('read -r name; echo "$name $JOBRUN_ID $JOBRUN_DEBUG"; echo err >&2; exit 3')

    done = debug(job_id, keys="ann\n")

    assert (done.returncode, done.stdout) == (1, f"ann {job_id} 1\n")
    assert done.stderr.splitlines()[1:] == ["err", f"[job {job_id} failed here: exit 3]"]


def test_a_command_that_goes_well_says_so(site: Site, debug: Debug) -> None:
    job_id = site.command("printf", "%s|", "a b", "")

    done = debug(job_id)

    assert (done.returncode, done.stdout) == (0, "a b||")
    assert done.stderr.splitlines()[-1] == f"[job {job_id} went well here]"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--pdb", "--break"), "--pdb and --break exclude each other"),
        (("--pdb",), "is no Python call, so there is nothing for pdb"),
    ],
)
def test_what_makes_no_sense_is_refused(
    site: Site, debug: Debug, options: tuple[str, ...], told: str
) -> None:
    done = debug(site.shell("true"), *options)

    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


def test_a_job_that_nobody_has_is_told(debug: Debug) -> None:
    assert debug(99).returncode == 3


def test_a_folder_that_others_can_write_is_refused(site: Site, debug: Debug) -> None:
    (site.folder / "open").mkdir()
    (site.folder / "open").chmod(0o777)

    done = debug(site.call("app:boom", 1), "--path", "open")

    assert done.returncode == 5
    assert "can be written by everybody" in done.stderr
