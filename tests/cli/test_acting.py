from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from jobrun.model import Job, State
from jobrun.store import Store

Make = Callable[..., Job]
Run = Callable[..., subprocess.CompletedProcess[str]]


def get(store: Store, job: Job) -> Job:
    now = store.ledger.get(job.id)
    assert now is not None
    return now


def test_retry_gives_all_retries_back(store: Store, fail: Make, jobrun: Run) -> None:
    job = fail()

    done = jobrun("retry", str(job.id))

    assert (done.returncode, done.stdout) == (0, "1 job retried\n")
    assert (get(store, job).state, get(store, job).failures, get(store, job).attempt) == (State.READY, 0, 1)


@pytest.mark.usefixtures("store")
def test_retry_of_a_job_that_succeeded_is_not_done(end: Make, jobrun: Run) -> None:
    job = end()

    done = jobrun("retry", str(job.id))

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"jobrun: job {job.id} is succeeded: not retried\n"


def test_cancel_ends_a_job_that_waits(store: Store, add: Make, jobrun: Run) -> None:
    job = add()

    assert jobrun("cancel", str(job.id)).returncode == 0
    assert get(store, job).state is State.CANCELLED


def test_cancel_asks_the_worker_of_a_job_that_runs(store: Store, start: Make, jobrun: Run) -> None:
    job = start()

    done = jobrun("cancel", str(job.id))

    assert done.returncode == 0
    assert get(store, job).state is State.RUNNING
    assert get(store, job).cancel_at is not None


def test_cancel_of_an_ended_job_is_not_done(store: Store, end: Make, jobrun: Run) -> None:
    job = end()

    done = jobrun("cancel", str(job.id))

    assert done.returncode == 1
    assert done.stderr == f"jobrun: job {job.id} is succeeded: not cancelled\n"
    assert get(store, job).state is State.SUCCEEDED


@pytest.mark.parametrize(
    ("verb", "word", "code"),
    [
        *(("inspect", word, 2) for word in ("0", "1.5", "٣", "", "-1")),
        ("inspect", "99999999999999999999", 3),
        *((verb, "abc", 2) for verb in ("retry", "cancel", "purge", "inspect", "logs")),
        *((verb, "999", 3) for verb in ("retry", "cancel", "purge", "inspect", "logs")),
    ],
)
@pytest.mark.usefixtures("store")
def test_what_is_no_id_and_what_is_no_job(verb: str, word: str, code: int, jobrun: Run) -> None:
    done = jobrun(verb, word)

    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("jobrun: ")
    assert len(done.stderr.splitlines()) <= 2


@pytest.mark.usefixtures("store")
def test_an_error_with_json_is_an_object(jobrun: Run) -> None:
    done = jobrun("inspect", "7", "--json")

    assert done.returncode == 3
    found: Any = json.loads(done.stdout)
    assert found == {"error": {"code": 3, "message": "no job 7"}}


def test_what_is_cancelled_already_is_said_so(add: Make, jobrun: Run) -> None:
    job = add()
    jobrun("cancel", str(job.id))
    done = jobrun("cancel", str(job.id))

    assert (done.returncode, done.stderr) == (1, f"jobrun: job {job.id} is cancelled already\n")
