from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest

from jobrun.cli import render
from jobrun.cli.render import Column
from jobrun.model import Job, Kind

Make = Callable[..., Job]
Run = Callable[..., subprocess.CompletedProcess[str]]
Terminal = Callable[..., str]

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
COLUMNS = (Column(title="id", is_number=True), Column(title="state", is_state=True), Column(title="task"))


def test_plain_tables_are_aligned_and_end_without_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    render.table(COLUMNS, [["1", "failed", "a"], ["20", "ready", ""]])

    assert capsys.readouterr().out == "ID  STATE   TASK\n 1  failed  a\n20  ready\n"


def test_wide_characters_and_accents_leave_the_columns_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    render.table(COLUMNS, [["1", "\u6f22\u5b57", "a"], ["2", "e\u0301\u00e9", "b"], ["3", "\U0001f600", "c"]])

    assert capsys.readouterr().out.splitlines() == [
        "ID  STATE  TASK",
        " 1  \u6f22\u5b57   a",
        " 2  e\u0301\u00e9     b",
        " 3  \U0001f600     c",
    ]


def test_a_column_without_values_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    render.table(COLUMNS, [["1", "", "a"]])

    assert capsys.readouterr().out == "ID  TASK\n 1  a\n"


def test_a_cell_is_one_line_whatever_it_holds(capsys: pytest.CaptureFixture[str]) -> None:
    render.table(COLUMNS, [["1", "ready", "two\nlines\x1b[2J"]])

    assert capsys.readouterr().out.splitlines()[1] == " 1  ready  two\\nlines\\x1b[2J"


def test_a_pipe_gets_long_cells_whole(add: Make, jobrun: Run) -> None:
    add("echo " + "x" * 500, kind=Kind.SHELL)

    assert "x" * 500 in jobrun("list", COLUMNS="80").stdout


@pytest.mark.parametrize("columns", [40, 80, 160])
def test_no_line_of_a_table_is_wider_than_the_terminal(columns: int, add: Make, terminal: Terminal) -> None:
    add("echo " + "x" * 500, kind=Kind.SHELL)
    add("short")

    shown = COLOUR.sub("", terminal("list", columns=columns))

    lines = shown.splitlines()
    assert max(map(len, lines)) <= columns
    assert "…" in shown


def test_wide_characters_are_cut_to_the_width_of_the_terminal(add: Make, terminal: Terminal) -> None:
    add("echo " + "\u6f22\u5b57" * 100, kind=Kind.SHELL)

    *_, row = COLOUR.sub("", terminal("list", columns=60)).splitlines()

    assert "\u2026" in row
    assert len(row) + row.count("\u6f22") + row.count("\u5b57") <= 60


def test_no_row_of_a_terminal_ends_with_blanks(add: Make, terminal: Terminal) -> None:
    add("short")
    add("app:" + "long_" * 9)

    shown = COLOUR.sub("", terminal("list", columns=60))

    assert [row for row in shown.splitlines() if row != row.rstrip()] == []


@pytest.mark.parametrize("columns", ["0", "nonsense"])
def test_a_terminal_whose_width_is_misnamed_gets_the_whole_table(
    columns: str, add: Make, terminal: Terminal
) -> None:
    add("app:work")

    assert "app:work" in COLOUR.sub("", terminal("list", COLUMNS=columns))


def test_a_terminal_gets_colour_and_nothing_else_that_it_obeys(fail: Make, terminal: Terminal) -> None:
    fail("app:\x1b]0;x\x07", name="[red]x[/red]")

    shown = terminal("list")

    assert COLOUR.search(shown)
    assert COLOUR.sub("", shown).replace("\n", "").replace("…", "").isascii()
    assert "\x1b" not in COLOUR.sub("", shown)
    assert "[red]x[/red]" in shown


@pytest.mark.parametrize(
    "environment", [{"TERM": "dumb"}, {"COLUMNS": "1"}, {"COLUMNS": "20"}, {"LC_ALL": "C"}]
)
def test_a_terminal_that_bears_no_table_gets_plain_text(
    environment: dict[str, str], add: Make, terminal: Terminal
) -> None:
    add("app:" + "long_" * 30)

    shown = terminal("list", **{"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", **environment})

    assert "\x1b" not in shown
    assert "long_" * 30 in shown


def test_who_wants_no_colour_gets_the_same_lines_without_it(add: Make, terminal: Terminal) -> None:
    add("app:" + "long_" * 30)

    plain, coloured = terminal("list", NO_COLOR="1"), terminal("list", NO_COLOR="")

    assert "\x1b" not in plain
    start = " 1  ready  app:" + "long_" * 8  # what follows is cut by how long it is due
    for shown in (plain, COLOUR.sub("", coloured)):
        assert start in shown
        assert max(map(len, shown.splitlines())) <= 80
