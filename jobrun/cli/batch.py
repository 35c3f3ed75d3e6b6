"""Many jobs from one text: a job a line, all of it or nothing.

A line is words, quoted as for a shell, or a JSON object. Empty lines and lines that begin with `#`
are skipped. All lines are read before the first job is added, so every mistake can be named at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jobrun.cli.asking import BY_FLAG, Caller, Option
from jobrun.cli.caller import check_input
from jobrun.cli.plain import plain_row
from jobrun.cli.words import Said, new_job, parse_line
from jobrun.errors import UsageError, meant
from jobrun.model import NewJob
from jobrun.payload import parse_json
from jobrun.store.insertion import Row
from jobrun.store.rows import compact

MAX_LINE = 2 << 20  # bytes; an escaped payload may be longer than what it means
MAX_NAMED = 20  # bad lines
UNCHANGED = "nothing was queued"
MAX_PLAIN = 100_000  # characters; a float may be longer as we write it, but not ten times
CHUNK = 10_000  # jobs in one commit
_QUOTING = frozenset("\\\"'")
_PAYLOAD = {("args", list), ("kwargs", dict)}
_NOT_IN_A_LINE = frozenset({"batch", "check", "quiet", "json", "wait", "follow", "exec", "durability"})


def read_lines(source: str) -> Iterator[str]:
    """Yield the lines of a file, or of standard input for `-`; an endless one is refused."""
    if source == "-":
        check_input()
    try:
        with open(0 if source == "-" else source.encode(), "rb", closefd=source != "-") as file:
            while line := file.readline(MAX_LINE + 1):
                if len(line) > MAX_LINE:
                    raise UsageError(
                        f"`{source}` has a line longer than {MAX_LINE >> 20} MiB", hint=UNCHANGED
                    )
                yield line.decode("utf-8", "surrogateescape")
    except OSError as error:
        raise UsageError(f"cannot read `{source}`: {(error.strerror or '').lower()}") from None


def parse(lines: Iterable[str], defaults: Mapping[str, Any], caller: Caller) -> list[NewJob | Row]:
    """Return the jobs of all lines; plain ones as rows. Raises one `UsageError` that names the bad lines."""
    jobs: list[NewJob | Row] = []
    bad: list[str] = []
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text[0] == "#":
            continue
        try:
            jobs.append(_job(text, defaults, caller))
        except UsageError as error:
            bad.append(f"line {number}: {error.message}")
    if bad:
        count = "1 line is" if len(bad) == 1 else f"{len(bad)} lines are"
        more = [f"and {len(bad) - MAX_NAMED} more"] if len(bad) > MAX_NAMED else []
        raise UsageError(f"{count} wrong, so nothing was queued", details=[*bad[:MAX_NAMED], *more])
    return jobs


def _job(text: str, defaults: Mapping[str, Any], caller: Caller) -> NewJob | Row:
    if not text.isascii():
        _check_encoding(text)
    if text[0] == "{":
        found = parse_json(text, "the line")
        if not defaults and len(text) < MAX_PLAIN and (row := _plain_object(found)) is not None:
            return row
        return _job_of_object(found, defaults, caller)
    words = _split(text)
    if not defaults and (row := plain_row(words)) is not None:
        return row
    return parse_line(words, defaults, caller)


def _split(text: str) -> list[str]:
    """Split words as a shell does; a line without quotes takes the short way."""
    if _QUOTING.isdisjoint(text):
        return text.split()
    from shlex import split  # noqa: PLC0415 -- only quoted lines pay for it

    try:
        return split(text)
    except ValueError as error:
        raise UsageError(f"{error}".lower()) from None


def _check_encoding(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"not valid UTF-8 in column {error.start + 1}") from None


def _plain_object(found: Mapping[str, Any]) -> Row | None:
    """Return the row of a call whose other values are plain texts; its payload is checked with the line."""
    words: list[str] = []
    payload: Row = {}
    for key, value in found.items():
        if (key, type(value)) in _PAYLOAD:
            payload[key] = compact(value)
        elif type(value) is not str or "=" in key:
            return None
        elif key not in {"task", "call"}:
            words.append(f"--{key.replace('_', '-')}={value}")
        elif (words and words[0][:1] != "-") or value[:1] == "-":
            return None
        else:
            words.insert(0, value)
    row = plain_row(words)
    return None if row is None else {**row, **payload}


def _job_of_object(found: dict[str, Any], defaults: Mapping[str, Any], caller: Caller) -> NewJob:
    """Read the keys of an object as the options of the same name, `task` and `command`."""
    options: dict[str, Any] = {}
    words: list[str] = []
    rest: list[str] | None = None
    for key, value in found.items():
        if value is None:
            continue
        if key in {"task", "call"}:
            words.append(_text(key, value))
        elif key == "command":
            rest, options["exec"] = _strings(key, value), True
        elif key in {"args", "kwargs"}:
            options[key] = value
        else:
            option = _option(key)
            options[option.field] = _value(option, key, value, caller)
    if len(words) + (rest is not None) + ("shell" in options) != 1:
        raise UsageError("an object needs one of `task`, `shell` and `command`")
    return new_job(Said(options=options, words=words, rest=rest), caller, defaults)


def _option(key: str) -> Option:
    option = BY_FLAG.get("--" + ("tag" if key == "tags" else key.replace("_", "-")))
    if option is None or option.field in _NOT_IN_A_LINE:
        known = [flag[2:] for flag, each in BY_FLAG.items() if each.field not in _NOT_IN_A_LINE]
        hint = meant(key, ["task", "command", "tags", *known])
        raise UsageError(f"unknown key `{key}`" + (f"; {hint}" if hint else ""))
    return option


def _value(option: Option, key: str, value: Any, caller: Caller) -> Any:
    if option.metavar is None:
        return _flag(key, value)
    if option.is_repeatable:
        return _strings(key, value if isinstance(value, list) else [value])
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and option.metavar in {"N", "DUR"}:
        value = f"{value}s" if option.metavar == "DUR" else str(value)
    try:
        return option.parse(_text(key, value), caller)
    except UsageError as error:
        raise UsageError(f"{key}: {error.message}") from None


def _strings(key: str, value: Any) -> list[str]:
    if not isinstance(value, list):
        raise UsageError(f"`{key}` must be a list of texts")
    return [_text(key, each) for each in value]


def _flag(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"`{key}` must be true or false, not {value!r}")
    return value


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise UsageError(f"`{key}` must be text, not {value!r}")
    return value
