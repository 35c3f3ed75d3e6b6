"""What a person reads when there is no room for a job."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

LIMITED = ["sh", "-c", 'ulimit -f 1; exec "$@"', "sh", sys.executable, "-m", "jobrun"]


@pytest.mark.parametrize("is_there", [True, False])
def test_a_job_for_which_there_is_no_room_was_not_queued(
    environ: dict[str, str], tmp_path: Path, *, is_there: bool
) -> None:
    path = tmp_path / "folder" / "jobs.db"
    path.parent.mkdir(mode=0o700)
    environ = {**environ, "JOBRUN_DB": str(path)}
    if is_there:
        subprocess.run(
            [sys.executable, "-m", "jobrun", "enqueue", "-q", "os:getpid"], env=environ, check=True
        )

    plain = _run(environ, "enqueue", "os:getpid")
    told = _run(environ, "enqueue", "os:getpid", "--retries", "3", "--json")
    looked = _run(environ, "list", "--json")

    what = path if is_there else path.parent
    said = f"no room left for `{what}`: the job was NOT queued"
    assert (plain.returncode, plain.stdout) == (4, "")
    assert plain.stderr == f"jobrun: {said}\nhint: free some disk space, then try again\n"
    assert json.loads(told.stdout)["error"] == {"code": 4, "message": said}
    if is_there:
        assert [job["id"] for job in json.loads(looked.stdout)] == [1]


def test_of_a_batch_it_is_said_how_much_was_queued(environ: dict[str, str], tmp_path: Path) -> None:
    path, batch = tmp_path / "folder" / "jobs.db", tmp_path / "batch"
    path.parent.mkdir(mode=0o700)
    environ = {**environ, "JOBRUN_DB": str(path)}
    batch.write_text("os:getpid\n" * 5000)
    words = ["enqueue", "-q", "--batch", str(batch)]
    subprocess.run([sys.executable, "-m", "jobrun", "enqueue", "-q", "os:getpid"], env=environ, check=True)

    limited = ["sh", "-c", 'ulimit -f 400; exec "$@"', "sh", sys.executable, "-m", "jobrun"]
    done = subprocess.run(
        [*limited, *words], env=environ, capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 4
    assert "nothing was changed" not in done.stderr
    assert re.search(r"(none|only the first \d+) of 5000 jobs (was|are) queued\n", done.stderr), done.stderr


def _run(environ: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*LIMITED, *words], env=environ, capture_output=True, text=True, check=False, timeout=60
    )
