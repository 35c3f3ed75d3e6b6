import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobrun.errors import UsageError
from jobrun.model import Kind, Leftovers, NewJob, Surroundings, Terms
from jobrun.payload import parse_json
from jobrun.requests import check, check_target

NOW = datetime(2027, 1, 15, 12, tzinfo=UTC)


def refusal(**changes: Any) -> str:
    with pytest.raises(UsageError) as caught:
        check(NewJob(**{"kind": Kind.CALL, "task": "mod:func", **changes}), now=NOW)
    return caught.value.message


def accepts(**changes: Any) -> bool:
    job = NewJob(**{"kind": Kind.CALL, "task": "mod:func", **changes})
    return check(job, now=NOW) is job


@pytest.mark.parametrize("target", ["mod:func", "a.b.c:D.method", "_x:_y", "m1:f2", "mod:__private"])
def test_a_target_is_a_module_and_a_function(target: str) -> None:
    check_target(target)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("", "target is empty"),
        ("mymod", "needs a `:`"),
        ("mymod.func", "needs a `:`"),
        (":f", "bad target"),
        ("mod:", "bad target"),
        ("mod::f", "bad target"),
        ("mod:f:g", "bad target"),
        ("mod:1f", "bad target"),
        ("mod..a:f", "bad target"),
        ("mod:f; rm -rf /", "bad character `;` in column 6"),
        ("mod:f()", "bad character `(` in column 6"),
        ("../evil:f", "not a path"),
        ("/abs/x.py:f", "not a path"),
        ("mod:__class__", "double underscores"),
        ("a:b.__globals__", "double underscores"),
        ("__main__:f", "double underscores"),
        ("м:ф", "`м` (U+043C) in column 1 is not ASCII"),
        ("m" * 10_000 + ":f", "longer than 255"),
        ("mod:f\n", "control character in column 6"),
        ("mod:\0f", "control character in column 5"),
    ],
)
def test_what_is_no_target_is_refused_with_its_fault(target: str, message: str) -> None:
    assert message in refusal(task=target)


def test_a_dotted_target_is_answered_with_the_spelling_that_was_meant() -> None:
    with pytest.raises(UsageError) as caught:
        check_target("shop.mail.send")

    assert caught.value.hint == "did you mean `shop.mail:send`?"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{bad", "--args is not JSON: line 1 column 2"),
        ("", "--args is not JSON: line 1 column 1"),
        ("[1] 2", "--args is not JSON: line 1 column 5"),
        ('{"a":1,"a":2}', "duplicate key `a`"),
        ('[{"b":{"a":1,"a":2}}]', "duplicate key `a`"),
        ("[NaN]", "`NaN` is not a JSON number"),
        ("[-Infinity]", "`-Infinity` is not a JSON number"),
        ("[1e999]", "`1e999` is too large"),
        ("[" * 101 + "]" * 101, "nested deeper than 100"),
        ("[" * 100_000, "nested deeper than 100"),
        ('{"a":' * 101 + "1" + "}" * 101, "nested deeper than 100"),
        (r'["\ud800"]', "lone surrogate, U+D800"),
        (r'{"\uDC80": 1}', "lone surrogate, U+DC80"),
        ('["\udc80"]', "lone surrogate, U+DC80"),
        ("9" * 101, "a number of 101 digits is too long"),
        ("9" * 5_000, "a number of 5000 digits is too long"),
        ("0." + "9" * 5_000, "is too long"),
        ('"' + "x" * (2 << 20) + '"', "payload 2.0 MiB is over the limit of 1.0 MiB"),
    ],
)
def test_json_that_is_not_exact_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_json(text, "--args")

    assert message in caught.value.message


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON_VALUES)
def test_json_that_is_exact_is_read_as_it_stands(value: Any) -> None:
    assert parse_json(json.dumps(value), "--args") == value


def test_brackets_within_a_text_nest_nothing() -> None:
    assert parse_json('"' + "[{" * 100 + '"', "--args") == "[{" * 100


