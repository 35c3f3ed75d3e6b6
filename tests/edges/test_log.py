"""The log: one event one line, as text or JSON, and nobody waits for its reader."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import jobrun
from jobrun import log
from jobrun.errors import JobrunError
from jobrun.log import EVENTS, Form, Level, Log, Style

PIPE = 4096


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Give the reading and the writing end of a pipe that holds little."""
    reads, writes = os.pipe()
    fcntl.fcntl(writes, fcntl.F_SETPIPE_SZ, PIPE)
    yield reads, writes
    for fd in (reads, writes):
        try:
            os.close(fd)
        except OSError:
            continue


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    log.adopt(Style())


def test_a_line_of_json_has_all_that_a_program_looks_for(pipe: tuple[int, int]) -> None:
    reads, writes = pipe
    log.adopt(Style(form=Form.JSON))

    Log("dispatcher", writes).say("job-failed", "job 7: \n\x1b[31m", job=7, outcome="error", took_s=None)

    text = os.read(reads, PIPE)
    line = json.loads(text)
    at = line.pop("at")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", at)
    assert line == {
        "level": "error",
        "who": "dispatcher",
        "event": "job-failed",
        "message": "job 7: \n\x1b[31m",
        "job": 7,
        "outcome": "error",
    }
    assert text.count(b"\n") == 1
    assert b"\x1b" not in text


def test_the_journal_gets_priorities_and_no_time(pipe: tuple[int, int]) -> None:
    reads, writes = pipe
    log.adopt(Style(is_journal=True))

    Log("scheduler", writes).say("clock-set", "the clock was set by +3 s")

    assert os.read(reads, PIPE).decode() == f"<4>jobrun[{os.getpid()}] scheduler: the clock was set by +3 s\n"


def test_the_journal_is_known_by_its_device_and_inode(pipe: tuple[int, int]) -> None:
    found = os.fstat(pipe[1])

    assert log.is_journal({"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}, pipe[1])
    assert not log.is_journal({"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino + 1}"}, pipe[1])
    assert not log.is_journal({}, pipe[1])


@pytest.mark.parametrize(
    ("most", "told"),
    [
        (Level.WARNING, ["job-failed"]),
        (Level.INFO, ["started", "job-failed"]),
        (Level.DEBUG, ["started", "job-ended", "job-failed"]),
    ],
)
def test_how_much_is_told_is_a_choice(pipe: tuple[int, int], most: Level, told: list[str]) -> None:
    reads, writes = pipe
    log.adopt(Style(form=Form.JSON, most=most))

    for event in ("started", "job-ended", "job-failed"):
        Log("dispatcher", writes).say(event, "text")

    assert [json.loads(line)["event"] for line in os.read(reads, PIPE).splitlines()] == told


def test_nobody_waits_for_a_reader_and_what_was_lost_is_counted(pipe: tuple[int, int]) -> None:
    reads, writes = pipe
    teller = Log("dispatcher", writes)

    for number in range(200):  # far more than the pipe holds: this would never end
        teller.say("started", f"line {number} {'x' * 100}")
    taken = os.read(reads, PIPE).decode().splitlines()
    teller.say("started", "the last one")

    lost, last = os.read(reads, PIPE).decode().splitlines()[-2:]
    assert f"{200 - len(taken)} lines lost" in lost
    assert last.endswith("the last one")
    assert os.get_blocking(writes), "others share the descriptor"


def test_a_log_that_is_closed_stops_nobody(pipe: tuple[int, int]) -> None:
    reads, writes = pipe
    os.close(reads)
    Log("dispatcher", writes).say("started", "text")
    os.close(writes)

    Log("dispatcher", writes).say("started", "text")


def test_a_refusal_is_a_line_of_json_too(pipe: tuple[int, int]) -> None:
    log.adopt(Style(form=Form.JSON))

    Log("dispatcher", pipe[1]).refuse(JobrunError("bad", hint="do better"))

    line = json.loads(os.read(pipe[0], PIPE))
    assert (line["event"], line["message"]) == ("refused", "bad; hint: do better")


def test_every_event_is_told_somewhere_and_stands_in_the_manual() -> None:
    package = Path(jobrun.__file__).parent
    table = re.compile(r"(?ms)^EVENTS: .*?^}")
    code = "".join(table.sub("", path.read_text()) for path in package.rglob("*.py"))
    manual = (package.parent / "man" / "jobrun.1").read_text()
    section = manual.partition(".Sh LOG LINES")[2].partition("\n.Sh ")[0]

    assert dict(re.findall(r"(?m)^\.It Cm (\S+) Pq (\w+)$", section)) == {
        event: level.name.lower() for event, level in EVENTS.items()
    }
    said = set(re.findall(r'"([a-z]+-?[a-z]+)"', code))
    assert not set(EVENTS) - said
