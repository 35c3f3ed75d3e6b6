from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from jobrun.cli.asking import OPTIONS, Caller
from jobrun.cli.helppage import help_page
from jobrun.cli.words import Request, parse, read_value
from jobrun.errors import UsageError
from jobrun.model import Kind, NewJob, OnCrash, Surroundings

NOW = datetime(2027, 1, 15, 17, 0, tzinfo=UTC)
HOME = Surroundings(cwd="/home/ann", umask=0o022, environment={"LANG": "C"})
FILES = {"args.json": '[1, {"x": 2}]', "-": '{"y": 3}'}


def caller(read: Callable[[str], str] = FILES.__getitem__) -> Caller:
    return Caller(now=NOW, zone=lambda: ZoneInfo("America/New_York"), surroundings=lambda: HOME, read=read)


def request(*words: str) -> Request:
    return parse(words, caller())


def job(*words: str) -> NewJob:
    made = request(*words).job
    assert made is not None
    return made


def refusal(*words: str) -> str:
    with pytest.raises(UsageError) as caught:
        request(*words)
    return f"{caught.value.message} | {caught.value.hint}"


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("2", 2),
        ("-5", -5),
        ("0.5", 0.5),
        ("true", True),
        ("null", None),
        ("[1]", [1]),
        ('{"a": 1}', {"a": 1}),
        ('"2"', "2"),
        ("1.10", "1.10"),
        ("1e3", "1e3"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("-0", "-0"),
        ("007", "007"),
        ("+1", "+1"),
        (".5", ".5"),
        ("True", "True"),
        ("٣", "٣"),
        ("", ""),
        ("-", "-"),
        ("9" * 200, "9" * 200),
    ],
)
def test_a_word_is_json_if_it_prints_back_identically_and_text_otherwise(word: str, value: Any) -> None:
    assert read_value(word) == value
    assert type(read_value(word)) is type(value)


def test_a_call_has_positional_and_named_arguments() -> None:
    made = job("mod:func", "2", "two", "x=1", "y=a=b", "z=")

    assert (made.kind, made.task) == (Kind.CALL, "mod:func")
    assert (made.args, made.kwargs) == ((2, "two"), {"x": 1, "y": "a=b", "z": ""})


def test_after_two_dashes_every_argument_is_text() -> None:
    made = job("mod:func", "1", "--", "2", "x=1", "--help", "--")

    assert made.args == (1, "2", "x=1", "--help", "--")


def test_options_may_stand_before_between_and_after_the_arguments() -> None:
    made = job("-Q", "mail", "mod:func", "--retries=3", "1", "--priority", "-5", "2")

    assert (made.queue, made.retries, made.priority, made.args) == ("mail", 3, -5, (1, 2))


def test_a_call_may_be_isolated_and_a_command_has_a_process_of_its_own_anyway() -> None:
    assert (job("m:f", "--isolate").terms.isolate, job("m:f").terms.isolate) == (True, False)
    assert refusal("--isolate", "--shell", "true").startswith("isolate is for calls | ")


def test_arguments_may_be_given_as_one_json_text() -> None:
    assert job("m:f", "--args", "[1]", "--kwargs", '{"a": 2}').kwargs == {"a": 2}
    assert job("m:f", "--args", '{"a": 2}', "b=3").kwargs == {"a": 2, "b": 3}


def test_the_json_text_may_come_from_a_file_or_from_standard_input() -> None:
    made = job("m:f", "--args", "@args.json", "--kwargs", "-")

    assert (made.args, made.kwargs) == ((1, {"x": 2}), {"y": 3})


def test_a_shell_line_takes_the_surroundings_of_its_caller() -> None:
    made = job("--shell", "echo $HOME | wc")

    assert (made.kind, made.task, made.args, made.surroundings) == (Kind.SHELL, "echo $HOME | wc", (), HOME)


def test_a_command_is_every_word_after_the_dashes() -> None:
    made = job("-x", "-Q", "q", "--", "rm", "-rf", "a b", "--wait")

    assert (made.kind, made.args) == (Kind.COMMAND, ("rm", "-rf", "a b", "--wait"))
    assert (made.task, made.surroundings) == ("rm -rf 'a b' --wait", HOME)


def test_every_option_reaches_the_job() -> None:
    made = job(
        *("m:f", "-Qq", "--in", "1h", "--expires", "30m", "--retries", "2", "--backoff", "1s", "--tag", "a"),
        *(
            "--max-backoff",
            "1m",
            "--timeout",
            "5m",
            "--key",
            "k/1",
            "--tag",
            "b",
            "--name",
            "n",
            "--on-crash",
            "park",
        ),
    )

    assert (made.queue, made.run_at) == ("q", NOW + timedelta(hours=1))
    assert made.expires_at == NOW + timedelta(hours=1, minutes=30)
    assert (made.retries, made.backoff_s, made.max_backoff_s, made.timeout_s) == (2, 1, 60, 300)
    assert (made.key, made.tags, made.name, made.on_crash) == ("k/1", ("a", "b"), "n", OnCrash.PARK)