def test_arguments_a_hundred_levels_deep_are_taken_and_no_deeper() -> None:
    value: list[Any] = []
    for _ in range(98):
        value = [value]

    assert accepts(args=(value,))
    assert "deeper than 100" in refusal(args=([[value]],))


def test_a_list_that_holds_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)

    assert "nested deeper" in refusal(args=(value,))


@pytest.mark.parametrize("value", [{1, 2}, b"x", object(), 1j, datetime.now])
def test_an_argument_that_json_cannot_carry_is_refused_by_its_type(value: Any) -> None:
    assert f"type `{type(value).__name__}`" in refusal(args=(value,))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**100, {1: 2}, "\ud800"])
def test_an_argument_that_json_would_bend_is_refused(value: Any) -> None:
    assert refusal(kwargs={"x": value})


def test_arguments_over_a_mebibyte_are_refused_with_their_size() -> None:
    half = "x" * (600 << 10)

    assert "payload 1.2 MiB is over the limit" in refusal(args=(half, half))


@pytest.mark.parametrize("field", ["queue", "name"])
@pytest.mark.parametrize("text", ["", "a b/../c", "x" * 1000, "🙂", "..", "-x", "a\n", "../../x"])
def test_a_bad_queue_or_name_is_refused(field: str, text: str) -> None:
    assert f"bad {field}" in refusal(**{field: text})


def test_a_bad_tag_is_refused_and_so_are_too_many() -> None:
    assert "bad tag `a b`" in refusal(tags=("ok", "a b"))
    assert "too many" in refusal(tags=("t",) * 33)


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb"])
def test_a_bad_key_is_refused(key: str) -> None:
    assert "bad key" in refusal(key=key)


@pytest.mark.parametrize(
    "changes",
    [
        {"retries": -1},
        {"retries": 101},
        {"priority": 2**63},
        {"priority": -(2**63)},
        {"timeout_s": 0},
        {"timeout_s": float("nan")},
        {"timeout_s": float("inf")},
        {"timeout_s": -1},
        {"deadline_s": 0},
        {"deadline_s": float("nan")},
        {"backoff_s": -1},
        {"max_backoff_s": float("nan")},
        {"backoff_s": 60, "max_backoff_s": 30},
    ],
)
def test_a_number_out_of_range_is_refused(changes: dict[str, Any]) -> None:
    assert any(word in refusal(**changes) for word in ("must be", "longer than"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"priority": 0.5}, "priority must be a whole number, not `0.5`"),
        ({"priority": True}, "priority must be a whole number"),
        ({"retries": 1.0}, "retries must be a whole number"),
        ({"backoff_s": "5"}, "backoff_s must be a number"),
        ({"timeout_s": timedelta(seconds=5)}, "timeout_s must be a number"),
        ({"run_at": "tomorrow"}, "run_at must be a datetime"),
        ({"task": 5}, "task must be text"),
        ({"key": 5}, "key must be text"),
        ({"args": "text"}, "args must be a tuple"),
        ({"tags": 5}, "tags must be a tuple"),
        ({"kwargs": [5]}, "kwargs must be a mapping"),
        ({"kind": "pickle"}, "kind must be a Kind"),
        ({"on_crash": "panic"}, "on_crash must be an OnCrash"),
        ({"surroundings": "/"}, "surroundings must be Surroundings"),
        ({"deadline_s": "5m"}, "deadline_s must be a number"),
        ({"scheduled_for": "now"}, "scheduled_for must be a datetime"),
        ({"terms": {}}, "terms must be Terms"),
    ],
)
def test_what_has_the_wrong_type_is_refused_by_its_name(changes: dict[str, Any], words: str) -> None:
    assert words in refusal(**changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cwd": "/a\0b"}, "directory"),
        ({"cwd": "/\ud800"}, "directory"),
        ({"cwd": None}, "directory"),
        ({"umask": -1}, "umask"),
        ({"umask": 0o1000}, "umask"),
        ({"umask": 0.5}, "umask"),
        ({"umask": "022"}, "umask"),
        ({"environment": {"A\0": "b"}}, r"'A\x00'"),
        ({"environment": {"A": "secret\ud800"}}, "'A'"),
        ({"environment": {"A": 5}}, "'A'"),
    ],
)
def test_surroundings_that_no_program_could_be_given_are_refused(changes: dict[str, Any], words: str) -> None:
    around = {"cwd": "/", "umask": 0o22, "environment": {}, **changes}

    message = refusal(kind=Kind.SHELL, task="true", surroundings=Surroundings(**around))

    assert words in message
    assert "secret" not in message


