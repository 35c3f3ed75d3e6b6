"""Every row of the threat table has a test, and that test is there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.security.threats import LATER, SHOWN, THREATS

ROOT = Path(__file__).parent.parent.parent
NAMED = {row: (test,) for row, test in THREATS.items()} | SHOWN


def test_every_row_is_accounted_for() -> None:
    rest = set(range(1, 33)) - THREATS.keys() - LATER

    assert SHOWN.keys() == rest


@pytest.mark.parametrize("row", NAMED)
def test_the_test_of_a_row_is_there(row: int) -> None:
    assert NAMED[row]
    for test in NAMED[row]:
        path, _, name = test.partition("::")
        nodes = ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
        assert name in {node.name for node in nodes if isinstance(node, ast.FunctionDef)}, test
