from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as some

from jobrun.crontab.tomltext import Value, comment, key, written

TEXTS = some.text(some.characters(exclude_categories=["Cs"])) | some.text(
    "\"'\\\n\r\t\x00\x7f a#", max_size=12
)
VALUES = (
    TEXTS
    | some.integers(-(2**63), 2**63 - 1)
    | some.booleans()
    | some.lists(TEXTS)
    | some.dictionaries(TEXTS, TEXTS)
)


@given(TEXTS, VALUES)
def test_what_is_written_is_read_back_the_same(name: str, value: Value) -> None:
    assert tomllib.loads(f"{key(name)} = {written(value)}\n") == {name: value}


@given(some.text())
def test_a_comment_is_one_line_whatever_it_says(text: str) -> None:
    assert tomllib.loads(f"{comment(text)}\na = 1\n".encode().decode()) == {"a": 1}