def test_a_local_time_is_read_in_the_zone_of_the_caller() -> None:
    assert job("m:f", "--eta", "tomorrow 13:00").run_at == datetime(2027, 1, 16, 18, 0, tzinfo=UTC)


def test_an_eta_in_the_past_is_taken() -> None:
    assert job("m:f", "--eta", "2020-01-01T00:00Z").run_at == datetime(2020, 1, 1, tzinfo=UTC)


def test_the_answer_wanted_is_told_apart_from_the_job() -> None:
    asked = request("m:f", "-q", "--wait", "--check")

    assert (asked.quiet, asked.json, asked.wait, asked.follow, asked.check) == (
        True,
        False,
        True,
        False,
        True,
    )


def test_options_beside_a_batch_are_the_defaults_of_its_lines() -> None:
    asked = request("--batch", "-", "-Q", "mail", "--retries", "2", "--json")

    assert (asked.job, asked.batch, asked.json) == (None, "-", True)
    assert asked.defaults == {"queue": "mail", "retries": 2}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "missing TARGET (module:function)"),
        (["mymod"], "needs a `:`"),
        (["mod:f; rm -rf /"], "bad character `;`"),
        (["mod:f", "{bad"], "column 2"),
        (["mod:f", "{bad"], "arguments after -- are taken as text"),
        (["mod:f", "x=1", "x=2"], "argument `x` is given twice"),
        (["mod:f", "--args", "{bad"], "not JSON: line 1 column 2"),
        (["mod:f", "--args", "5"], "must be a JSON list or object"),
        (["mod:f", "--args", "[NaN]"], "not a JSON number"),
        (["mod:f", "--args", "[1]", "2"], "choose one"),
        (["mod:f", "--args", '{"x":1}', "x=2"], "argument `x` is given twice"),
        (["mod:f", "--kwargs", "[]"], "must be a JSON object"),
        (["mod:f", "--eta", "tomorrow"], "--eta: time `tomorrow` is not understood"),
        (["mod:f", "--eta", "2027-03-14T02:30"], "does not exist in America/New_York"),
        (["mod:f", "--eta", "2027-11-07T01:30"], "happens twice"),
        (["mod:f", "--eta", "9999-12-31T00:00"], "outside 1970-2200"),
        (["mod:f", "--eta", ""], "--eta: time `` is not understood"),
        (["mod:f", "--eta", "-5m"], "is not understood"),
        (["mod:f", "--eta", "5"], "is not understood"),
        (["mod:f", "--in", "1e3h"], "--in: bad duration `1e3h` | forms: 90s"),
        (["mod:f", "--in", "nan"], "bad duration"),
        (["mod:f", "--in", "٣m"], "bad duration"),
        (["mod:f", "--in", "1h", "--eta", "10:00"], "use one"),
        (["mod:f", "--retries", "-1"], "from 0 to 100"),
        (["mod:f", "--retries", "x"], "not a whole number"),
        (["mod:f", "--retries", "1e3"], "not a whole number"),
        (["mod:f", "--retries", "9" * 20], "not a whole number"),
        (["mod:f", "--timeout", "0s"], "positive duration"),
        (["mod:f", "--timeout", "0"], "bad duration"),
        (["mod:f", "--timeout", "inf"], "bad duration"),
        (["mod:f", "--priority", str(2**63)], "priority must be from"),
        (["mod:f", "-Q", "a b/../c"], "bad queue"),
        (["mod:f", "--queue="], "bad queue ``"),
        (["mod:f", "--key", "a", "--key", "b"], "--key is given twice"),
        (["mod:f", "--key"], "--key needs a value (KEY)"),
        (["mod:f", "--key", "--wait"], "write --key=--wait"),
        (["mod:f", "--wait=yes"], "--wait takes no value"),
        (["mod:f", "--pririty", "3"], "did you mean `--priority`?"),
        (["mod:f", "--x"], "unknown option `--x`"),
        (["mod:f", "-n", "4"], "unknown option `-n` | arguments that begin with a dash go after --"),
        (["mod:f", "--on-crash", "burn"], "not one of retry, park, fail"),
        (["mod:f", "-q", "--json"], "choose one"),
        (["mod:f", "--expires", "2026-01-01 00:00"], "before it could start"),
        (["--shell", ""], "shell line is empty"),
        (["--shell", "ls", "-l"], "unknown option `-l`"),
        (["--shell", "ls", "x"], "quote the whole line"),
        (["--shell", "ls", "-x"], "choose one"),
        (["--shell", "ls", "--args", "[]"], "for functions"),
        (["-x", "ls"], "after `--`"),
        (["-x"], "after `--`"),
        (["--batch", "f", "mod:f"], "too much"),
        (["--batch", "f", "--wait"], "for one job"),
        (["--batch", "f", "--key", "k"], "belongs into the lines"),
    ],
)
def test_words_that_make_no_sense_are_refused_with_what_is_wrong(words: list[str], told: str) -> None:
    assert told in refusal(*words)


def test_the_help_page_shows_every_option_of_the_table() -> None:
    page = " ".join(help_page().split())

    for option in OPTIONS:
        spelled = ", ".join(option.flags) + (f" {option.metavar}" if option.metavar else "")
        assert f" {spelled} {option.help}" in page
