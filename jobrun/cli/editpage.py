"""A job as a page of TOML that a person edits, and what the page says then."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from jobrun.crontab.tomltext import comment, key, written
from jobrun.errors import UsageError

_REMARKS = {
    "task": "module:function",
    "args": "a JSON list",
    "kwargs": "a JSON object",
    "shell": "a line for /bin/sh",
    "command": "the words of a command, no shell",
    "priority": "higher runs first",
    "eta": 'not before: "18:00", "tomorrow 06:30", "2027-03-01 10:00"',
    "expires": 'do not start it later: a time, or "2h" after it is due',
    "deadline": "its last attempt ends by then",
    "retries": "further attempts after a failure",
    "backoff": "before the first retry, doubled each time",
    "timeout": "of each attempt",
    "on_crash": "retry, park or fail",
    "isolate": "in a fork of its own",
    "key": "at most one live job has it",
    "umask": "octal",
}
_EXAMPLES = {"expires": "2h", "deadline": "18:00", "timeout": "5m", "key": "a-key", "name": "a-name"}


def page(job_id: int, values: Mapping[str, Any]) -> str:
    """Write the fields of a job; those without a value as a comment."""
    head = [
        comment(f"Job {job_id}. Save and leave: it is checked, and changed if it still waits."),
        comment("A line taken out is at its default; unchanged or empty, nothing is done."),
        "",
    ]
    return "\n".join([*head, *(_line(name, value) for name, value in values.items()), ""])


def with_fault(text: str, error: UsageError) -> str:
    """Return a page with what is wrong with it at its top, in place of what was wrong before."""
    said = [error.message, *([f"hint: {error.hint}"] if error.hint else [])]
    return "".join(f"#! {comment(each)[2:]}\n" for each in said) + without_fault(text)


def without_fault(text: str) -> str:
    """Return what a person wrote: an editor that nobody sits at may leave out what stands above it."""
    lines = text.splitlines(keepends=True)
    while lines and lines[0].startswith("#! "):
        del lines[0]
    return "".join(lines)


def read(text: str) -> dict[str, Any]:
    """Return what a page says; nothing for one without a single field. Raises `UsageError`."""
    try:
        return tomllib.loads(text.replace("\r\n", "\n"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"this is not TOML: {error}", hint="text stands in quotes") from None


def is_empty(text: str) -> bool:
    """Say whether a page has nothing but comments."""
    return all(not line.strip() or line.lstrip().startswith("#") for line in text.splitlines())


def assignment(text: str, before: Mapping[str, Any]) -> tuple[str, Any]:
    """Read `name=value`: a TOML value, or bare text where that is a text; None for nothing. Raises `UsageError`."""
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not name:
        raise UsageError(f"--set takes name=value, not `{text}`", hint="as --set priority=5")
    if not value:
        return name, None
    try:
        found = tomllib.loads(f"value = {value}")["value"] if "\n" not in value else value
    except (ValueError, RecursionError):
        return name, value
    is_text = isinstance(before.get(name), str | None)
    return name, found if isinstance(found, str | list | dict) or not is_text else value


def _line(name: str, value: Any) -> str:
    remark = f"  {comment(_REMARKS[name])}" if name in _REMARKS else ""
    if value is None:
        return f"# {key(name)} = {written(_EXAMPLES.get(name, ''))}{remark}"
    return f"{key(name)} = {written(value)}{remark}"
