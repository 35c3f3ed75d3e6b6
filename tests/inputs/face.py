"""The command line as its own process meets it, called in this one: quick enough to be asked thousands of times."""

from __future__ import annotations

import contextlib
import io
import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from jobrun.cli import caller
from jobrun.cli.door import run

# What jobrun may leave with; `wait` and `--fg` pass on the codes of jobs, too.
KNOWN_CODES = frozenset({0, 1, 2, 3, 4, 5, 75, 124, 125, 130, 141})
SGR = re.compile(r"\x1b\[[0-9;]*m")  # the only control sequence of our own
# What a monitor reads, a look at the host and one at the job file say on standard output.
_TOLD = re.compile(
    r"^(WARNING|CRITICAL|UNKNOWN) - |^(warning|problem) |^\d+ (warning|problem|fault)s?|\"(level|grade|is_sound)\": |^`[^`]*` is not sound: ",
    re.MULTILINE,
)
_VISIBLE_MARKS = frozenset(
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


class Screen(io.BytesIO):
    """Where output goes; it says of itself what it was told to."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@dataclass(frozen=True, slots=True)
class Said:
    """What a command line was answered with."""

    code: int
    out: str
    err: str


def ask(argv: Sequence[str], *, is_terminal: bool = False) -> Said:
    """Answer one command line in this process. What it remembers of its caller is forgotten first."""
    for remembered in (caller.zone, caller.zone_to_show, caller.surroundings):
        remembered.cache_clear()
    out, err = Screen(is_terminal=is_terminal), Screen(is_terminal=is_terminal)
    with (
        io.TextIOWrapper(out, encoding="utf-8", newline="") as stdout,
        io.TextIOWrapper(err, encoding="utf-8", newline="") as stderr,
    ):
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            code = run(list(argv))
        stdout.flush()
        stderr.flush()
        return Said(code, _text(out), _text(err))


def _text(screen: Screen) -> str:
    return screen.getvalue().decode("utf-8", "surrogateescape")


def not_seen(shown: str, *, is_terminal: bool = False) -> str | None:
    """Return the first character of what was shown that a terminal would obey, or nobody would see."""
    for char in SGR.sub("", shown) if is_terminal else shown:
        if char in "\n\t" or char in _VISIBLE_MARKS:
            continue
        if unicodedata.category(char) in _UNSEEN:
            return char
    return None


def misbehaved(said: Said, argv: Sequence[str], *, is_terminal: bool = False) -> str | None:
    """Say which rule of the command line an answer broke, whatever was asked."""
    if said.code not in KNOWN_CODES or "Traceback" in said.err:
        return f"exit {said.code}: {' / '.join(said.err.splitlines()[-3:])[-300:]}"
    for name, text in (("stdout", said.out), ("stderr", said.err)):
        if char := not_seen(text, is_terminal=is_terminal):
            return f"{name} holds {char!r}"
    lines = said.err.splitlines()
    if sum(line.startswith("hint: ") for line in lines) > 1:
        return "more than one hint"
    if said.code and not (
        any(line.startswith("jobrun: ") for line in lines) or _TOLD.search(SGR.sub("", said.out))
    ):
        return f"exit {said.code} without a word"
    before = argv[: argv.index("--")] if "--" in argv else argv
    if said.code and "--json" in before:
        try:
            json.loads(said.out)
        except ValueError:
            return f"exit {said.code}, and no JSON: {said.out[:80]!r}"
    return None
