"""The straight way of `enqueue`: what it takes means the same as on the other one, and it loads little."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobrun.cli import batch
from jobrun.cli.asking import OPTIONS, Caller
from jobrun.cli.enqueue import describe
from jobrun.cli.flags import DURABILITY, DURATION, FLAG, POLICY, TABLE, WHOLE
from jobrun.cli.plain import plain
from jobrun.cli.words import Request, parse
from jobrun.durability import FULL
from jobrun.errors import UsageError
from jobrun.model import Surroundings
from jobrun.store import open_store
from jobrun.store.environments import json_text
from jobrun.store.insertion import Row, whole
from jobrun.store.intake import Intake
from jobrun.units import to_ms

Run = Callable[..., subprocess.CompletedProcess[str]]
NOW = datetime(2027, 1, 15, 12, tzinfo=UTC)
NOW_MS = to_ms(NOW)
HERE = Surroundings(cwd="/home/ann", umask=0o022, environment={})
SLOW = {
    "typing",
    "re",
    "json",
    "dataclasses",
    "pathlib",
    "inspect",
    "hashlib",
    "threading",
    "random",
    "ctypes",
}


def _untouched(*_: object) -> NoReturn:
    raise AssertionError("plain words refer to nothing around them")


def _utc() -> tzinfo:
    return UTC


CALLER = Caller(now=NOW, zone=_utc, surroundings=lambda: HERE, read=_untouched)


@pytest.fixture(scope="module")
def intake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Intake]:
    with open_store(tmp_path_factory.mktemp("intake") / "jobs.db", create=True) as store:
        yield store.intake


# Mostly plain, with what is nearly so.
ODD = st.text(st.sampled_from("aZ_07.-:= \"\\{['é\n\x7f/,"), max_size=6)
TEXTS = st.sampled_from(
    ["a", "Z_9", "two words", "it's", "x.y-z", "", "0", "42", "NaN", "/a,b:c", "~", "x" * 64]
)
NEARLY = st.sampled_from(
    ["-5", "007", "1.5", "1e3", "true", "null", "x" * 65, "x" * 256, "9" * 16, "-", "{}"]
)
VALUES = st.one_of(TEXTS, TEXTS, TEXTS, TEXTS, NEARLY, ODD)
TARGETS = st.one_of(
    st.sampled_from(["m:f", "a.b:C.d", "_m:_f", "m:__f"]),
    st.sampled_from(["m:f", "M1:f_2", "m:f", "m:__f__", "m", "m:", ":f", "m:f:g", "m..n:f", "é:f"]),
)
NAMES = st.sampled_from(["x", "name", "X1", "_", "y", "z", "1x", "a-b", "é"])
ARGUMENTS = st.one_of(VALUES, st.builds("{}={}".format, NAMES, VALUES))
FITTING = {
    WHOLE: st.sampled_from(["0", "3", "100", "101", "99", "007", "-1", "999999", "1000000", "1000001"]),
    DURATION: st.sampled_from(["90s", "5m", "2h", "0s", "1d", "1h30m", "9999h", "1.5s", "5", "s"]),
    POLICY: st.sampled_from(["park", "retry", "fail", "gone"]),
    DURABILITY: st.sampled_from(["full", "fast", "slow"]),
}
READER = {flag: reader for flags_of, *_, reader, _ in TABLE for flag in flags_of}
FIELDS_TAKEN = {
    "queue",
    "priority",
    "retries",
    "timeout_s",
    "on_crash",
    "key",
    "name",
    "tags",
    "quiet",
    "durability",
}
TAKEN = [flag for option in OPTIONS if option.field in FIELDS_TAKEN for flag in option.flags]


@st.composite
def chosen(draw: st.DrawFn) -> list[str]:
    """Draw an option with its value, mostly one that fits."""
    every = [*TAKEN * 9, *READER]
    flag = draw(st.sampled_from(every))
    if READER[flag] == FLAG:
        return [flag]
    value = draw(FITTING.get(READER[flag], VALUES))
    return draw(st.sampled_from([[flag, value], [f"{flag}={value}"]]))


WORDS = st.builds(
    lambda call, options, rest: [*options[:1], *call, *options[1:], *rest],
    st.one_of(
        st.builds(lambda target, arguments: [target, *arguments], TARGETS, st.lists(ARGUMENTS, max_size=3)),
        st.sampled_from(["--shell", "--shell=", "-x", "--exec"]).flatmap(
            lambda flag: (
                VALUES.map(lambda line: [[flag + line]] if flag[-1] == "=" else [[flag, line]])
                if "s" in flag
                else st.just([[flag]])
            )
        ),
    ),
    st.lists(chosen(), max_size=3),
    st.one_of(st.just([]), st.just([]), st.lists(VALUES, max_size=3).map(lambda rest: [["--", *rest]])),
).map(lambda words: [each for word in words for each in ([word] if isinstance(word, str) else word)])


@given(words=WORDS)
def test_what_is_plain_means_the_same_job_to_the_other_parser(words: list[str], intake: Intake) -> None:
    asked = plain(words)
    if asked is None:
        return
    own, shown, is_quiet, durability = asked

    request = parse(words, CALLER)

    assert request == Request(job=request.job, quiet=is_quiet, durability=durability or FULL)
    assert request.job is not None
    assert request.job.surroundings == (HERE if "kind" in own else None)
    columns = intake.row_of(replace(request.job, surroundings=None), NOW_MS)
    assert whole(own, NOW_MS) == columns
    assert shown == describe(request.job)


OBJECTS = st.dictionaries(
    st.sampled_from(
        ["queue", "name", "key", "tag", "tags", "timeout", "on_crash", "on-crash", "retries", "a=b"]
    ),
    st.one_of(VALUES, st.sampled_from(["90s", "park"]), st.integers(-2, 200), st.lists(TEXTS), st.none()),
    max_size=2,
)
PAYLOADS = st.recursive(
    st.one_of(
        TEXTS, st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none()
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(VALUES, inner, max_size=3)),
)
LINES = st.one_of(
    WORDS.map(" ".join),
    st.builds(
        lambda target, key, more, args, kwargs: json.dumps(
            {**more, key: target, "args": args, "kwargs": kwargs}
        ),
        TARGETS,
        st.sampled_from(["task", "call", "shell"]),
        OBJECTS,
        st.one_of(st.lists(PAYLOADS, max_size=2), PAYLOADS),
        st.one_of(st.dictionaries(TEXTS, PAYLOADS, max_size=2), PAYLOADS),
    ),
)


@given(line=LINES)
def test_a_plain_line_of_a_batch_means_the_same_job(line: str, intake: Intake) -> None:
    def read(**defaults: int) -> Row | list[str]:
        try:
            return whole(intake.row_of(batch.parse([line], defaults, CALLER)[0], NOW_MS), NOW_MS)
        except UsageError as error:
            return [error.message, *error.details]
        except (IndexError, AssertionError):  # an empty line; a command's surroundings, which need a commit
            return []

    assert read() == read(priority=0)


@given(text=st.text())
def test_a_text_is_written_as_json_writes_it(text: str) -> None:
    assert json_text(text) == json.dumps(text)


PLAIN_WORDS = [
    ["m:f"],
    ["shop.mail:send", "42", "subject=Hello", "two words", "", "x=0"],
    ["m:f", "--queue", "mail", "--priority=7", "--retries", "3", "--timeout", "90s", "--on-crash=park"],
    ["-Q", "mail", "m:f", "--tag", "a", "--tag=b.c", "--name", "nightly", "-q"],
    ["--key", "one of them", "m:f"],
    ["m:f", "--durability", "fast"],
    ["--shell", "echo $HOME | wc -c > '/dev/null'", "-Q", "mail"],
    ["-x", "--timeout", "5m", "--", "rsync", "-a", "it's here/", "", "--wait"],
]


@pytest.mark.parametrize("words", PLAIN_WORDS)
def test_what_stands_in_loops_goes_the_straight_way(words: list[str]) -> None:
    assert plain(words) is not None


def test_each_option_is_plain_or_known_not_to_be() -> None:
    others = {"args", "kwargs", "batch", "check", "in", "eta", "expires"}
    others |= {"backoff_s", "max_backoff_s", "json", "wait", "follow", "isolate"}
    values = ["", "a", "1", "1s", "park", "fast"]
    taken = {
        option.field
        for option in OPTIONS
        for value in values
        for call in (["m:f"], ["-x", "--", "ls"], [])
        if plain([option.name, *([value] if option.metavar else []), *call]) is not None
    }

    assert taken == {option.field for option in OPTIONS} - others


@pytest.mark.parametrize("words", PLAIN_WORDS)
def test_both_ways_write_the_same_row_and_answer(words: list[str], jobrun: Run, path: Path) -> None:
    jobrun("enqueue", "app:first")
    other_name = path.parent / "." / path.parent.name / ".." / path.name  # goes the long way
    (path.parent / path.parent.name).mkdir()

    straight = jobrun("enqueue", *words)
    held = jobrun("enqueue", *words)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE jobs SET key = NULL")
    connection.close()
    long = jobrun("--db", str(other_name), "enqueue", *words)
    with sqlite3.connect(path) as connection:
        connection.row_factory = sqlite3.Row
        rows = [dict(row) for row in connection.execute("SELECT * FROM jobs ORDER BY id")]
    connection.close()

    first, last = rows[1], rows[-1]
    assert long.stdout == straight.stdout.replace("2", str(last["id"]), 1)
    assert long.stderr == straight.stderr == ""
    assert ("already queued as job 2; nothing was added" in held.stderr) == ("--key" in words)
    of_its_own = dict.fromkeys(("id", "run_at", "created_at", "key"))
    assert first | of_its_own == last | of_its_own
    assert last["key"] == (words[1] if "--key" in words else None)


def test_the_straight_way_loads_little(environ: dict[str, str], jobrun: Run) -> None:
    jobrun("enqueue", "m:f")
    run_it = "from jobrun.cli.door import run; run(['enqueue', 'm:f'])"
    script = f"there = {{*sys.modules}}; {run_it}; print({SLOW!r} & sys.modules.keys() - there)"

    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}; {script}"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.splitlines() == ["job 2 queued: m:f() on default, due now", "set()"], done.stderr


def test_a_full_output_is_told_with_what_holds_nevertheless(environ: dict[str, str], jobrun: Run) -> None:
    jobrun("enqueue", "m:f")

    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "jobrun", "enqueue", "m:f"],
            env=environ,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert done.returncode == 1
    assert "job 2 is queued all the same" in done.stderr
