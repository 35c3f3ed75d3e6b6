"""Every row of the catalogue has a test, and every test that is named is there."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.inputs.rows import COMMAND_LINE, LINE, ROWS, TABLE, TABLES
from tests.inputs.test_command_line import LINES
from tests.inputs.test_table import TABLES as BAD_TABLES

ROOT = Path(__file__).resolve().parents[2]


@cache
def functions_of(file: str) -> set[str]:
    return {
        node.name for node in ast.parse((ROOT / file).read_text()).body if isinstance(node, ast.FunctionDef)
    }


def test_the_catalogue_is_whole() -> None:
    assert list(COMMAND_LINE) == list(range(1, 71))
    assert list(TABLES) == list(range(71, 91))
    assert list(ROWS) == list(range(1, len(ROWS) + 1))


@pytest.mark.parametrize("number", ROWS)
def test_a_row_names_tests_that_are_there(number: int) -> None:
    row = ROWS[number]

    assert row.tests
    for test in row.tests:
        file, _, name = test.partition("::")
        assert name in functions_of(file), test


@pytest.mark.parametrize(
    ("test", "cases"), [(LINE, [each.row for each in LINES]), (TABLE, [each.row for each in BAD_TABLES])]
)
def test_a_row_that_names_a_list_of_cases_has_one_there(test: str, cases: list[int]) -> None:
    naming = {number for number, row in ROWS.items() if test in row.tests}

    assert naming == set(cases)
