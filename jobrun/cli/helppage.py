"""The help pages of `enqueue` and `exec`, as wide as the terminal; the other verbs have theirs from typer."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence

from jobrun.cli.asking import OPTIONS, Option
from jobrun.cli.flags import ANSWER, HOW, NAMED, WHAT, WHEN

WIDEST = 100  # columns
NARROWEST = 60

_USAGE = """\
Usage: jobrun enqueue MODULE:FUNCTION [ARG...] [NAME=VALUE...] [OPTIONS]
       jobrun enqueue --shell LINE [OPTIONS]
       jobrun enqueue [OPTIONS] -x -- COMMAND [ARG...]
       jobrun enqueue --batch FILE [OPTIONS]

Ask for a job. Its id is printed once it is on disk; nothing is imported here.

An ARG or VALUE is JSON if it starts with { [ or ", or is a number, true, false
or null written as JSON writes it; else it is text. After -- all ARGs are text.
"""
_EXAMPLES = """\
Examples:
  jobrun enqueue shop.mail:send 42 subject=Hello
  jobrun enqueue shop.report:build --args '[{"year": 2027}]' --in 5m --retries 3
  jobrun enqueue --shell 'pg_dump shop | gzip > shop.sql.gz' --eta 03:00
  jobrun enqueue -Q backup --timeout 1h -x -- rsync -a src/ dst/
  printf '%s\\n' 'shop.mail:send 1' 'shop.mail:send 2' | jobrun enqueue --batch -
"""


def help_page() -> str:
    return page(_USAGE, OPTIONS, (WHAT, WHEN, HOW, NAMED, ANSWER), _EXAMPLES)


def page(usage: str, options: Sequence[Option], groups: Sequence[str], examples: str) -> str:
    """Return a help page: what it is for, the options group by group, and examples."""
    edge = min(max(shutil.get_terminal_size().columns, NARROWEST), WIDEST)
    column = max(len(_spelling(option)) for option in options) + 4
    told = []
    for group in groups:
        lines = [_entry(option, column, edge) for option in options if option.group == group]
        told.append("\n".join([f"{group}:", *lines]) + "\n")
    return "\n".join([usage, *told, examples])


def _entry(option: Option, column: int, edge: int) -> str:
    flags = f"  {_spelling(option)}".ljust(column)
    indent = " " * column
    return textwrap.fill(
        option.help, edge, initial_indent=flags, subsequent_indent=indent, break_on_hyphens=False
    )


def _spelling(option: Option) -> str:
    flags = ", ".join(option.flags) if len(option.flags) > 1 else f"    {option.name}"
    return f"{flags} {option.metavar}" if option.metavar else flags
