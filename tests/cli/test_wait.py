from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobrun.actions import waiting
from jobrun.bell import Tone, ring
from jobrun.errors import WaitRanOut
from jobrun.model import Job, Outcome
from jobrun.paths import side_dir
from jobrun.store import Store, open_store

Make = Callable[..., Job]
Run = Callable[..., subprocess.CompletedProcess[str]]
RunJson = Callable[..., Any]


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ({}, 0),
        ({"outcome": Outcome.ERROR, "exit_code": 3, "cause": "exit 3"}, 3),
        ({"outcome": Outcome.ERROR, "cause": "ValueError: x"}, 1),
        ({"outcome": Outcome.CRASHED, "signal": 11, "cause": "killed by SIGSEGV"}, 139),
        ({"outcome": Outcome.TIMEOUT, "signal": 15, "cause": "time limit"}, 143),
        ({"outcome": Outcome.CANCELLED, "cause": "cancelled"}, 1),
    ],
)
def test_the_exit_code_of_one_job_is_its_own(
    ending: dict[str, Any], code: int, end: Make, jobrun: Run
) -> None:
    job = end(ending=ending)

    assert jobrun("wait", str(job.id)).returncode == code


def test_of_several_it_is_1_if_any_failed(end: Make, fail: Make, jobrun: Run) -> None:
    fine, also_fine, failed = end(), end(), fail()

    assert jobrun("wait", str(fine.id), str(also_fine.id)).returncode == 0
    assert jobrun("wait", str(fine.id), str(failed.id)).returncode == 1


@pytest.mark.usefixtures("store")
def test_a_job_cancelled_before_it_ran_counts_as_failed(add: Make, jobrun: Run) -> None:
    job = add()
    jobrun("cancel", str(job.id))

    assert jobrun("wait", str(job.id)).returncode == 1


def test_the_time_runs_out(add: Make, jobrun: Run) -> None:
    job = add()

    done = jobrun("wait", str(job.id), "--timeout", "0.1s")

    assert done.returncode == 124
    assert f"\njobrun: waited 0.1 s: job {job.id} is ready\n" in done.stderr


@pytest.mark.usefixtures("store")
def test_our_own_errors_are_125(jobrun: Run) -> None:
    assert jobrun("wait", "999").returncode == 125


@pytest.mark.usefixtures("path")
def test_a_missing_job_file_is_125_too(jobrun: Run) -> None:
    assert jobrun("wait", "1").returncode == 125


@pytest.mark.usefixtures("store")
def test_words_that_make_no_sense_are_2(jobrun: Run) -> None:
    assert jobrun("wait", "x").returncode == 2


def test_it_leaves_when_the_last_job_ends(
    start: Make, settled: Make, end: Make, environ: dict[str, str]
) -> None:
    ended, job = end(), start()
    command = [sys.executable, "-m", "jobrun", "wait", str(ended.id), str(job.id)]
    with subprocess.Popen(command, env=environ) as child:
        settled(job)

        assert child.wait(timeout=30) == 0


def test_the_bell_wakes_a_waiter(
    path: Path, start: Make, settled: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "LOOK_S", 60.0)  # the safety net is out of reach
    job = start()
    listening = threading.Event()
    found: list[Job] = []

    def wait() -> None:
        with open_store(path) as opened:
            listening.set()
            found.extend(waiting.wait(opened, [job.id], timeout_s=50))

    waiter = threading.Thread(target=wait)
    waiter.start()
    listening.wait(10)
    settled(job)
    waiter.join(10)
    was_woken = not waiter.is_alive()
    ring(side_dir(path), Tone.DONE)
    waiter.join(10)

    assert was_woken
    assert [each.id for each in found] == [job.id]


def test_a_wait_of_no_time_looks_once(store: Store, add: Make) -> None:
    job = add()

    with pytest.raises(WaitRanOut, match=f"job {job.id} is ready"):
        waiting.wait(store, [job.id], timeout_s=0)


def test_json_shows_the_jobs_as_they_ended(end: Make, jobrun_json: RunJson) -> None:
    first, second = end(), end()

    found = jobrun_json("wait", str(first.id), str(second.id))

    assert [(each["id"], each["state"]) for each in found] == [
        (first.id, "succeeded"),
        (second.id, "succeeded"),
    ]


def test_who_waits_without_a_worker_hears_of_it(add: Make, end: Make, jobrun: Run) -> None:
    ended = jobrun("wait", str(end().id))
    waiting_in_vain = jobrun("wait", str(add().id), "--timeout", "0.05s")

    assert ended.stderr == ""
    assert waiting_in_vain.stderr.startswith("no worker is running; start one with `jobrun worker`\n")


def test_who_waited_hears_how_a_job_failed(end: Make, fail: Make, jobrun: Run) -> None:
    fine, failed = end(), fail()

    done = jobrun("wait", str(fine.id), str(failed.id))

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"[job {failed.id} failed: exit 3]\n"
