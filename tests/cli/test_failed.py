from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from jobrun.model import Job, Outcome, State
from jobrun.store import Store

Make = Callable[..., Job]
Run = Callable[..., subprocess.CompletedProcess[str]]
RunJson = Callable[..., Any]


def state(store: Store, job: Job) -> State | None:
    now = store.ledger.get(job.id)
    return None if now is None else now.state


def test_failed_and_crashed_jobs_are_shown_with_their_cause(fail: Make, end: Make, jobrun: Run) -> None:
    end()
    fail("app:broken")
    end("app:dead", ending={"outcome": Outcome.CRASHED, "signal": 11, "cause": "killed by SIGSEGV"})

    lines = jobrun("failed").stdout.splitlines()

    assert [line.split()[1:3] for line in lines[1:]] == [["crashed", "app:dead"], ["failed", "app:broken"]]
    assert "killed by SIGSEGV" in lines[1]
    assert "exit 3" in lines[2]


@pytest.mark.usefixtures("store")
def test_no_failed_job_is_good_news(jobrun: Run) -> None:
    done = jobrun("failed")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "no job has failed\n")


def test_retry_queues_all_of_them_again(store: Store, fail: Make, jobrun: Run) -> None:
    jobs = [fail() for _ in range(3)]

    done = jobrun("failed", "--retry")

    assert (done.returncode, done.stdout) == (0, "3 jobs retried\n")
    assert {state(store, job) for job in jobs} == {State.READY}


@pytest.mark.usefixtures("store")
def test_retry_of_nothing_is_done(jobrun: Run) -> None:
    done = jobrun("failed", "--retry")

    assert (done.returncode, done.stdout) == (0, "nothing to be retried\n")


def test_retry_takes_filters(store: Store, fail: Make, jobrun: Run) -> None:
    mail, news, old = fail("mail:send"), fail("news:send"), fail("mail:send", ago_s=7200)

    jobrun("failed", "--retry", "--task", "mail:*", "--since", "1h")

    assert [state(store, job) for job in (mail, news, old)] == [State.READY, State.FAILED, State.FAILED]


def test_retry_of_one_that_has_not_failed_changes_nothing_of_it(
    store: Store, fail: Make, end: Make, jobrun: Run
) -> None:
    failed, fine = fail(), end()

    done = jobrun("failed", "--retry", str(failed.id), str(fine.id))

    assert done.returncode == 1
    assert done.stderr == f"jobrun: job {fine.id} is succeeded: not retried\n"
    assert [state(store, job) for job in (failed, fine)] == [State.READY, State.SUCCEEDED]


def test_an_unknown_id_changes_nothing(store: Store, fail: Make, jobrun: Run) -> None:
    failed = fail()

    done = jobrun("failed", "--retry", str(failed.id), "999")

    assert done.returncode == 3
    assert done.stderr.startswith("jobrun: no job 999\n")
    assert state(store, failed) is State.FAILED


def test_a_job_whose_key_is_taken_does_not_hold_up_the_others(
    store: Store, fail: Make, add: Make, jobrun: Run
) -> None:
    other, held_up = fail(), fail(key="one")
    add(key="one")

    done = jobrun("failed", "--retry")

    assert done.returncode == 1
    assert (state(store, other), state(store, held_up)) == (State.READY, State.FAILED)


def test_two_failed_jobs_of_one_key_are_retried_one_at_a_time(store: Store, fail: Make, jobrun: Run) -> None:
    first, second = fail(key="one"), fail(key="one")

    done = jobrun("failed", "--retry")

    assert done.returncode == 1
    assert (state(store, first), state(store, second)) == (State.READY, State.FAILED)


def test_retry_and_purge_exclude_each_other(store: Store, fail: Make, jobrun: Run) -> None:
    job = fail()

    done = jobrun("failed", "--retry", "--purge")

    assert done.returncode == 2
    assert state(store, job) is State.FAILED


@pytest.mark.parametrize("selector", [[], ["--yes"]])
def test_purge_without_a_selector_is_refused(
    selector: list[str], store: Store, fail: Make, jobrun: Run
) -> None:
    job = fail()

    assert jobrun("failed", "--purge", *selector).returncode == 2
    assert state(store, job) is State.FAILED


@pytest.mark.parametrize("change", ["--retry", "--purge"])
def test_a_limit_of_what_is_shown_does_not_choose_what_is_changed(
    store: Store, fail: Make, jobrun: Run, change: str
) -> None:
    job = fail()

    done = jobrun("failed", "--limit", "1", change, "--all", "--yes")

    assert done.returncode == 2
    assert "--limit" in done.stderr
    assert state(store, job) is State.FAILED


def test_purge_of_all_asks_and_cannot_without_a_terminal(store: Store, fail: Make, jobrun: Run) -> None:
    job = fail()

    done = jobrun("failed", "--purge", "--all", text="y\n")

    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert state(store, job) is State.FAILED


def test_purge_of_all_with_yes_removes_only_what_failed(
    store: Store, fail: Make, end: Make, jobrun: Run
) -> None:
    failed, fine = fail(), end()

    done = jobrun("failed", "--purge", "--all", "--yes")

    assert (done.returncode, done.stdout) == (0, "1 job purged\n")
    assert (state(store, failed), state(store, fine)) == (None, State.SUCCEEDED)


def test_purge_by_id_does_not_ask(store: Store, fail: Make, jobrun: Run) -> None:
    job, kept = fail(), fail()

    assert jobrun("failed", "--purge", str(job.id)).returncode == 0
    assert (state(store, job), state(store, kept)) == (None, State.FAILED)


def test_the_answer_on_a_terminal_decides(store: Store, fail: Make, terminal: Callable[..., str]) -> None:
    job = fail()

    refused = terminal("failed", "--purge", "--all", keys="n\n")
    was_kept = state(store, job)
    terminal("failed", "--purge", "--all", keys="y\n")

    assert "remove 1 job for good? [y/N]" in refused
    assert was_kept is State.FAILED
    assert state(store, job) is None


def test_json_lists_and_counts(fail: Make, jobrun_json: RunJson) -> None:
    job = fail()

    assert [each["id"] for each in jobrun_json("failed")] == [job.id]
    assert jobrun_json("failed", "--retry")["retried"] == 1
    assert jobrun_json("failed") == []
