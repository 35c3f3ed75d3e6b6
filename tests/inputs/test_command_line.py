"""Words that cannot be: each is refused in one line, with one hint at most, and nothing is changed.

The numbers are those of `rows.py`.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from jobrun.lifecycle import settle
from jobrun.model import Ending, Kind, NewJob, Outcome
from jobrun.store import open_store
from tests.claims import claim
from tests.inputs.face import Said, ask, not_seen

NOW = datetime.now(UTC)
DEEP = "[" * 100_000


class Line(NamedTuple):
    """A command line, and how it is answered."""

    row: int
    words: tuple[str, ...]
    code: int
    told: str
    hint: str | None = None  # a part of it; None: whatever it says, if anything


def refused(row: int, *words: str, told: str, code: int = 2, hint: str | None = None) -> Line:
    return Line(row, words, code, told, hint)


def enqueue(row: int, *words: str, told: str, hint: str | None = None) -> Line:
    return Line(row, ("enqueue", "mod:f", *words), 2, told, hint)


LINES = [
    refused(2, "enque", "mod:f", told="unknown command `enque`", hint="did you mean `enqueue`?"),
    refused(3, "enqueue", told="missing TARGET (module:function)", hint="write module:function"),
    refused(4, "enqueue", "mymod", told="needs a `:` between module and function"),
    refused(5, "enqueue", "mymod.func", told="needs a `:`", hint="did you mean `mymod:func`?"),
    *(refused(6, "enqueue", bad, told=f"bad target `{bad}`") for bad in (":f", "mod:", "mod::f", "mod:f:g")),
    refused(7, "enqueue", "mod:f; rm -rf /", told="bad character `;` in column 6"),
    refused(7, "enqueue", "mod:f()", told="bad character `(` in column 6"),
    *(refused(8, "enqueue", bad, told="needs a module name, not a path") for bad in ("../evil:f", "/abs/x.py:f")),
    refused(9, "enqueue", "mod:__class__", told="names with double underscores"),
    refused(10, "enqueue", "м:ф", told="`м` (U+043C) in column 1 is not ASCII"),
    refused(11, "enqueue", f"{'m' * 10_000}:f", told="target of 10002 characters is longer than 255"),
    refused(12, "enqueue", "mod:f\n", told="`mod:f\\n`: control character in column 6"),
    refused(12, "enqueue", "mod:\0f", told="control character in column 5"),
    refused(13, "enqueue", "mod:f", "\udcff", told="argument 3 is not valid UTF-8: `\\xff`"),
    refused(13, "list", "--task", "a\udcff", told="argument 3 is not valid UTF-8: `a\\xff`"),
    enqueue(17, "--args", "{bad", told="--args: the JSON text is not JSON: line 1 column 2"),
    enqueue(18, "--args", "5", told="arguments must be a JSON list or object"),
    enqueue(18, "--kwargs", "[]", told="named arguments must be a JSON object"),
    enqueue(19, "--args", '{"a":1,"a":2}', told="duplicate key `a`"),
    enqueue(20, "--args", "[NaN]", told="`NaN` is not a JSON number"),
    enqueue(20, "--args", "[Infinity]", told="`Infinity` is not a JSON number"),
    enqueue(20, "--args", "[1e999]", told="`1e999` is too large for a number"),
    enqueue(21, "--args", DEEP, told="nested deeper than 100"),
    enqueue(21, DEEP, told="nested deeper than 100", hint="arguments after -- are taken as text"),
    enqueue(22, "--args", r'["\ud800"]', told="a lone surrogate, U+D800"),
    enqueue(23, "--args", f"[{'9' * 5000}]", told="a number of 5000 digits is too long; at most 100"),
    enqueue(24, "--args", f'["{"x" * (2 << 20)}"]', told="payload 2.0 MiB is over the limit of 1.0 MiB"),
    enqueue(25, "--args", "@missing.json", told="cannot read `missing.json`: no such file or directory"),
    enqueue(25, "--args", "@.", told="cannot read `.`: it is a directory"),
    enqueue(25, "--args", "@a\0b", told="cannot read `a\\x00b`: "),
    enqueue(28, "--eta", "tomorrow", told="--eta: time `tomorrow` is not understood", hint="tomorrow 06:30"),
    *(
        enqueue(28, "--eta", text, told=f"time `{text}` is not understood")
        for text in ("2027-13-01 10:00", "24:00", "2027-02-30T10:00")
    ),
    enqueue(29, "--eta", "2027-03-14T02:30", told="does not exist in America/New_York"),
    enqueue(30, "--eta", "2027-11-07T01:30", told="happens twice"),
    *(
        enqueue(32, "--eta", text, told="is outside 1970-2200")
        for text in ("9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z")
    ),
    enqueue(32, "--eta", f"1{'0' * 18}", told="is not understood"),
    *(enqueue(33, f"--eta={text}", told=f"time `{text}` is not understood") for text in ("", "-5m", "5")),
    *(enqueue(33, f"--in={text}", told=f"bad duration `{text}`", hint="forms: 90s") for text in ("1e3h", "nan", "٣m")),
    enqueue(34, "--eta", "18:00", "--in", "5m", told="--eta and --in both say when; use one"),
    enqueue(35, "--retries", "-1", told="retries must be from 0 to 100"),
    enqueue(35, "--retries", "101", told="retries must be from 0 to 100"),
    *(
        enqueue(35, "--retries", text, told=f"--retries: `{text}` is not a whole number")
        for text in ("x", "1e3", "9" * 20)
    ),
    *(enqueue(36, f"--timeout={text}", told=f"bad duration `{text}`") for text in ("0", "nan", "inf", "-1")),
    enqueue(36, "--timeout", "0s", told="timeout must be a positive duration"),
    enqueue(37, "--priority", str(2**63), told="priority must be from"),
    *(enqueue(38, f"--queue={text}", told="bad queue") for text in ("a b/../c", "", "x" * 1000, "🙂")),
    refused(38, "worker", "--queue", "a b/../c", told="bad queue `a b/../c`"),
    enqueue(40, "--retries", "1", "--retries", "2", told="--retries is given twice"),
    refused(40, "list", "--queue", "a", "-Q", "b", told="--queue is given twice"),
    refused(40, "worker", "-n", "1", "-n", "2", told="--workers is given twice"),
    refused(40, "cron", "next", "x.toml", "-n", "1", "--limit", "2", told="--limit is given twice"),
    refused(40, "--db", "a.db", "status", "--db", "b.db", told="--db is given twice"),
    *(
        refused(41, "worker", "-n", text, told=f"-n is a whole number from 1 to 256, not `{text}`")
        for text in ("0", "-1", "1000000", "x", "2.5", "", "٣")
    ),
    refused(43, "--db", "/nonexistent/q.db", "enqueue", "m:f", told="there is no directory `/nonexistent`", code=4, hint="mkdir"),
    refused(43, "--db", "/nonexistent/q.db", "list", told="no job file at `/nonexistent/q.db`", code=4),
    refused(44, "--db", ".", "list", told="`.` is not a regular file", code=4),
    refused(44, "--db", "/dev/null", "status", told="`/dev/null` is not a regular file", code=4),
    refused(44, "--db", "/dev/null", "enqueue", "m:f", told="`/dev/null` is not a regular file", code=4),
    *(refused(53, "inspect", text, told=f"`{text}` is not a job id") for text in ("abc", "0", "٣", "1_0", " 1", "+1")),
    refused(53, "inspect", "--", "-1", told="`-1` is not a job id"),
    refused(53, "inspect", "-1", told="no such option: -1"),
    *(refused(53, "inspect", text, told=f"no job {text}", code=3) for text in ("99", str(2**63), "9" * 20)),
    refused(55, "failed", "--retry", "1", told="job 1 is succeeded: not retried", code=1),
    refused(55, "failed", "--retry", "3", told="job 3 is running: not retried", code=1),
    refused(55, "failed", "--retry", "99", told="no job 99", code=3),
    refused(56, "failed", "--retry", "--purge", told="--retry and --purge exclude each other", hint="nothing was changed"),
    refused(57, "purge", told="purge of what?", hint="say --all; nothing was changed"),
    refused(57, "failed", "--purge", told="--purge removes nothing by itself"),
    refused(58, "purge", "3", told="job 3 is running: not purged; cancel it first", code=1),
    refused(59, "cancel", "1", told="job 1 is succeeded: not cancelled", code=1),
    refused(60, "list", "--state", "nonsense", told="`nonsense` is not a state", hint="one of scheduled, ready"),
    refused(61, "list", "--limit", "-1", told="--limit is a whole number from 1, not `-1`"),
    refused(61, "list", "--limit", "1e9", told="--limit is a whole number from 1, not `1e9`"),
    refused(61, "list", "--limit", "1", "--limit", "2", told="--limit is given twice"),
]  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a job file in which job 1 has succeeded, 2 has failed, 3 runs and 4 waits."""
    path = tmp_path_factory.mktemp("model") / "jobs.db"
    endings = {1: Ending(outcome=Outcome.OK), 2: Ending(outcome=Outcome.ERROR, cause="exit 3")}
    with open_store(path, create=True) as store:
        store.intake.add([NewJob(kind=Kind.CALL, task="app:work")] * 3, now=NOW)
        for job in claim(store, "w1", "w1", "w1", now=NOW, new_token=lambda: "t"):
            if ending := endings.get(job.id):
                assert store.endings.settle(job, ending, settle(job, ending, NOW, 0.5), now=NOW, pid=1)
        store.intake.add([NewJob(kind=Kind.CALL, task="app:work", key="taken")], now=NOW)
    return path


