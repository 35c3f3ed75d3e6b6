"""All that `enqueue` can be asked for: one table, for the parser, batch files and the help page."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from jobrun.errors import UsageError
from jobrun.model import OnCrash, Surroundings
from jobrun.payload import parse_json
from jobrun.units import parse_duration
from jobrun.when import parse_when

_WHOLE = re.compile(r"-?[0-9]{1,19}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: the clock and what words may refer to, looked at only when they do."""

    now: datetime
    zone: Callable[[], tzinfo]
    surroundings: Callable[[], Surroundings]
    read: Callable[[str], str]  # the text of a file, or of standard input for `-`


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option. `field` is what it sets; without a `metavar` it takes no value."""

    flags: tuple[str, ...]
    field: str
    group: str
    help: str
    metavar: str | None = None
    parse: Callable[[str, Caller], Any] = lambda text, _: text
    is_repeatable: bool = False

    @property
    def name(self) -> str:
        """Return the long flag."""
        return self.flags[-1]


def _whole(text: str, _: Caller) -> int:
    if _WHOLE.fullmatch(text) is None:
        raise UsageError(f"`{text[:40]}` is not a whole number")
    return int(text)


def _duration(text: str, _: Caller) -> float:
    return parse_duration(text)


def _after(text: str, caller: Caller) -> datetime:
    return caller.now + timedelta(seconds=parse_duration(text))


def _instant(text: str, caller: Caller) -> datetime:
    return parse_when(text, caller.now, caller.zone())


def _instant_or_duration(text: str, caller: Caller) -> datetime | float:
    return _instant(text, caller) if ":" in text else parse_duration(text)


def _policy(text: str, _: Caller) -> OnCrash:
    try:
        return OnCrash(text)
    except ValueError:
        raise UsageError(f"`{text}` is not one of {', '.join(OnCrash)}") from None


def _json(text: str, caller: Caller) -> Any:
    if text == "-" or text.startswith("@"):
        text = caller.read(text.removeprefix("@"))
    return parse_json(text, "the JSON text")


WHAT, WHEN, HOW, NAMED, ANSWER = "What to run", "When", "How hard to try", "Names", "Answer"

OPTIONS = (
    Option(flags=("--shell",), field="shell", group=WHAT, metavar="LINE",
           help="a line for /bin/sh, with your directory, umask and environment"),
    Option(flags=("-x", "--exec"), field="exec", group=WHAT,
           help="what follows `--` is a command and its arguments, no shell"),
    Option(flags=("--args",), field="args", group=WHAT, metavar="JSON", parse=_json,
           help="the arguments as a JSON list, or named ones as an object; @FILE or - to read it"),
    Option(flags=("--kwargs",), field="kwargs", group=WHAT, metavar="JSON", parse=_json,
           help="the named arguments as a JSON object; @FILE or - to read it"),
    Option(flags=("--batch",), field="batch", group=WHAT, metavar="FILE",
           help="one job a line, as words or as a JSON object; - reads standard input"),
    Option(flags=("--check",), field="check", group=WHAT,
           help="import the function first, in a process of its own; refuse what does not fit"),
    Option(flags=("--in",), field="in", group=WHEN, metavar="DUR", parse=_after,
           help="not before this long from now: 90s, 5m, 2h, 1d, 1h30m"),
    Option(flags=("--eta",), field="eta", group=WHEN, metavar="WHEN", parse=_instant,
           help="not before: 18:00, tomorrow 06:30, 2027-03-01 10:00, or RFC 3339"),
    Option(flags=("--expires",), field="expires", group=WHEN, metavar="WHEN|DUR", parse=_instant_or_duration,
           help="do not start it later than this, or than this long after it is due"),
    Option(flags=("-Q", "--queue"), field="queue", group=WHEN, metavar="QUEUE",
           help="the queue; default: default"),
    Option(flags=("--priority",), field="priority", group=WHEN, metavar="N", parse=_whole,
           help="higher runs first; default: 0"),
    Option(flags=("--retries",), field="retries", group=HOW, metavar="N", parse=_whole,
           help="further attempts after a failure, 0 to 100; default: 0"),
    Option(flags=("--backoff",), field="backoff_s", group=HOW, metavar="DUR", parse=_duration,
           help="longest wait before the first retry, doubled each time; default: 10s"),
    Option(flags=("--max-backoff",), field="max_backoff_s", group=HOW, metavar="DUR", parse=_duration,
           help="longest wait of all; default: 10m"),
    Option(flags=("--timeout",), field="timeout_s", group=HOW, metavar="DUR", parse=_duration,
           help="time limit of each attempt; default: none"),
    Option(flags=("--on-crash",), field="on_crash", group=HOW, metavar="POLICY", parse=_policy,
           help="if its worker dies: retry while retries are left, park or fail; default: retry"),
    Option(flags=("--key",), field="key", group=NAMED, metavar="KEY",
           help="at most one unfinished job has it; if taken, that job is the answer"),
    Option(flags=("--name",), field="name", group=NAMED, metavar="NAME", help="a name to find it by"),
    Option(flags=("--tag",), field="tags", group=NAMED, metavar="TAG", is_repeatable=True,
           help="a tag to find it by; may be repeated"),
    Option(flags=("-q", "--quiet"), field="quiet", group=ANSWER, help="print the id alone"),
    Option(flags=("--json",), field="json", group=ANSWER, help="print the job as JSON"),
    Option(flags=("--wait",), field="wait", group=ANSWER, help="wait for it and exit with its code"),
    Option(flags=("--follow",), field="follow", group=ANSWER, help="show its output while waiting"),
)  # fmt: skip

BY_FLAG = {flag: option for option in OPTIONS for flag in option.flags}
BY_FIELD = {option.field: option for option in OPTIONS}
