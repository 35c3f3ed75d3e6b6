"""Every row of the catalogue of hostile jobs has a test, and that test is there."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.process.rows import OTHERWISE, ROWS

ROOT = Path(__file__).parent.parent.parent


@cache
def _tests_in(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef)}


def test_every_row_has_an_answer() -> None:
    assert list(ROWS) == list(range(91, 136))
    assert OTHERWISE.keys() <= ROWS.keys()


@pytest.mark.parametrize("row", ROWS)
def test_the_test_of_a_row_is_there(row: int) -> None:
    path, _, name = ROWS[row].partition("::")

    assert name in _tests_in(ROOT / path)
