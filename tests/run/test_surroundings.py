from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobrun.model import Kind
from jobrun.run.surroundings import Surroundings
from jobrun.wire.messages import Run


def order(number: int = 1, **options: Any) -> Run:
    plain: dict[str, Any] = {
        "kind": Kind.CALL,
        "task": "a:b",
        "args": [],
        "kwargs": {},
        "queue": "default",
        "name": None,
    }
    return Run(
        token=f"t{number}", job_id=number, attempt=1, max_attempts=1, grace_s=1.0, **{**plain, **options}
    )


@pytest.fixture
def around(tmp_path: Path) -> Iterator[Surroundings]:
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("JOBRUN_")]:
        del os.environ[name]
    os.environ["OWN"] = "kept"
    yield Surroundings(tmp_path / "jobs.db")
    os.environ.clear()
    os.environ.update(before)


def test_a_job_finds_itself_in_its_variables(around: Surroundings) -> None:
    for number in (1, 2):
        assert around.enter(order(number, environment={"MINE": str(number)})) is None

        assert os.environ["JOBRUN_ID"] == os.environ["MINE"] == str(number)
        assert os.environ["OWN"] == "kept"
        around.leave()


def test_a_call_that_puts_something_else_in_place_of_its_variables_harms_nobody(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    around.enter(order(1))
    monkeypatch.setattr(os, "environ", {"OWN": "lost"})
    around.leave()

    around.enter(order(2))

    assert (os.environ["OWN"], os.environ["JOBRUN_ID"]) == ("kept", "2")


def test_what_only_one_job_was_given_is_not_there_for_the_next(around: Surroundings) -> None:
    around.enter(order(1, environment={"MINE": "1", "OWN": "other"}))
    around.leave()

    around.enter(order(2))

    assert "MINE" not in os.environ
    assert os.environ["OWN"] == "kept"


def clear() -> None:
    os.environ.clear()


def change() -> None:
    os.environ["OWN"] = "lost"
    os.environ["NEW"] = "1"


def take_away() -> None:
    del os.environ["OWN"], os.environ["JOBRUN_TOKEN"]


@pytest.mark.parametrize("harm", [clear, change, take_away])
def test_what_a_call_does_to_its_variables_is_undone(around: Surroundings, harm: Callable[[], None]) -> None:
    around.enter(order(1))
    before = dict(os.environ)

    harm()
    around.leave()

    assert dict(os.environ) == before
    assert subprocess.run(["/bin/sh", "-c", "echo $OWN"], capture_output=True, check=True).stdout == b"kept\n"


def _resident() -> int:
    """Return the memory of this process, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_the_variables_of_ever_new_jobs_take_no_more_memory(around: Surroundings) -> None:
    for number in range(1_000):
        around.enter(order(number))
        around.leave()
    before = _resident()

    for number in range(1_000, 21_000):
        around.enter(order(number))
        around.leave()

    assert _resident() - before < 500_000  # setenv(3) would keep 140 bytes of each


@pytest.mark.parametrize(
    "harm",
    [
        lambda: None,
        lambda: os.environ.update(JOBRUN_TOKEN="another"),
        lambda: os.environ.pop("JOBRUN_TOKEN"),
        lambda: os.unsetenv("JOBRUN_TOKEN"),
        lambda: os.putenv("JOBRUN_TOKEN", "another"),
    ],
)
def test_a_program_is_given_the_variables_of_its_job_whatever_the_last_one_did(
    around: Surroundings, harm: Callable[[], None]
) -> None:
    around.enter(order(1))
    harm()
    around.leave()

    for number in (2, 10**30, 3):  # one that needs more room among them
        around.enter(order(number))
        printed = subprocess.run(["printenv", "JOBRUN_TOKEN", "OWN"], capture_output=True, check=True)
        around.leave()

        assert printed.stdout == b"t%d\nkept\n" % number
