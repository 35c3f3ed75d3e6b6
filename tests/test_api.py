import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import jobrun
from jobrun.model import Added, Job, NewJob, OnCrash, State, Terms
from jobrun.run import context
from jobrun.store import open_store


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "jobs.db"
    monkeypatch.setenv("JOBRUN_DB", str(path))
    return path


@pytest.fixture
def asked() -> Iterator[list[NewJob]]:
    """Be a worker that runs job 7; what the job asks of its dispatcher is kept."""
    kept: list[NewJob] = []

    def ask(jobs: Sequence[NewJob]) -> list[Added]:
        kept.extend(jobs)
        now = datetime.now(UTC)
        return [Added(id=100 + n, state=State.READY, run_at=now, is_new=True) for n in range(len(jobs))]

    context.enter(
        context.Context(
            id=7, attempt=2, max_attempts=3, queue="mail", name="news", token="t", pid=os.getpid(), ask=ask
        )
    )
    yield kept
    context.enter(None)


def stored(path: Path, job_id: int) -> Job:
    with open_store(path) as store:
        job = store.ledger.get(job_id)
    assert job is not None
    return job


def test_a_call_enqueued_is_in_the_file_with_its_arguments(path: Path) -> None:
    job_id = jobrun.enqueue("shop.mail:send", 42, (1, 2), subject="Grüße", target="x")

    job = stored(path, job_id)
    assert (job.task, job.args, job.kwargs) == (
        "shop.mail:send",
        (42, [1, 2]),
        {"subject": "Grüße", "target": "x"},
    )


def test_every_option_reaches_the_job(path: Path) -> None:
    job_id = jobrun.options(
        queue="mail",
        priority=5,
        in_s=60,
        expires=timedelta(minutes=2),
        retries=3,
        backoff_s=1,
        max_backoff_s=9,
        timeout_s=30,
        key="k",
        tags=("a", "b"),
        name="n",
        on_crash="park",
        isolate=True,
    ).enqueue("m:f")

    job = stored(path, job_id)
    assert (job.queue, job.priority, job.retries, job.timeout_s, job.key) == ("mail", 5, 3, 30, "k")
    assert (job.backoff_s, job.max_backoff_s, job.tags, job.name) == (1, 9, ("a", "b"), "n")
    assert job.terms == Terms(isolate=True)
    assert (job.on_crash, job.state) == (OnCrash.PARK, State.SCHEDULED)
    assert job.expires_at is not None
    assert job.expires_at - job.run_at == timedelta(minutes=2)


def test_a_taken_key_gives_the_job_that_has_it() -> None:
    once = jobrun.options(key="nightly")

    assert once.enqueue("m:f") == once.enqueue("m:f")


def test_many_are_enqueued_in_order_and_in_both_spellings(path: Path) -> None:
    first, second = jobrun.enqueue_many([("m:f", [1], {"x": 2}), jobrun.options(queue="q").job("m:g")])

    assert second == first + 1
    assert (stored(path, first).kwargs, stored(path, second).queue) == ({"x": 2}, "q")


def test_if_one_of_many_is_wrong_none_is_queued(path: Path) -> None:
    with pytest.raises(jobrun.JobrunError, match="needs a `:`"):
        jobrun.enqueue_many([("m:f", [], {}), ("wrong", [], {})])

    assert not path.exists()


def test_an_open_job_file_takes_jobs_until_it_is_closed(tmp_path: Path) -> None:
    other = tmp_path / "other.db"

    with jobrun.open(other) as jobs:
        ids = [jobs.enqueue("m:f", n) for n in range(3)] + jobs.enqueue_many([("m:g", [], {})])

    assert ids == [1, 2, 3, 4]
    assert stored(other, 2).args == (1,)


@pytest.mark.parametrize("value", [{1}, b"x", float("nan"), object()])
def test_an_argument_that_json_cannot_carry_is_refused_where_it_is_given(value: object) -> None:
    with pytest.raises(jobrun.JobrunError, match="JSON"):
        jobrun.enqueue("m:f", value)


@pytest.mark.parametrize(
    "given", [{"quue": "x"}, {"on_crash": "burn"}, {"in_s": float("nan")}, {"in_s": "5"}]
)
def test_an_option_that_makes_no_sense_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(jobrun.JobrunError):
        jobrun.options(**given).enqueue("m:f")


def test_eta_and_in_s_together_are_refused() -> None:
    with pytest.raises(jobrun.JobrunError, match="use one"):
        jobrun.options(eta=datetime.now(UTC), in_s=5).enqueue("m:f")


def test_outside_a_job_there_is_no_current_one() -> None:
    assert jobrun.current() is None


def test_a_job_knows_which_one_it_is(asked: list[NewJob]) -> None:
    assert jobrun.current() == jobrun.Current(id=7, attempt=2, max_attempts=3, name="news", queue="mail")
    assert asked == []


def test_a_job_enqueues_through_its_dispatcher_and_opens_nothing(asked: list[NewJob], path: Path) -> None:
    assert jobrun.enqueue("m:f", 1) == 100
    assert jobrun.enqueue_many([("m:g", [], {}), ("m:h", [], {})]) == [100, 101]

    assert [job.task for job in asked] == ["m:f", "m:g", "m:h"]
    assert not path.exists()


def test_a_job_may_not_open_a_job_file(asked: list[NewJob], path: Path) -> None:
    with pytest.raises(jobrun.JobrunError, match="must not open"):
        jobrun.open(path)

    assert asked == []


def test_importing_jobrun_loads_neither_sqlite_nor_dataclasses() -> None:
    code = "import sys, jobrun; sys.exit('sqlite3' in sys.modules or 'jobrun.model' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_public_name_is_there_and_no_other() -> None:
    assert all(getattr(jobrun, name) is not None for name in jobrun.__all__)
    with pytest.raises(AttributeError, match="no attribute `nonsense`"):
        _ = jobrun.nonsense