@pytest.fixture
def here(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Name that job file to commands, in an empty directory and a zone whose clocks change."""
    monkeypatch.setenv("JOBRUN_DB", str(model))
    monkeypatch.setenv("TZ", "America/New_York")
    monkeypatch.chdir(tmp_path)
    return model


def rows_of(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as reader:
        return list(reader.iterdump())


def check_refusal(said: Said, line: Line) -> None:
    lines = said.err.splitlines()
    hints = [each for each in lines if each.startswith("hint: ")]
    assert said.code == line.code, said
    assert lines[0].startswith("jobrun: ")
    assert line.told in lines[0]
    assert lines[1:] == hints
    assert len(hints) <= 1
    assert line.hint is None or line.hint in hints[0]
    assert not_seen(said.err) is None
    assert max(map(len, lines)) < 1000


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"row {line.row}")
def test_a_line_that_cannot_be_is_one_error_and_changes_nothing(line: Line, here: Path) -> None:
    before = rows_of(here)

    said = ask(line.words)

    check_refusal(said, line)
    assert said.out == ""
    assert rows_of(here) == before
    assert list(Path.cwd().iterdir()) == []


TAKES_JSON = {"enqueue", "list", "inspect", "failed", "purge", "cancel", "status"}


@pytest.mark.parametrize(
    "line", [line for line in LINES if line.words[0] in TAKES_JSON], ids=lambda line: f"row {line.row}"
)
def test_a_program_gets_the_same_error_as_an_object(line: Line, here: Path) -> None:
    said = ask((line.words[0], "--json", *line.words[1:]))

    told: dict[str, Any] = json.loads(said.out)
    assert said.code == line.code
    if "error" in told:
        told = told["error"]
        assert told["code"] == line.code
        assert line.told.replace("argument 3", "argument 4") in told["message"].replace("\n", "\\n").replace(
            "\0", "\\x00"
        )
    else:  # what acts on several jobs tells of each
        assert told["refused"]
        assert all(each["why"] for each in told["refused"])
    assert here.exists()


def test_row_1_alone_it_tells_what_there_is_or_what_to_try(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = ask([])
    monkeypatch.setenv("JOBRUN_DB", str(tmp_path / "none.db"))
    nothing = ask([])

    assert (there.code, nothing.code, nothing.out) == (0, 0, "nothing here yet\n")
    assert there.out.splitlines()[0] == "1 ready, 1 running, 1 succeeded, 1 failed; no worker"
    assert "try: jobrun enqueue" in nothing.err
    assert here.exists()


def test_row_46_a_file_of_a_newer_jobrun_says_what_is_needed(here: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer.db"
    newer.write_bytes(here.read_bytes())
    newer.chmod(0o600)
    with closing(sqlite3.connect(newer)) as writer:
        writer.execute("PRAGMA user_version = 99")
        writer.execute("PRAGMA journal_mode = DELETE").fetchall()
    before = newer.read_bytes()

    said = ask(["--db", str(newer), "enqueue", "m:f"])

    assert (said.code, said.out) == (4, "")
    assert "was made by a newer jobrun (schema 99, this one knows " in said.err
    assert said.err.splitlines()[1] == "hint: use the jobrun that made it, or a newer one"
    assert newer.read_bytes() == before


def test_row_61_a_limit_beyond_reason_is_capped_with_a_note(here: Path) -> None:
    said = ask(["list", "--limit", "1000000000"])

    assert (said.code, len(said.out.splitlines())) == (0, 5)
    assert said.err == "--limit 1000000000 is more than can be shown at once: 100000\n"
    assert here.exists()


FLAGS: list[list[str]] = [["list", "--json", "--json"], ["enqueue", "-q", "-q", "m:f", "--key", "taken"], ["list", "--state", "ready", "--state", "failed"]]  # fmt: skip


@pytest.mark.parametrize("words", FLAGS, ids=" ".join)
@pytest.mark.usefixtures("here")
def test_row_40_what_takes_no_value_or_many_may_be_given_twice(words: list[str]) -> None:
    said = ask(words)

    assert said.code == 0
    assert said.out
