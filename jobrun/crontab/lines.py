"""The lines of a crontab: settings, entries and comments, in their order (crontab(5) of cronie and Debian)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from jobrun.crontab.dialect import reads_as_schedule
from jobrun.crontab.sources import Source

_BLANKS = " \t"
_SETTING = re.compile(
    r"""(?: "(?P<double>[^"=]*)" | '(?P<single>[^'=]*)' | (?P<name>[^\s="'][^\s=]*) )
        \s* = \s*
        (?: "(?P<in_double>[^"]*)"\s* | '(?P<in_single>[^']*)'\s* | (?P<value>(?!["']).*) )""",
    re.VERBOSE | re.DOTALL,
)
_INTERVAL = re.compile(r"@every[ \t]+(\S+)[ \t]*(.*)", re.DOTALL)
_ALIAS = re.compile(r"(@\S+)[ \t]*(.*)", re.DOTALL)
_FIELDS = re.compile(r"((?:\S+[ \t]+){4}\S+)[ \t]*(.*)", re.DOTALL)
_OPTIONS = re.compile(r"\A(?:-[nqs]+[ \t]+)*")  # OpenBSD: no mail after success, no log, one at a time
_LEGEND = re.compile(r"(user-?name[ \t]+)?command\b", re.IGNORECASE)  # "* * * * * command to be executed"
_NEITHER = "it is neither a setting nor a schedule with a command"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An entry of a crontab, as it is written there."""

    source: str
    number: int
    text: str
    when: str  # five fields with single blanks between them, or `@` words
    user: str | None  # of the sixth field
    command: str
    options: frozenset[str]  # `-` before the fields, and letters of OpenBSD after them
    settings: Mapping[str, str]  # in force here
    comment: Sequence[str]  # lines right above it
    is_enabled: bool

    @property
    def where(self) -> str:
        return f"{self.source}:{self.number}"

    @property
    def zone_name(self) -> str:
        """Return the zone of its schedule; empty: that of the host."""
        return self.settings.get("CRON_TZ", "").removeprefix(":")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A line that cannot be carried over."""

    where: str
    text: str
    reason: str


class _Unreadable(Exception):
    """A line that no cron could read, either."""


def read(source: Source, *, with_disabled: bool = False) -> tuple[list[Line], list[Refusal]]:
    """Return the entries of a crontab and what could not be read of it.

    A setting holds for the lines below it. With `with_disabled`, comments that are entries count as such.
    """
    entries: list[Line] = []
    refused: list[Refusal] = []
    for found in _walk(source):
        if isinstance(found, Refusal):
            refused.append(found)
        elif found.is_enabled or with_disabled:
            entries.append(found)
    return entries, refused


def _walk(source: Source) -> Iterator[Line | Refusal]:
    settings: dict[str, str] = {}
    above: list[str] = []
    for number, raw in enumerate(source.text.split("\n"), 1):
        text = raw.removesuffix("\r")
        body = text.strip(_BLANKS)
        if body.startswith("#"):
            line = _disabled(source, number, text, settings, above)
            if line is None:
                above.append(body.lstrip("#").strip())
                continue
            yield line
        elif (setting := _SETTING.fullmatch(body)) is not None:
            name, value = _named(setting)
            settings = {**settings, name: value}
        elif body:
            try:
                yield _entry(source, number, text, settings, above)
            except _Unreadable as error:
                yield Refusal(where=f"{source.name}:{number}", text=text, reason=str(error))
        above = []


def _named(setting: re.Match[str]) -> tuple[str, str]:
    """Return name and value of a setting, without their quotes."""
    parts = setting.groupdict()
    names = (parts["double"], parts["single"], parts["name"])
    values = (parts["in_double"], parts["in_single"], parts["value"])
    return next(name for name in names if name is not None), next(v for v in values if v is not None)


def _entry(source: Source, number: int, text: str, settings: Mapping[str, str], above: Sequence[str]) -> Line:
    """Read an entry, or raise `_Unreadable`."""
    body = text.strip(_BLANKS)
    options = set()
    if body.startswith("-"):  # root's way to keep a line out of the log
        options.add("-")
        body = body[1:].lstrip(_BLANKS)
    when, rest = _when(body)
    user = None
    if source.has_users:
        user, *others = rest.split(None, 1)
        rest = others[0] if others else ""
    command = _OPTIONS.sub("", rest)
    options.update({"n", "q", "s"}.intersection(rest[: len(rest) - len(command)]))
    if not command.strip():
        raise _Unreadable(_NEITHER)
    if command.startswith("*"):
        raise _Unreadable("its command begins with `*`: cron has five fields, and no seconds or years")
    return Line(
        source=source.name,
        number=number,
        text=text,
        when=when,
        user=user,
        command=command,
        options=frozenset(options),
        settings=settings,
        comment=tuple(above),
        is_enabled=True,
    )


def _when(body: str) -> tuple[str, str]:
    """Split an entry after its schedule."""
    if (interval := _INTERVAL.fullmatch(body)) is not None and interval[2].strip():
        return f"@every {interval[1]}", interval[2]
    split = (_ALIAS if body.startswith("@") else _FIELDS).fullmatch(body)
    if split is None or not split[2].strip():
        raise _Unreadable(_NEITHER)
    return " ".join(split[1].split()), split[2]


def _disabled(
    source: Source, number: int, text: str, settings: Mapping[str, str], above: Sequence[str]
) -> Line | None:
    """Return the entry that a comment is, or None: prose, and the legend of the fields, is none."""
    try:
        line = _entry(source, number, text.strip(_BLANKS).lstrip("#"), settings, above)
    except _Unreadable:
        return None
    if _LEGEND.match(line.command) or not reads_as_schedule(line.when):
        return None
    return replace(line, text=text, is_enabled=False)
