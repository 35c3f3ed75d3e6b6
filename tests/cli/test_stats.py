"""stats: figures of what ran, and what became unusual."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobrun.cli import render
from jobrun.cli.commands import stats as command
from jobrun.lifecycle import settle
from jobrun.model import Ending, Job, Kind, NewJob, Outcome
from jobrun.store import Store
from tests.claims import claim

Make = Callable[..., Job]
Run = Callable[..., subprocess.CompletedProcess[str]]
RunJson = Callable[..., Any]
History = Callable[..., None]

MANUAL = Path(__file__).resolve().parents[2] / "man" / "jobrun.1"
NOW = datetime.now(UTC)
BAD = {"outcome": Outcome.ERROR, "exit_code": 3, "cause": "exit 3"}


@pytest.fixture
def past(store: Store) -> History:
    """Let runs have taken so many seconds, an hour apart, the last one an hour ago."""

    def lived(
        *took_s: float, task: str = "app:work", ending: dict[str, Any] | None = None, **more: Any
    ) -> None:
        for hours, seconds in zip(range(len(took_s), 0, -1), took_s, strict=True):
            begin = NOW - timedelta(hours=hours)
            new = NewJob(**{"kind": Kind.CALL, "task": task, **more})
            store.intake.add([new], now=begin - timedelta(seconds=2))
            [job] = claim(store, "w1", now=begin, new_token=lambda: "t")
            how = Ending(
                **{"outcome": Outcome.OK, "cpu_s": seconds / 10, "peak_rss": 30 << 20, **(ending or {})}
            )
            ended_at = begin + timedelta(seconds=seconds)
            store.endings.settle(job, how, settle(job, how, ended_at, 0.0), now=ended_at, pid=1)

    return lived


def test_a_work_has_a_line_with_its_figures(past: History, jobrun: Run) -> None:
    past(*range(1, 101))

    done = jobrun("stats")

    assert (done.returncode, done.stderr) == (0, "")
    heading, line = done.stdout.splitlines()
    assert heading.split("  ")[0] == "WORK"
    assert line.split()[:10] == ["app:work", "100", "2s", "2s", "2s", "50s", "1m", "35s", "1m", "39s"]
    assert "30.0 MiB" in line


def test_what_is_in_trouble_stands_first_and_what_changed_before_all(past: History, jobrun: Run) -> None:
    past(*[1] * 30, task="app:busy")
    past(*[1] * 3, task="app:bad", ending=BAD)
    past(*[1] * 20, *[9] * 5, task="app:slow")

    shown = jobrun("stats").stdout

    assert re.findall(r"(?m)^app:\w+", shown.partition("\n\n")[0]) == ["app:slow", "app:bad", "app:busy"]
    assert shown.partition("\n\n")[2].splitlines() == [
        "became unusual",
        "  app:slow: takes 9s, 1s before (last 5 runs against 20 before)",
    ]


def test_one_work_has_a_page_with_its_causes(past: History, jobrun: Run) -> None:
    past(1, 2, 3)
    past(1, 400, ending=BAD)
    past(1, ending={**BAD, "cause": "exit 4"})

    done = jobrun("stats", "app:*")

    facts = dict(re.findall(r"(?m)^(\w[\w ]*?)  +(.+)$", done.stdout.partition("\n\n")[0]))
    assert facts["runs"] == "6: 3 failed"
    assert facts["jobs"] == "3 failed, 3 succeeded"
    assert facts["wait"] == "2s p50, 2s p95, 2s p99, 2s most"
    assert facts["run time"] == "1s p50, 6m 40s p95, 6m 40s p99, 6m 40s most"
    assert re.search(r"\n   2  [\w ]+ ago +5  exit 3\n   1  [\w ]+ ago +6  exit 4\n", done.stdout)
    assert "up to 10m " not in done.stdout.partition("run time\n")[0]
    assert done.stderr == "`jobrun why 5` tells of the last of the most frequent\n"


def test_where_blocks_cannot_be_written_curves_are_ascii(past: History, jobrun: Run) -> None:
    past(1, 2, 30)

    blocks, plain = jobrun("stats", "app:work"), jobrun("stats", "app:work", PYTHONIOENCODING="ascii")
    dumb = jobrun("stats", "app:work", TERM="dumb")

    assert "\u2588" in blocks.stdout
    assert (plain.stdout.isascii(), dumb.stdout.isascii(), plain.returncode) == (True, True, 0)
    assert "#" in plain.stdout


def test_nothing_that_ran_is_said_on_stderr(jobrun: Run, store: Store) -> None:
    del store
    done = jobrun("stats", "nosuch", "--since", "2h")

    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == (
        "nothing that matches `nosuch` has ended in the last 2h; --since DUR looks further back\n"
    )


def test_the_span_of_time_is_that_of_since(past: History, jobrun_json: RunJson) -> None:
    past(*[1] * 9)

    [three] = jobrun_json("stats", "--since", "3h30m")

    assert (three["runs"], sum(part["runs"] for part in three["over_time"])) == (3, 3)


def test_json_has_all_figures_and_the_page_explains_each(past: History, jobrun_json: RunJson) -> None:
    past(*[1] * 80)
    past(*[1] * 20, ending=BAD)

    [work] = jobrun_json("stats")

    assert (work["work"], work["runs"], work["failed"], work["crashed"], work["retries"]) == (
        "app:work", 100, 20, 0, 0,
    )  # fmt: skip
    assert work["jobs"]["failed"] == 20
    assert work["run_s"] == {"count": 100, "p50": 1.0, "p95": 1.0, "p99": 1.0, "max": 1.0, "total": 100.0}
    assert work["durations"][3] == {"up_to_s": 1.0, "runs": 100}
    [cause] = work["causes"]
    assert (cause["cause"], cause["count"], cause["job"]) == ("exit 3", 20, 100)
    section = MANUAL.read_text(encoding="utf-8").partition(".Ss Statistics\n")[2].partition(".Ss ")[0]
    listed = {word for item in re.findall(r"(?m)^\.It Va (.+)", section) for word in item.split(" , ")}
    assert listed == set(work)


def test_more_failures_than_before_are_told(past: History, jobrun_json: RunJson) -> None:
    past(*[1] * 40)
    for ending in [BAD] * 8:
        past(0.1, ending=ending)

    [work] = jobrun_json("stats")

    [change] = work["unusual"]
    assert (change["what"], change["was"], change["runs"]) == ("failure_rate", 0.0, 9)
    assert change["text"].startswith("fails 88.9 % of the time, 0 % before (")


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_a_terminal_gets_no_line_that_is_too_long(
    columns: int, past: History, terminal: Callable[..., str]
) -> None:
    past(*[1] * 20, *[900] * 5, task="a_package.with_a_long.name:and_a_function")
    past(1, ending=BAD)

    pages = [] if columns < 80 else [["stats", "a_*"]]
    for words in (["stats"], *pages):
        plain = re.sub(r"\x1b\[[0-9;]*m", "", terminal(*words, columns=columns))

        assert [line for line in plain.splitlines() if len(line) > columns] == []


def test_what_takes_long_shows_a_person_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[int] = []

    @contextmanager
    def progress(_title: str, total: int) -> Iterator[Callable[[int], None]]:
        shown.append(total)
        yield shown.append

    monkeypatch.setattr(render, "progress", progress)
    with command._patiently(900) as tell:
        tell(100)
        assert shown == []
        monkeypatch.setattr(command, "_PATIENCE_S", 0.0)
        tell(200)
        tell(600)

    assert shown == [900, 300, 600]


@pytest.mark.parametrize("word", ["", "x" * 300])
def test_a_pattern_that_is_none_is_refused(word: str, jobrun: Run) -> None:
    done = jobrun("stats", word, "--json")

    assert done.returncode == 2
    assert "a pattern has 1 to 256 characters" in json.loads(done.stdout)["error"]["message"]
