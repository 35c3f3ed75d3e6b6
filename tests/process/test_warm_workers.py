"""A worker runs many calls, and each finds it as the first one did."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from jobrun.model import State
from tests.process.site import Site

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Give a group of a single worker: every call runs in the same process."""
    site = Site(tmp_path_factory.mktemp("warm"))
    site.start(n=1)
    yield site
    site.close()


def test_what_a_call_changes_in_its_worker_is_put_back(served: Site) -> None:
    before = _surroundings(served)
    mess = served.wait(served.call("leaves_a_mess"))

    after = _surroundings(served)

    assert mess.state is State.SUCCEEDED
    assert mess.result == str(before["pid"]), "the same worker ran all three"
    assert after == before


def test_a_call_that_closes_its_input_leaves_the_next_one_an_empty_input(served: Site) -> None:
    served.wait(served.call("closes_input"))

    assert _surroundings(served)["descriptors"][0] == "/dev/null"


def test_a_call_finds_what_is_documented(served: Site) -> None:
    found = _surroundings(served)

    assert found["cwd"] == str(served.folder)
    assert found["path"][-1] == str(served.folder / "tasks")
    assert found["descriptors"][0] == "/dev/null"
    assert found["descriptors"][1] == found["descriptors"][2]
    assert found["mask"] == []
    assert "LEFT_BEHIND" not in found["environment"]


def test_output_goes_on_after_a_call_has_closed_its_descriptors(served: Site) -> None:
    for task in ("closes_standard_descriptors", "moves_standard_descriptors", "replaces_streams"):
        job_id = served.call(task)
        assert served.wait(job_id).state is State.SUCCEEDED
        calm = served.call("says", "still here")
        served.wait(calm)
        assert served.last(calm).ending.output.head == b"still here\n", task
        if task != "replaces_streams":
            assert served.last(job_id).ending.output.head == b"before"


def test_a_command_gets_the_directory_umask_and_environment_of_its_caller(served: Site) -> None:
    job_id = served.shell("pwd; umask; echo $LANG; echo $JOBRUN_ID $JOBRUN_ATTEMPT $JOBRUN_MAX_ATTEMPTS")
    served.wait(job_id)

    printed = served.last(job_id).ending.output.head.decode().splitlines()
    assert printed == [str(served.folder), "0022", "C.UTF-8", f"{job_id} 1 1"]


def test_a_command_starts_with_the_signals_and_descriptors_of_a_fresh_shell(served: Site) -> None:
    job_id = served.shell("grep -E '^Sig(Blk|Ign):' /proc/self/status; ls /proc/self/fd | wc -l")
    served.wait(job_id)

    lines = served.last(job_id).ending.output.head.decode().split()
    assert lines[:4] == ["SigBlk:", "0" * 16, "SigIgn:", "0" * 16]
    assert int(lines[4]) == 5, "0, 1, 2, the attempt's lock, and what ls reads"


def test_a_fork_server_is_stopped_after_each_call_and_begins_anew_in_the_next(served: Site) -> None:
    ids = [served.call("uses_a_fork_server", kwargs={"leave": leave}) for leave in (False, True, False)]

    jobs = [served.wait(job_id) for job_id in ids]

    assert len({job.result for job in jobs}) == 1, jobs
    assert (jobs[0].result or "").startswith("[1,2,")
    assert [job.note for job in jobs] == [None, "left 1 process, ended", None]
    assert [served.last(job_id).ending.output.head for job_id in ids] == [b"", b"", b""]


def test_the_job_file_is_not_open_in_a_worker(served: Site) -> None:
    result = served.wait(served.call("open_files")).result

    assert [
        path for path in json.loads(result or "") if path.startswith(f"{served.path}") and ".d/" not in path
    ] == []


def _surroundings(site: Site) -> dict[str, Any]:
    job = site.wait(site.call("surroundings"))
    found: dict[str, Any] = json.loads(job.result or "")
    return found
