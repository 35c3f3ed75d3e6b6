"""Every word arrives as it was given: no shell takes it apart, and no option is read out of a value."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from jobrun.cli.caller import here
from jobrun.cli.words import parse
from tests.process.site import Site
from tests.security.face import Answer, jobrun_at

pytestmark = pytest.mark.process

WORDS = [
    *("", " ", "'", '"', "\\", "\\n", "a'b\"c", "$(id)", "`id`", "$HOME", "${X}", "*", "?", "~", "!", "#x"),
    *(
        "-rf",
        "--",
        "--help",
        "--db",
        "--json",
        "-q",
        "-",
        "--x=-1",
        "a=b",
        ";",
        "&&",
        "|",
        ">x",
        "<x",
        "%d",
        "{}",
    ),
    *(
        "new\nline",
        "tab\there",
        "\x1b[31m",
        "ünïcödé",
        "\N{PILE OF POO}",
        "@x",
        "1",
        "1.10",
        "null",
        "[1]",
        "x" * 5000,
    ),
]
ECHO = "import os, sys; sys.stdout.buffer.write(b'\\0'.join(map(os.fsencode, sys.argv[1:])))"


def asked(site: Site, *words: str) -> Answer:
    return jobrun_at(site.path, "enqueue", *words, cwd=site.folder, LEDGER=str(site.effects_path))


def printed(site: Site) -> bytes:
    """Run what is queued, and return what the only job printed."""
    site.burst(n=1)
    attempt = site.last(1)
    assert attempt.ending.outcome == "ok", attempt
    return attempt.ending.output.head


def test_the_words_of_a_command_arrive_byte_for_byte(site: Site) -> None:
    assert asked(site, "-x", "--", sys.executable, "-c", ECHO, *WORDS[:-1]).code == 0

    assert printed(site) == b"\0".join(map(os.fsencode, WORDS[:-1]))


def test_a_shell_line_arrives_byte_for_byte(site: Site) -> None:
    line = "printf '%s|' \"$0\" '-rf' \"it's\" '$(id)' \"a\\\\b\" 'new\nline' 'ü' --help"

    assert asked(site, f"--shell={line}").code == 0

    assert printed(site) == "/bin/sh|-rf|it's|$(id)|a\\b|new\nline|ü|--help|".encode()


def test_a_shell_line_is_stored_as_it_was_written_and_nothing_is_put_into_it(site: Site) -> None:
    line = "echo {name} %s $1 '%(x)s'"

    asked(site, "--shell", line)

    assert site.job(1).task == line
    assert printed(site) == b"{name} %s %(x)s\n"


@pytest.mark.parametrize("word", WORDS)
def test_a_word_behind_two_dashes_is_an_argument_and_nothing_else(word: str) -> None:
    job = parse(["disasters:echo", "--", word], here()).job

    assert job is not None
    assert job.args == (word,)


def test_arguments_come_back_as_they_went(site: Site) -> None:
    assert asked(site, "disasters:echo", "--args", json.dumps([WORDS])).code == 0
    assert asked(site, "disasters:echo", "--", "--help").code == 0

    site.burst()

    assert [json.loads(site.job(number).result or "") for number in (1, 2)] == [WORDS, "--help"]


@pytest.mark.parametrize("word", ["--help", "--db=x"])
def test_help_behind_two_dashes_is_a_payload(site: Site, word: str) -> None:
    assert asked(site, "-x", "--", "echo", word).code == 0
    assert site.job(1).args == ("echo", word)


@pytest.mark.parametrize(("words", "field", "value"), [
    (["--priority=-1"], "priority", -1),
    (["--name=-x"], None, None),
    (["--queue=--help"], None, None),
    (["--key=--help"], "key", "--help"),
    (["--key=-1"], "key", "-1"),
])  # fmt: skip
def test_a_value_that_begins_with_a_dash_is_given_with_an_equals_sign(
    site: Site, words: list[str], field: str | None, value: object
) -> None:
    answer = asked(site, "disasters:echo", *words)

    if field is None:
        assert answer.code == 2, answer
    else:
        assert answer.code == 0, answer
        assert getattr(site.job(1), field) == value


def test_no_name_reaches_a_path(site: Site) -> None:
    for words in (
        ["--name", "../../x"],
        ["-Q", "../x"],
        ["--tag", "a/b"],
        ["--name", ".hidden"],
        ["-Q", "a\nb"],
        ["-Q", "a;b"],
    ):
        answer = asked(site, "disasters:echo", *words)
        assert (answer.code, answer.said.count("\n") <= 2) == (2, True), answer
    assert asked(site, "disasters:echo", "--key", "../../k").code == 0, "a key is no part of a path"
    before = {str(place.relative_to(site.folder.parent)) for place in site.folder.parent.rglob("*")}

    site.burst(n=1)

    after = {str(place.relative_to(site.folder.parent)) for place in site.folder.parent.rglob("*")}
    made = {Path(name).name for name in after - before}
    assert made <= {
        "jobs.db-wal",
        "jobs.db-shm",
        "ballast",
        "housekeeper",
        "messenger",
        "bell.work",
        "bell.done",
        "gate",
    } | {name for name in made if name.startswith(("group", "bell.", "gate.", "__pycache__", "disasters."))}
