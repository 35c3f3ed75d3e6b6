"""What people wrap round commands in crontabs, taken off where the table has a key for it.

A wrapper is taken off only where it is read without doubt and covers the whole command; every other one
stays in the command and works there as before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise, takewhile

from jobrun.crontab.shellwords import Token, is_simple, scan

_NULL = "/dev/null"
_ALL_TO_NULL = (
    [">", _NULL, "2>&", "1"],
    ["1>", _NULL, "2>&", "1"],
    [">>", _NULL, "2>&", "1"],
    [">", _NULL, "2>", _NULL],
    ["1>", _NULL, "2>", _NULL],
    ["2>", _NULL, ">", _NULL],
)
_ALL_TO_NULL_IN_BASH = (["&>", _NULL], ["&>>", _NULL], [">&", _NULL])
_SPAN = re.compile(r"([0-9]{1,9})([smhd]?)")
_DRAWN = re.compile(
    r"\$(?:\(\( *\$?RANDOM *% *([0-9]{1,5}) *\)\)|\[ *\$?RANDOM *% *([0-9]{1,5}) *\])([smh]?)"
)
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_LARGEST_RANDOM = 32768  # bash(1): RANDOM is from 0 to 32767
# UUID, or KEY/SLUG; not the signals of a check, which stand in the same place.
_PING_URL = re.compile(
    r"""(["']?)(https?://hc-ping\.com/[\w-]+(?:/(?!(?:start|fail|log|[0-9]+)\b)[\w-]+)?)(/\$\?)?\1""",
    re.ASCII,
)
_CURL_OPTION = re.compile(r"-[fsSLk]+|--fail|--silent|--show-error|--location")
_CURL_VALUED = ("-m", "--max-time", "--connect-timeout", "--retry", "--retry-delay", "-o", "--output")
_WGET_OPTION = re.compile(
    r"-q|-nv|-qO-|-qO/dev/null|--quiet|--spider|-[TtO][0-9]+|--(?:timeout|tries)=[0-9]+"
)
_WGET_VALUED = ("-O", "-T", "-t")
_PRIORITY = re.compile(r"-[0-9]+|-[cn] ?[0-9]+|--adjustment=-?[0-9]+|-n ?-?[0-9]+|-t")
_WAITS = ("-x", "-e", "--exclusive")
_FAILS = ("-n", "--nb", "--nonblock", "-xn", "-nx", "-en", "-ne")


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What decides about wrappers, apart from the command itself: the rest of its crontab."""

    is_bash: bool = False
    shared_locks: frozenset[str] = frozenset()  # files that several lines of the crontab name
    most_jitter_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwrapped:
    """A command without the wrappers that `keys` of the table replace; `kept` stands before it as it was."""

    command: str
    keys: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    kept: str = ""

    def without(self, command: str, remark: str, **keys: str) -> Unwrapped:
        """Return what is left when a wrapper is taken off."""
        told = (*self.remarks, remark) if remark else self.remarks
        return replace(self, command=command, keys={**self.keys, **keys}, remarks=told)


_Strip = Callable[[Unwrapped, Sequence[Token], Around], Unwrapped | None]


def unwrap(command: str, around: Around) -> Unwrapped:
    """Take off every wrapper that is recognised, from the outside in."""
    left = Unwrapped(command=command)
    while tokens := scan(left.command):
        found = next((less for strip in _STRIPS if (less := strip(left, tokens, around)) is not None), None)
        if found is None:
            break
        left = found
    return Unwrapped(command=left.kept + left.command, keys=left.keys, remarks=left.remarks)


def span(seconds: float) -> str:
    """Write whole seconds as a duration of the table.

    >>> span(300), span(90)
    ('5m', '90s')
    """
    return f"{seconds / 60:.0f}m" if seconds % 60 == 0 else f"{seconds:.0f}s"


def _ping(left: Unwrapped, tokens: Sequence[Token], _: Around) -> Unwrapped | None:
    """`COMMAND && curl -fsS https://hc-ping.com/UUID`, or `COMMAND; curl -fsS https://hc-ping.com/UUID/$?`."""
    begin = max((place for place, token in enumerate(tokens) if token.is_control), default=0)
    words = list(takewhile(lambda token: not token.is_operator, tokens[begin + 1 :]))
    into = tokens[begin + 1 + len(words) :]
    urls = [found for word in words if (found := _PING_URL.fullmatch(word.text))]
    if len(urls) != 1 or not all(token.is_operator or token.text in (_NULL, "1") for token in into):
        return None
    rest = left.command[: tokens[begin].start].rstrip()
    is_asked_well = _only_asks([word.text for word in words if _PING_URL.fullmatch(word.text) is None])
    is_joined_well = tokens[begin].text == (";" if urls[0][3] else "&&")
    if not (is_asked_well and is_joined_well) or not rest or "hc-ping" in rest:
        return None
    return left.without(rest, "the ping is sent at start and on failure, too", ping=urls[0][2])


def _only_asks(words: Sequence[str]) -> bool:
    """Tell whether these words make curl or wget fetch something, and nothing else."""
    program, *options = words or [""]
    for name, option, valued in (
        ("curl", _CURL_OPTION, _CURL_VALUED),
        ("wget", _WGET_OPTION, _WGET_VALUED),
    ):
        if program in _programs(name):
            values = [later for first, later in pairwise(options) if first in valued]
            if any(value not in (_NULL, "-") and not value.isdigit() for value in values):
                return False
            given = [each for each in options if each not in valued and each not in values]
            return all(option.fullmatch(each) for each in given)
    return False


def _directory(left: Unwrapped, tokens: Sequence[Token], _: Around) -> Unwrapped | None:
    """`cd /DIR && COMMAND`, unless something is to run even where the directory is missing."""
    if "cwd" in left.keys or left.kept or [token.text for token in tokens[:3:2]] != ["cd", "&&"]:
        return None
    folder, rest = tokens[1].literal, tokens[3:]
    if folder is None or not folder.startswith("/") or not rest:
        return None
    if any(token.is_control and token.text not in ("&&", "|") for token in rest):
        return None
    return left.without(left.command[rest[0].start :], "", cwd=folder)


def _random_wait(left: Unwrapped, tokens: Sequence[Token], around: Around) -> Unwrapped | None:
    """`sleep $((RANDOM % 300)); COMMAND`."""
    if "jitter" in left.keys or left.kept or len(tokens) < 4 or tokens[0].literal not in _programs("sleep"):
        return None
    drawn, rest = _DRAWN.fullmatch(tokens[1].text), tokens[3:]
    if drawn is None or tokens[2].text not in (";", "&&") or any(token.text == "&" for token in rest):
        return None
    seconds = min(int(drawn[1] or drawn[2]), _LARGEST_RANDOM) * _UNITS[drawn[3]]
    if not 0 < seconds <= around.most_jitter_s:
        return None
    told = "the wait is drawn by a hash, once for each run; in a plain /bin/sh, RANDOM is empty and it was 0"
    return left.without(left.command[rest[0].start :], told, jitter=span(seconds))


def _silence(left: Unwrapped, tokens: Sequence[Token], around: Around) -> Unwrapped | None:
    """`COMMAND >/dev/null 2>&1`, with no other redirection of output."""
    words = list(takewhile(lambda token: not token.is_operator, tokens))
    into = tokens[len(words) :]
    written = [token.text for token in into]
    if not words or "output" in left.keys or not is_simple(tokens):
        return None
    if written not in _ALL_TO_NULL and not (around.is_bash and written in _ALL_TO_NULL_IN_BASH):
        return None
    return left.without(left.command[: words[-1].end], "", output="discard")


def _lock(left: Unwrapped, tokens: Sequence[Token], around: Around) -> Unwrapped | None:
    """`flock -n FILE COMMAND`, `flock FILE COMMAND`, and both with `-c 'LINE'`."""
    if "overlap" in left.keys or not is_simple(tokens) or tokens[0].literal not in _programs("flock"):
        return None
    options = list(takewhile(lambda token: token.text in (*_WAITS, *_FAILS), tokens[1:]))
    file, *rest = tokens[1 + len(options) :] or [tokens[0]]
    overlap = "skip" if any(token.text in _FAILS for token in options) else "queue"
    if not rest or not (file.literal or "-").startswith("/") or file.literal in around.shared_locks:
        return None
    if overlap == "queue" and "timeout" in left.keys:  # which counts the wait
        return None
    command: str | None = left.command[rest[0].start :]
    if rest[0].text in ("-c", "--command"):
        command = None if left.kept or len(rest) != 2 else rest[1].literal
    elif rest[0].text.startswith("-") or rest[0].is_operator:
        command = None
    if not command:
        return None
    told = f"`{file.text}` is not locked any more: keep flock if something else takes that lock"
    return left.without(command, told, overlap=overlap)


def _limit(left: Unwrapped, tokens: Sequence[Token], _: Around) -> Unwrapped | None:
    """`timeout 5m COMMAND`, with no options."""
    if "timeout" in left.keys or not is_simple(tokens) or tokens[0].literal not in _programs("timeout"):
        return None
    limit = _SPAN.fullmatch(tokens[1].text) if len(tokens) > 2 and not tokens[2].is_operator else None
    if limit is None or not int(limit[1]):
        return None
    return left.without(left.command[tokens[2].start :], "", timeout=f"{int(limit[1])}{limit[2] or 's'}")


def _quiet_success(left: Unwrapped, tokens: Sequence[Token], _: Around) -> Unwrapped | None:
    """`chronic COMMAND`, with no options."""
    if not is_simple(tokens) or tokens[0].literal not in _programs("chronic"):
        return None
    if len(tokens) < 2 or tokens[1].is_operator or tokens[1].text.startswith("-"):
        return None
    told = "chronic is not needed: output is kept, and on_failure tells of failures only"
    return left.without(left.command[tokens[1].start :], told)


def _priority(left: Unwrapped, tokens: Sequence[Token], _: Around) -> Unwrapped | None:
    """`nice -n 19 COMMAND`, which stays, but what stands behind it is looked at."""
    if not is_simple(tokens) or tokens[0].literal not in (*_programs("nice"), *_programs("ionice")):
        return None
    place = 1
    while place < len(tokens) and tokens[place].text.startswith("-"):
        is_pair = tokens[place].text in ("-n", "-c") and place + 1 < len(tokens)
        text = f"{tokens[place].text} {tokens[place + 1].text}" if is_pair else tokens[place].text
        if _PRIORITY.fullmatch(text) is None:
            return None
        place += 2 if is_pair else 1
    if place >= len(tokens) or tokens[place].is_operator:
        return None
    start = tokens[place].start
    less = left.without(left.command[start:], f"`{tokens[0].text}` stays; the table has no key for it")
    return replace(less, kept=left.kept + left.command[:start])


def _programs(name: str) -> tuple[str, ...]:
    return name, f"/usr/bin/{name}", f"/bin/{name}"


# From the outside in: what stands at the ends of a list goes before what wraps one command.
_STRIPS: tuple[_Strip, ...] = (
    _ping,
    _directory,
    _random_wait,
    _silence,
    _lock,
    _limit,
    _quiet_success,
    _priority,
)
