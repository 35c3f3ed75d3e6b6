"""What jobs print, and what is too large for a message."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from jobrun.model import Outcome, State
from tests.process.site import Site, eventually

pytestmark = pytest.mark.process

HEAD, TAIL = 64 * 1024, 192 * 1024


def test_output_is_in_a_file_while_the_job_runs(served: Site) -> None:
    go = served.folder / "go"
    call = served.call("prints_and_waits", str(go))
    command = served.shell("echo here I am; while [ ! -e go ]; do sleep 0.01; done")

    for job_id in (call, command):
        eventually(lambda job_id=job_id: _live(served, job_id) == b"here I am\n")  # type: ignore[misc]
    go.touch()

    for job_id in (call, command):
        assert served.wait(job_id).state is State.SUCCEEDED
        assert served.last(job_id).ending.output.head == b"here I am\n"


def test_who_follows_a_job_sees_all_that_it_prints_and_leaves_with_its_code(served: Site) -> None:
    line = "for n in 1 2 3 4 5; do echo $n; sleep 0.1; done; exit 7"
    command = [
        sys.executable,
        "-m",
        "jobrun",
        "--db",
        str(served.path),
        "enqueue",
        "--follow",
        "--shell",
        line,
    ]

    followed = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert followed.stdout.splitlines()[-5:] == ["1", "2", "3", "4", "5"]
    assert followed.returncode == 7


def test_head_and_tail_of_much_output_are_kept_and_what_is_cut_is_counted(served: Site) -> None:
    job_id = served.call("prints_much")
    served.wait(job_id)

    output = served.last(job_id).ending.output
    assert (len(output.head), len(output.tail), output.size) == (HEAD, TAIL, 1_000_010)
    assert output.cut == 1_000_010 - HEAD - TAIL
    assert output.head.startswith(b"begin\nxxx")
    assert output.tail.endswith(b"xxx\nend")


def test_a_line_of_a_hundred_mebibytes_keeps_head_and_tail(served: Site) -> None:
    job_id = served.call("prints_a_long_line", 100)
    served.wait(job_id)

    ending = served.last(job_id).ending
    assert ending.output.size == 100 << 20
    assert (len(ending.output.head), len(ending.output.tail)) == (HEAD, TAIL)
    assert (ending.peak_rss or 0) < 100 << 20


def test_output_without_end_is_stopped_by_the_time_limit(served: Site) -> None:
    job_id = served.call("prints_without_end", timeout_s=0.3)
    served.wait(job_id)

    ending = served.last(job_id).ending
    assert ending.outcome is Outcome.TIMEOUT
    assert (len(ending.output.head), len(ending.output.tail)) == (HEAD, TAIL)


def test_output_is_kept_as_the_bytes_that_were_printed(served: Site) -> None:
    job_id = served.call("prints_bytes")
    served.wait(job_id)

    assert served.last(job_id).ending.output.head == b"\xff\x00\x1b[31m"


def test_output_of_a_job_whose_worker_is_killed_is_kept(site: Site) -> None:
    group = site.start()
    call = site.call("prints_and_waits", "/nonexistent")
    command = site.shell('echo here I am; echo "S $JOBRUN_ID 1" >> "$LEDGER"; sleep 600')

    for job_id in (call, command):
        site.runs(job_id)
        group.kill_one(group.runner(job_id))
        assert site.wait(job_id).state is State.CRASHED
        assert site.last(job_id).ending.output.head == b"here I am\n"


def test_output_of_a_job_whose_group_is_killed_is_kept(site: Site) -> None:
    group = site.start()
    job_id = site.call("prints_and_waits", "/nonexistent")
    site.runs(job_id)
    group.kill_all()

    site.burst()

    assert site.wait(job_id).state is State.CRASHED
    assert site.last(job_id).ending.output.head == b"here I am\n"


def test_one_job_does_not_print_into_the_next(served: Site) -> None:
    ids = [served.shell(f"echo {number}") for number in range(20)]

    for number, job_id in enumerate(ids):
        served.wait(job_id)
        assert served.last(job_id).ending.output.head == f"{number}\n".encode()


def test_what_a_killed_daemon_would_print_reaches_no_other_job(served: Site) -> None:
    first = served.shell("(trap '' TERM; sleep 0.1; while :; do echo late; done) & exit 0")
    served.wait(first)

    for _ in range(5):
        job_id = served.shell("echo mine")
        served.wait(job_id)
        assert served.last(job_id).ending.output.head == b"mine\n"


@pytest.mark.parametrize("size", [1_000, 65_536, 300_000, 1_000_000])
def test_arguments_and_results_of_any_allowed_size_arrive(served: Site, size: int) -> None:
    sent = served.wait(served.call("length", "x" * size))
    returned = served.wait(served.call("long_text", size))

    assert sent.result == str(size)
    assert json.loads(returned.result or "") == "x" * size


def test_a_large_result_survives_the_death_of_the_dispatcher(site: Site) -> None:
    group = site.start()
    job_id = site.call("long_text_after", 300_000, str(site.folder / "go"))
    site.runs(job_id)
    dispatcher = group.dispatcher()
    group.freeze(dispatcher)
    (site.folder / "go").touch()
    eventually(lambda: site.effects()[f"E {job_id} 1"])
    group.kill_one(dispatcher)

    assert len(site.wait(job_id).result or "") == 300_002


def _live(site: Site, job_id: int) -> bytes:
    path = site.side / "logs" / (site.job(job_id).worker or "none")
    return path.read_bytes() if path.exists() else b""
