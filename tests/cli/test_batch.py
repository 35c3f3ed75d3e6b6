from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobrun.cli.asking import Caller
from jobrun.cli.batch import parse, read_lines
from jobrun.errors import UsageError
from jobrun.model import COMMON_TERMS, Kind, NewJob, OnCrash, Surroundings, Terms

NOW = datetime(2027, 1, 15, 17, 0, tzinfo=UTC)
HOME = Surroundings(cwd="/home/ann", umask=0o022, environment={})
CALLER = Caller(now=NOW, zone=lambda: UTC, surroundings=lambda: HOME, read=lambda source: source)


def jobs(*lines: str, **defaults: Any) -> list[NewJob]:
    asked = parse(lines, defaults or {"priority": 0}, CALLER)  # with defaults no line is read as a plain one
    return [job for job in asked if isinstance(job, NewJob)]


def refusal(*lines: str) -> list[str]:
    with pytest.raises(UsageError) as caught:
        jobs(*lines)
    return [caught.value.message, *caught.value.details]


def test_a_line_of_words_means_what_it_means_in_a_shell() -> None:
    call, shell, command = jobs(
        "mod:f 1 x=2 -Q mail\n", "--shell 'echo \"a  b\"' --in 5m", '-x --retries 2 -- ls "a b" --wait'
    )

    assert (call.task, call.args, call.kwargs, call.queue) == ("mod:f", (1,), {"x": 2}, "mail")
    assert (shell.kind, shell.task, shell.run_at) == (Kind.SHELL, 'echo "a  b"', NOW + timedelta(minutes=5))
    assert (command.args, command.retries, command.surroundings) == (("ls", "a b", "--wait"), 2, HOME)


def test_a_line_may_be_a_json_object() -> None:
    call, shell, command = jobs(
        '{"task": "mod:f", "args": [1], "kwargs": {"x": "1.10"}, "in": 5, "timeout": "1m", "tags": ["a"], "key": null}',
        '{"shell": "echo x", "priority": -2, "on-crash": "fail"}',
        '{"command": ["ls", "-l"], "max_backoff": 20.5, "tag": "t"}',
    )

    assert (call.args, call.kwargs, call.run_at) == ((1,), {"x": "1.10"}, NOW + timedelta(seconds=5))
    assert (call.timeout_s, call.tags, call.key) == (60, ("a",), None)
    assert (shell.task, shell.priority, shell.on_crash) == ("echo x", -2, OnCrash.FAIL)
    assert (command.args, command.max_backoff_s, command.tags) == (("ls", "-l"), 20.5, ("t",))


def test_a_call_of_a_batch_may_be_isolated() -> None:
    words, said, plain, kept = jobs(
        "mod:f --isolate",
        '{"task": "mod:f", "isolate": true}',
        "mod:f",
        '{"task": "mod:f", "isolate": false}',
    )

    assert [job.terms.isolate for job in (words, said, plain, kept)] == [True, True, False, False]
    [as_all, otherwise] = jobs("mod:f", '{"task": "mod:f", "isolate": false}', isolate=True)
    assert (as_all.terms, otherwise.terms) == (Terms(isolate=True), COMMON_TERMS)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"task": "mod:f", "isolate": "yes"}', "line 1: `isolate` must be true or false, not 'yes'"),
        ('{"task": "mod:f", "isolate": 1}', "line 1: `isolate` must be true or false, not 1"),
        ("mod:f --isolate=yes", "line 1: --isolate takes no value, but got `yes`"),
        ("--shell true --isolate", "line 1: isolate is for calls"),
    ],
)
def test_what_cannot_be_isolated_is_refused(line: str, problem: str) -> None:
    assert refusal(line)[1:] == [problem]


def test_empty_lines_and_comments_are_no_jobs() -> None:
    assert [job.task for job in jobs("", "  \t", "# mod:no", "  # no", "mod:f", "\n")] == ["mod:f"]


def test_the_options_of_the_batch_hold_for_lines_that_say_nothing_else() -> None:
    plain, other = jobs("mod:f", "mod:f --queue web", queue="mail", retries=2)

    assert (plain.queue, plain.retries) == ("mail", 2)
    assert (other.queue, other.retries) == ("web", 2)


def test_every_bad_line_is_named_and_no_job_comes_back() -> None:
    told = refusal("mod:f", "mod", "# fine", '{"task": 5}', "mod:g --retries x", "echo 'open", "\udcff")

    assert told[0] == "5 lines are wrong, so nothing was queued"
    assert [line.partition(":")[0] for line in told[1:]] == ["line 2", "line 4", "line 5", "line 6", "line 7"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("--wait mod:f", "for the whole batch"),
        ("mod:f --batch x", "for the whole batch"),
        ("{}", "needs one of"),
        ('{"task": "m:f", "shell": "x"}', "needs one of"),
        ('{"tsk": "m:f"}', "unknown key `tsk`; did you mean `task`?"),
        ('{"task": "m:f", "batch": "x"}', "unknown key `batch`"),
        ('{"task": "m:f", "wait": true}', "unknown key `wait`"),
        ('{"task": "m:f", "args": 5}', "JSON list or object"),
        ('{"task": "m:f", "retries": true}', "`retries` must be text"),
        ('{"task": "m:f", "retries": 1.5}', "not a whole number"),
        ('{"task": "m:f", "in": -5}', "bad duration"),
        ('{"command": "ls"}', "must be a list of texts"),
        ('{"task": "m:f"} x', "not JSON: line 1 column 17"),
        ('{"task": "m:f", "task": "m:g"}', "duplicate key `task`"),
    ],
)
def test_a_bad_line_is_refused_with_its_fault(line: str, told: str) -> None:
    assert told in refusal(line)[1]


def test_lines_are_read_one_by_one_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "jobs"
    file.write_bytes(b"m:f\r\nm:g \xff\nm:h")

    assert list(read_lines(str(file))) == ["m:f\r\n", "m:g \udcff\n", "m:h"]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for source in (tmp_path / "missing", tmp_path):
        with pytest.raises(UsageError, match="cannot read"):
            list(read_lines(str(source)))


def test_of_very_many_bad_lines_the_first_are_named() -> None:
    told = refusal(*["mod"] * 30)

    assert told[0] == "30 lines are wrong, so nothing was queued"
    assert told[-2].startswith("line 20:")
    assert told[-1] == "and 10 more"


def test_a_line_without_an_end_is_refused_before_it_is_read_whole() -> None:
    with pytest.raises(UsageError, match="`/dev/zero` has a line longer than 2 MiB"):
        list(read_lines("/dev/zero"))
