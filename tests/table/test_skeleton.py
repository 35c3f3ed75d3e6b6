"""The walk through a document finds what `tomllib` finds, and whatever it is given does no harm."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobrun.errors import JobrunError
from jobrun.table import read_table
from jobrun.table.skeleton import TooMuch, skeleton_of

EXAMPLE = (Path(__file__).resolve().parents[2] / "examples" / "jobs.toml").read_text(encoding="utf-8")
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8) | st.sampled_from(
    ["a.b", '"', "'", "'''", '"""', "#", "[x]", "=", "\\", "{", "x\n[y]\n", "\n\n"]
)
KEYS = st.sampled_from(["a", "b-c", "1", "_"]) | TEXTS
VALUES = st.recursive(
    TEXTS
    | st.integers(-(2**63), 2**63 - 1)
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
DOCUMENTS = st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=4), max_size=4)
PIECES = st.sampled_from([
    *('"', "'", '"""', "'''", "[", "]", "[[", "{", "}", "=", ".", ",", "#", "\\", "\n", "\r", "\t", " ", "\0"),
    *("1", "-", "é", "\u2028", "[jobs.x]\n", "a = ", "[jobs]", "true", "07:32:00", "inf", "0x", "\ufeff"),
])  # fmt: skip


def written(document: dict[str, dict[str, Any]]) -> Iterator[str]:
    for name, table in document.items():
        yield f"[ {key_of(name)} ]  # [not.this]"
        for key, value in table.items():
            yield f"\t{key_of(key)} = {value_of(value)}"
            yield ""


def key_of(name: str) -> str:
    return (
        name if name.isascii() and name.replace("-", "").isalnum() else json.dumps(name, ensure_ascii=False)
    )


def value_of(value: Any) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{key_of(key)} = {value_of(each)}" for key, each in value.items()) + "}"
        case list():
            return "[ # ]\n" + "".join(f"  {value_of(each)}, # '''\n" for each in value) + "]"
        case str() if "\n" in value and '"""' not in value and "\\" not in value:
            return f'"""\n{value}"""'
        case float():
            return f"{value!r}" if "." in repr(value) or "e" in repr(value) else f"{value!r}.0"
    return json.dumps(value, ensure_ascii=False)


@given(DOCUMENTS)
def test_each_key_is_found_in_its_line(document: dict[str, dict[str, Any]]) -> None:
    text = "\n".join(written(document))
    lines = text.split("\n")
    skeleton = skeleton_of(text)

    assert tomllib.loads(text) == document
    assert skeleton.twice == ()
    assert set(skeleton.lines) == {
        *((name,) for name in document),
        *((name, key) for name, table in document.items() for key in table),
    }
    for place, line in skeleton.lines.items():
        assert (
            lines[line - 1]
            .strip()
            .startswith(f"[ {key_of(place[0])} ]" if len(place) == 1 else f"{key_of(place[1])} =")
        )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, len(EXAMPLE)), st.integers(0, 3), PIECES), min_size=1, max_size=4))
def test_a_spoilt_table_is_read_or_refused_and_nothing_else(
    tmp_path: Path, spoils: list[tuple[int, int, str]]
) -> None:
    text = EXAMPLE
    for at, removed, piece in spoils:
        text = text[:at] + piece + text[at + removed :]
    path = tmp_path / "jobs.toml"
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8", newline="")

    code = 0
    try:
        read_table(path, local=UTC, local_name="UTC", environ={})
    except JobrunError as error:
        code = error.exit_code

    assert code in (0, 2)


@pytest.mark.parametrize("statement", ["a.b.c.d.e.f.g.h.i = 1", "[a.b.c.d.e.f.g.h.i]", f"a = {'[' * 33}"])
@pytest.mark.parametrize(
    "before", ["", "x = 1\n", "x = [\n'''\n'''\n]\n", "[[x]]\ny = {z = ']'}\n", '""" = 1\n']
)
def test_nothing_that_can_be_parsed_comes_before_a_limit_unseen(statement: str, before: str) -> None:
    text = before + statement
    try:
        tomllib.loads(before)
    except ValueError:  # what follows is never looked at
        skeleton_of(text)
    else:
        with pytest.raises(TooMuch):
            skeleton_of(text)


def test_no_group_of_a_pattern_is_repeated_possessively() -> None:
    """Python before 3.11.5 gets that wrong (cpython #106052): lines were lost after text in three quotes."""
    package = Path(__file__).parents[2] / "jobrun"
    found = [
        f"{path.name}: {line.strip()}"
        for path in package.rglob("*.py")
        for line in path.read_text().splitlines()
        if re.search(r"\)(?:[*+?]|\{\d[\d,]*\})\+|\(\?>", line)
    ]
    assert found == []
