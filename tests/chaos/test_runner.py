"""The command with made-up drills: what it prints, how it ends, and that nothing outlives it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from jobrun import procs
from tests.chaos.report import WIDTH, Tally, table
from tests.process.site import eventually

ROOT = Path(__file__).resolve().parents[2]
# `breaks` is a drill with two cases, of which one does not hold.
DRILLS = """
import subprocess, time
from tests.chaos.trial import CannotTry, Drill

def holds(trial):
    trial.count("kills", 1000)

def breaks(trial):
    trial.count("kills")
    trial.expect(trial.seed % 2, f"case {trial.seed % 2} did not hold: {trial.dice.random()}")

def cannot(trial):
    raise CannotTry("needs a moon")

def fails(trial):
    raise ZeroDivisionError("by zero")

def leaves(trial):
    subprocess.Popen(["sleep", "600"], start_new_session=True)
    trial.count("processes")

def hangs(trial):
    leaves(trial)
    (trial.folder.parent / "hangs").touch()
    time.sleep(600)

DRILLS = {
    each.__name__: Drill(level="L0", says=f"it {each.__name__}", run=each, long_s=1.0)
    for each in (holds, breaks, cannot, fails, leaves, hangs)
}
"""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A copy of what the command consists of, whose drills are made up."""

    folder: Path

    @property
    def ground(self) -> Path:
        return self.folder / "ground"

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.chaos", *words],
            cwd=self.folder,
            env={**os.environ, "TMPDIR": str(self.ground)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str) -> tuple[int, str]:
        """Run the command; return its exit code and what it printed."""
        with self.start(*words) as process:
            said, _ = process.communicate(timeout=60)
        return process.returncode, said


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    skipped = shutil.ignore_patterns("drills", "__pycache__")
    shutil.copytree(ROOT / "tests" / "chaos", tmp_path / "tests" / "chaos", ignore=skipped)
    for name in ("tests/process/site.py", "bench/tables.py", "tests/chaos/drills/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "tests/chaos/drills/__init__.py").write_text(DRILLS)
    (tmp_path / "ground").mkdir()
    return Checkout(tmp_path)


def test_a_run_in_which_all_held_ends_well_and_leaves_nothing(checkout: Checkout) -> None:
    code, said = checkout.run("holds", "--rounds", "2", "--seed", "5")

    assert code == 0, said
    assert "held   holds seed 5 in" in said
    assert "held   holds seed 6 in" in said
    assert re.search(r"\| holds +\| L0 +\| 2,000 kills +\| held +\| +2 \|", said)
    assert list(checkout.ground.iterdir()) == []


def test_a_fault_ends_the_run_badly_and_its_replay_finds_the_same(checkout: Checkout) -> None:
    code, said = checkout.run("breaks", "--rounds", "2", "--seed", "7", "-j", "1")

    assert code == 1
    assert re.search(r"\| breaks +\| L0 +\| 2 kills +\| BROKEN \(1\) +\| +2 \|", said)
    [fault] = re.findall(r"case 0 did not hold: .*", said)
    [replay] = re.findall(r"replay: ./install.sh chaos (.*)", said)
    assert replay == "breaks --seed 8 --rounds 1"
    [kept] = checkout.ground.iterdir()
    assert str(kept) in said
    code, again = checkout.run(*replay.split())
    assert code == 1
    assert fault in again


def test_a_replay_goes_on_for_as_long_as_what_it_replays(checkout: Checkout) -> None:
    _, said = checkout.run("breaks", "--rounds", "1", "--seed", "8", "--seconds", "2.5")

    assert "replay: ./install.sh chaos breaks --seed 8 --rounds 1 --seconds 2.5\n" in said


def test_what_cannot_be_tried_here_is_told_once_with_the_reason(checkout: Checkout) -> None:
    code, said = checkout.run("cannot", "holds", "--rounds", "2", "-j", "1")

    assert code == 0
    assert said.count("not tried: cannot: needs a moon") == 1
    assert re.search(r"\| cannot +\| L0 +\| needs a moon +\| not tried", said)


def test_a_drill_that_fails_itself_is_a_fault(checkout: Checkout) -> None:
    code, said = checkout.run("fails", "--rounds", "1")

    assert code == 1
    assert "ZeroDivisionError: by zero" in said


def test_a_process_that_a_round_leaves_is_a_fault_and_is_ended(checkout: Checkout) -> None:
    code, said = checkout.run("leaves", "--rounds", "1")

    assert code == 1
    assert "1 processes were left" in said
    assert alive(checkout) == []


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_who_stops_a_run_gets_its_table_and_nothing_runs_on(
    checkout: Checkout, signum: signal.Signals
) -> None:
    process = checkout.start("hangs", "holds", "--rounds", "1", "-j", "2")
    eventually((checkout.ground / "hangs").exists)

    process.send_signal(signum)
    said, _ = process.communicate(timeout=30)

    assert process.returncode == 0
    assert "stopped; what was tried until now:" in said
    assert re.search(r"\| hangs +\| L0 +\| - +\| not tried", said)
    assert alive(checkout) == []


def test_an_unknown_drill_is_refused_with_the_names_of_all(checkout: Checkout) -> None:
    code, said = checkout.run("strom")

    assert code == 2
    assert "`strom` is none of holds, breaks, cannot" in said


def test_the_help_says_of_each_drill_what_it_does(checkout: Checkout) -> None:
    _, said = checkout.run("--help")

    assert "\n  holds   L0  it holds\n" in said


def test_no_line_of_the_table_is_too_wide_and_no_figure_leaves_what_it_counts() -> None:
    counts = Counter({f"things of kind {number}": 10_000 + number for number in range(30)})

    lines = table({"storm": Tally(started=3, ended=3, counts=counts)}).splitlines()

    assert max(map(len, lines)) <= WIDTH
    tried = " ".join(line.split("|")[3].strip() for line in lines[2:])
    assert tried == ", ".join(f"{number:,} {what}" for what, number in counts.items())
    assert all(re.match(r"\d+,\d+ things", line.split("|")[3].strip()) for line in lines[2:])


def alive(checkout: Checkout) -> list[str]:
    """Return the command lines of what was started for a round and still runs."""
    marked = [
        pid
        for pid in procs._all_pids()
        if str(checkout.ground) in (procs.variable(pid, "JOBRUN_DRILL") or "")
    ]
    return [Path(f"/proc/{pid}/cmdline").read_text() for pid in marked]
