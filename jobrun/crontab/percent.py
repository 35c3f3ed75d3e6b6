"""Percent signs in a command: the first one ends it, and what follows is its standard input (crontab(5))."""

from __future__ import annotations

import re

_IN_COMMAND = re.compile(r"\\(.)|%", re.DOTALL)
_IN_INPUT = re.compile(r"\\?%")


def split(text: str) -> tuple[str, str | None]:
    r"""Return the command that the shell gets and the text on its standard input, if any.

    A backslash protects a percent sign and goes; every other one stays. In the command it takes whatever
    follows it, in the input only a percent sign (cronie, do_command.c).

    >>> split(r"mail -s hi joe%Hello,%100\% yours%")
    ('mail -s hi joe', 'Hello,\n100% yours\n')
    >>> split(r"date +\%F")
    ('date +%F', None)
    """
    end = next((found.start() for found in _IN_COMMAND.finditer(text) if found[0] == "%"), len(text))
    command = _IN_COMMAND.sub(lambda found: "%" if found[1] == "%" else found[0], text[:end])
    if end + 1 >= len(text):
        return command, None
    told = _IN_INPUT.sub(lambda found: "\n" if found[0] == "%" else "%", text[end + 1 :])
    return command, told if told.endswith("\n") else f"{told}\n"
