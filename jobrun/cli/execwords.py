"""From the words of `exec` to a request: a command and the rules under which it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from jobrun.cli.asking import OPTIONS as OF_ENQUEUE
from jobrun.cli.asking import Caller, Option
from jobrun.cli.flags import ANSWER, HOW, NAMED, WHAT
from jobrun.cli.words import Said, sort
from jobrun.errors import UsageError
from jobrun.model import Kind, NewJob, OnCrash, Terms
from jobrun.requests import check
from jobrun.units import parse_duration

GROUPS = (WHAT, HOW, NAMED, ANSWER)
MOST_CODES = 256

USAGE = """\
Usage: jobrun exec [OPTIONS] -- COMMAND [ARG...]
       jobrun exec [OPTIONS] --shell LINE

Run a command here and now as a job, with your directory, umask and environment.
It says nothing when it goes well. When it fails, what it printed follows on
standard output, and one line on standard error. The exit code is the command's.
No workers are needed. Standard input is empty.
"""
EXAMPLES = """\
Examples:
  jobrun exec --key backup --timeout 1h -- rsync -a src/ dst/
  jobrun exec --retries 3 --backoff 1m --shell 'curl -fsS $URL > page.html'
  jobrun exec -v -- make test

A line of a crontab:
  */5 * * * *  jobrun exec --key mail --if-busy skip -- fetch-mail

Exit codes besides the command's own:
  75        another job has the key
  124       its time was over
  125       jobrun itself failed; nothing was run
  126, 127  the command cannot be run, is not there
  128+n     ended by signal n
"""


class IfBusy(StrEnum):
    """What to do when another live job has the key."""

    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    job: NewJob
    show: bool = False
    if_busy: IfBusy = IfBusy.FAIL


def _duration(text: str, _: Caller) -> float:
    return parse_duration(text)


def _flag(text: str, _: Caller) -> str:
    return text


def _if_busy(text: str, _: Caller) -> IfBusy:
    try:
        return IfBusy(text)
    except ValueError:
        raise UsageError(f"`{text}` is not one of {', '.join(IfBusy)}") from None


def _codes(text: str, _: Caller) -> tuple[int, ...]:
    """Read exit codes, as `0,24`."""
    words = [word.strip() for word in text.split(",")]
    if not all(
        word.isascii() and word.isdigit() and len(word) < 4 and int(word) < MOST_CODES for word in words
    ):
        raise UsageError(f"`{text}` is no list of exit codes", hint="as in `--ok-exit 0,24`")
    return tuple(dict.fromkeys(map(int, words)))


def _own(
    flags: tuple[str, ...], group: str, metavar: str | None, parse: Callable[[str, Caller], Any], told: str
) -> Option:
    field = flags[-1].removeprefix("--").replace("-", "_")
    return Option(
        flags=flags, field=field, group=group, help=told, metavar=metavar, parse=parse, is_repeatable=False
    )


def _shared(field: str, told: str | None = None) -> Option:
    [found] = (option for option in OF_ENQUEUE if option.field == field)
    group = NAMED if found.group not in GROUPS else found.group
    return replace(found, group=group, help=told or found.help)


OPTIONS = (
    _shared("shell"),
    _shared("timeout_s"),
    _own(("--deadline",), HOW, "DUR", _duration, "time limit of all attempts together, waits included"),
    _shared("retries"),
    _shared("backoff_s"),
    _shared("max_backoff_s"),
    _own(("--ok-exit",), HOW, "CODES", _codes, "exit codes that mean success, as 0,24; default: 0"),
    _shared("key", "at most one live job has it, of whatever kind; if another has, nothing is run"),
    _own(
        ("--if-busy",), NAMED, "fail|skip", _if_busy, "then: exit with 75, or quietly with 0; default: fail"
    ),
    _shared("name"),
    _shared("tags"),
    _shared("queue", "the queue it is counted in, and retried from by hand; default: default"),
    _own(("-v", "--show"), ANSWER, None, _flag, "show its output as it comes"),
)
BY_FLAG = {flag: option for option in OPTIONS for flag in option.flags}


def parse(words: Sequence[str], caller: Caller) -> Request:
    """Return what the words after `exec` ask for, or raise `UsageError`."""
    said = sort(words, caller, BY_FLAG)
    asked = said.options
    how = {name: asked.pop(name) for name in ("show", "if_busy") if name in asked}
    if "if_busy" in how and "key" not in asked:
        raise UsageError("--if-busy is about a --key, and there is none")
    terms = Terms(ok_exit=asked.pop("ok_exit", (0,)))
    what = _what(said, asked.pop("shell", None))
    job = NewJob(
        **what,
        surroundings=caller.surroundings(),
        deadline_s=asked.pop("deadline", None),
        tags=tuple(asked.pop("tags", ())),
        terms=terms,
        on_crash=OnCrash.PARK,  # nobody is here any more who would wait for a second attempt
        **asked,
    )
    return Request(job=check(job, now=caller.now), **how)


def _what(said: Said, line: str | None) -> dict[str, Any]:
    if line is not None:
        if extra := [*said.words, *(said.rest or [])]:
            raise UsageError(f"--shell takes one line: `{extra[0]}` is too much", hint="quote the whole line")
        return {"kind": Kind.SHELL, "task": line}
    if said.words or not said.rest:
        hint = "as in `jobrun exec -- ls -l`, or `jobrun exec --shell 'ls | wc -l'`"
        raise UsageError("exec takes its command after `--`", hint=hint)
    from shlex import join  # noqa: PLC0415 -- a shell line does without

    return {"kind": Kind.COMMAND, "task": join(said.rest), "args": tuple(said.rest)}
