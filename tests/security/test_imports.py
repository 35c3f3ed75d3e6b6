"""A module in the working directory, or in a folder of jobs, never takes the place of one of Python's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jobrun.store import open_store
from tests.process.site import Site
from tests.security.face import jobrun_at

TAKEN = ["json", "sqlite3", "typing", "signal", "socket", "typer", "jobrun_task"]
SCRIPT = Path(sys.executable).with_name("jobrun")
VERBS = [
    ["enqueue", "jobrun_task:f"],
    ["enqueue", "jobrun_task:f", "--in", "1s"],
    ["enqueue", "jobrun_task:f", "--check"],
    ["list"],
    ["status", "--json"],
    ["worker", "--burst", "-n", "1"],
]


def plant(folder: Path) -> Path:
    """Put modules into a folder that tell when they are run; return where."""
    told = folder / "told"
    for name in TAKEN:
        (folder / f"{name}.py").write_text(
            f"open({str(told)!r}, 'a').write('{name}\\n')\ndef f(): import json; json.dumps(1)\n"
        )
    return told


@pytest.mark.process
@pytest.mark.parametrize("verb", VERBS)
def test_a_module_in_the_working_directory_is_not_run_for_one_of_python(
    tmp_path: Path, verb: list[str]
) -> None:
    db = tmp_path / "state" / "jobs.db"
    db.parent.mkdir(mode=0o700)
    open_store(db, create=True).close()
    (tmp_path / "cwd").mkdir(mode=0o700)
    told = plant(tmp_path / "cwd")

    answer = jobrun_at(db, *verb, cwd=tmp_path / "cwd")

    assert answer.code == 0, answer
    assert (told.read_text() if told.exists() else "") == ("jobrun_task\n" if "--check" in verb else "")


@pytest.mark.skipif(not SCRIPT.exists(), reason="the command is not installed beside this Python")
def test_the_installed_command_does_not_look_there_either(tmp_path: Path) -> None:
    told = plant(tmp_path)
    db = tmp_path / "jobs.db"

    done = subprocess.run(
        [SCRIPT, "--db", db, "enqueue", "m:f"], cwd=tmp_path, capture_output=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert not told.exists()


@pytest.mark.process
def test_a_job_finds_pythons_own_modules_first_and_those_of_its_folder_last(site: Site) -> None:
    told = plant(site.folder / "tasks")

    job = site.call("jobrun_task:f")
    site.burst(n=1)

    assert site.job(job).state == "succeeded", site.last(job)
    assert told.read_text() == "jobrun_task\n"
