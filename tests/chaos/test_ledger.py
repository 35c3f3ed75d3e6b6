"""What jobs write down: that two attempts of one job live at a time cannot be missed, whoever runs them."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobrun import procs
from tests.chaos.ledger import Papers, read_effects, write
from tests.chaos.tasks import chaostasks
from tests.process.site import eventually

NO_FILE = Path("/nonexistent")
SCRIPT = Path(__file__).parent / "tasks" / "living.sh"


class Runner:
    """Begins attempts of job 7, as calls here or as commands."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.papers = Papers(folder)
        self._monkeypatch = monkeypatch

    @contextmanager
    def call(self, number: int) -> Iterator[None]:
        for name, value in self.environment(number).items():
            self._monkeypatch.setenv(name, value)
        with chaostasks.attempt():
            yield

    @contextmanager
    def command(self, number: int) -> Iterator[None]:
        process = subprocess.Popen(["sh", SCRIPT, "60"], env=self.environment(number), start_new_session=True)
        eventually(lambda: f"t{number}" in read_effects(self.papers.effects).began)
        yield
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        eventually(
            lambda: not procs.carriers(f"JOBRUN_TOKEN=t{number}", NO_FILE)
        )  # what it started dies, too

    def environment(self, number: int) -> dict[str, str]:
        given = {"JOBRUN_ID": "7", "JOBRUN_TOKEN": f"t{number}", "JOBRUN_ATTEMPT": str(number)}
        return {**given, "EFFECTS": str(self.papers.effects), "PATH": "/usr/bin:/bin"}


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    return Runner(tmp_path, monkeypatch)


@pytest.mark.parametrize("first", ["call", "command"])
@pytest.mark.parametrize("second", ["call", "command"])
def test_an_attempt_that_begins_while_another_lives_is_noted(runner: Runner, first: str, second: str) -> None:
    with getattr(runner, first)(1), getattr(runner, second)(2):
        pass

    assert set(read_effects(runner.papers.effects).overlaps) == {"t2"}


@pytest.mark.parametrize("kind", ["call", "command"])
def test_an_attempt_that_begins_after_another_has_ended_is_in_order(runner: Runner, kind: str) -> None:
    for number in (1, 2):
        with getattr(runner, kind)(number):
            pass

    effects = read_effects(runner.papers.effects)
    assert set(effects.began) == {"t1", "t2"}
    assert not effects.overlaps


def test_a_line_that_a_kill_cut_off_is_none(tmp_path: Path) -> None:
    papers = Papers(tmp_path)
    write(papers.acknowledged, [1, 2])
    with papers.acknowledged.open("a") as paper:
        paper.write("3")

    assert papers.ids(papers.acknowledged) == {1, 2}