def test_surroundings_of_bytes_that_are_not_utf_8_are_taken() -> None:
    around = Surroundings(cwd="/caf\udce9", umask=0, environment={"A\udcff": "\udcff"})

    assert accepts(kind=Kind.SHELL, task="true", surroundings=around)


def test_a_time_without_a_zone_is_refused() -> None:
    naive = datetime(2027, 1, 1)  # noqa: DTZ001 -- the fault itself

    assert "has no time zone" in refusal(run_at=naive)
    assert "has no time zone" in refusal(scheduled_for=naive)


def test_a_call_may_run_where_its_worker_does_and_with_a_few_variables_more() -> None:
    assert accepts(surroundings=Surroundings(cwd="", umask=None, environment={"A": "1"}))


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"stdin": "a\0b"}, "stdin"),
        ({"stdin": "\udcff"}, "stdin"),
        ({"stdin": "x" * (1 << 20)}, "over the limit"),
        ({"ok_exit": (0, 256)}, "ok_exit holds `256`"),
        ({"skip_exit": (-1,)}, "skip_exit holds `-1`"),
        ({"no_retry_exit": (True,)}, "no_retry_exit holds `True`"),
        ({"no_retry_exit": ("3",)}, "no_retry_exit holds `'3'`"),
        ({"skip_exit": (0,)}, "exit code `0` is in ok_exit and in skip_exit"),
        ({"ping": "ftp://host/x"}, "ping"),
        ({"ping": "https:///x"}, "ping"),
        ({"ping": "https://host/a b"}, "ping"),
        ({"ping": "https://host/a#b"}, "ping"),
        ({"ping": "https://host/" + "x" * 2048}, "ping"),
    ],
)
def test_terms_that_could_not_be_kept_are_refused(terms: dict[str, Any], words: str) -> None:
    assert words in refusal(kind=Kind.SHELL, task="true", terms=Terms(**terms))


@pytest.mark.parametrize("terms", [{"stdin": "text"}, {"leftovers": Leftovers.KEEP}])
def test_terms_that_only_a_command_can_keep_are_refused_for_a_call(terms: dict[str, Any]) -> None:
    assert "a call" in refusal(terms=Terms(**terms))


def test_a_command_cannot_be_isolated() -> None:
    assert refusal(kind=Kind.SHELL, task="true", terms=Terms(isolate=True)) == "isolate is for calls"


def test_an_entry_is_named_like_a_queue() -> None:
    assert refusal(entry="a b") == "bad entry `a b`"


def test_a_time_beyond_2200_is_refused() -> None:
    assert "outside 1970-2200" in refusal(run_at=datetime(9999, 12, 31, tzinfo=UTC))


def test_a_job_that_would_expire_before_it_is_due_is_refused() -> None:
    assert "expire" in refusal(run_at=NOW + timedelta(hours=2), expires_at=NOW + timedelta(hours=1))
    assert "expire" in refusal(expires_at=NOW - timedelta(hours=1))


@pytest.mark.parametrize("line", ["", "  ", "a\0b", "\udcff", "x" * (128 << 10)])
def test_a_shell_line_that_no_shell_could_be_given_is_refused(line: str) -> None:
    assert "shell line" in refusal(kind=Kind.SHELL, task=line)


@pytest.mark.parametrize("words", [(), ("",), ("a", "b\0"), ("a", 1)])
def test_a_command_that_no_system_could_start_is_refused(words: tuple[Any, ...]) -> None:
    assert "command" in refusal(kind=Kind.COMMAND, task="x", args=words)
