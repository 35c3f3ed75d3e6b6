"""What a request for a job must satisfy, whichever door it comes through.

Every refusal is a `UsageError` that names the value; nothing is imported, opened or run here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from types import NoneType
from typing import NoReturn

from jobrun.errors import UsageError
from jobrun.model import COMMON_TERMS, Kind, Leftovers, NewJob, OnCrash, Surroundings, Terms
from jobrun.payload import check_payload, refuse_above_limit
from jobrun.units import MAX_DURATION_S, format_duration, format_size

MAX_TARGET = 255
MAX_NAME = 64
MAX_KEY = 255
MAX_TAGS = 32
MAX_WORD = 128 * 1024 - 1  # bytes; the kernel starts no program with a longer argument
MAX_URL = 2048
MAX_RETRIES = 100
MAX_PRIORITY = 1_000_000
MAX_BACKOFF_S = 366 * 86400.0
TARGET_HINT = "write module:function, as in `jobrun enqueue shop.mail:send 42`"

_TARGET = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_BAD_IN_TARGET = re.compile(r"[^\w.:]", re.ASCII)
_NO_BYTE = re.compile("[\0\ud800-\udc7f\udd00-\udfff]")  # U+DC80 to U+DCFF stand for single bytes
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_URL = re.compile(r"https?://(?![/?])[!-\"$-~]+")  # printable ASCII; a fragment would not be sent
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_TYPES: tuple[tuple[tuple[type, ...], str, tuple[str, ...]], ...] = (
    ((int,), "a whole number", ("priority", "retries")),
    ((int, float), "a number", ("backoff_s", "max_backoff_s")),
    ((int, float, NoneType), "a number", ("timeout_s", "deadline_s")),
    ((datetime, NoneType), "a datetime", ("run_at", "expires_at", "scheduled_for")),
    ((str,), "text", ("task",)),
    ((str, NoneType), "text", ("key",)),
    ((tuple, list), "a tuple", ("args", "tags")),
    ((Mapping,), "a mapping", ("kwargs",)),
    ((Kind,), "a Kind", ("kind",)),
    ((OnCrash,), "an OnCrash", ("on_crash",)),
    ((Surroundings, NoneType), "Surroundings", ("surroundings",)),
    ((Terms,), "Terms", ("terms",)),
)
_typed_values = attrgetter(*(name for _, _, names in _TYPES for name in names))
_GOOD_TYPES: set[tuple[type, ...]] = set()  # of jobs that were checked one by one
_MOST_KNOWN = 1000


def check(job: NewJob, *, now: datetime) -> NewJob:
    """Return the job as it is, or raise `UsageError` for the first thing in it that cannot be."""
    _check_types(job)
    size = _check_task(job)
    for what, name in (("queue", job.queue), ("name", job.name), ("entry", job.entry)):
        if name is not None:
            check_name(what, name)
    _check_tags(job.tags)
    if job.key is not None:
        _check_key(job.key)
    _check_numbers(job)
    if not (job.run_at is job.expires_at is job.scheduled_for is None):
        _check_times(job, now)
    if job.surroundings is not None:
        _check_surroundings(job.surroundings)
    if job.terms is not COMMON_TERMS:
        _check_terms(job, size)
    return job


def check_target(text: str) -> None:
    """Refuse what is not `module:function` in plain ASCII names."""
    if not text:
        raise UsageError("the target is empty", hint=TARGET_HINT)
    if len(text) > MAX_TARGET:
        raise UsageError(f"target of {len(text)} characters is longer than {MAX_TARGET}")
    if _TARGET.fullmatch(text) is None:
        _refuse_target(text)
    if "__" in text and any(part[:2] == "__" == part[-2:] for part in text.replace(":", ".").split(".")):
        raise UsageError(f"target `{text}`: names with double underscores are refused")


def check_name(what: str, text: str) -> None:
    """Refuse a queue, tag or job name that could not be a word of a path."""
    if not isinstance(text, str) or _NAME.fullmatch(text) is None:
        shown = text if len(str(text)) <= MAX_TARGET else f"{text[:20]}…"
        hint = "1 to 64 of A-Z a-z 0-9 . _ - (not first: . or -)"
        if isinstance(text, str) and len(text) > MAX_NAME:
            hint = f"it has {len(text)} characters, and {MAX_NAME} are the most"
        raise UsageError(f"bad {what} `{shown}`", hint=hint)


def _refuse_target(text: str) -> NoReturn:
    module, colon, _ = text.partition(":")
    for column, character in enumerate(text, start=1):
        if not character.isprintable():
            raise UsageError(f"target `{text}`: control character in column {column}")
        if not character.isascii():
            code = f"U+{ord(character):04X}"
            raise UsageError(f"target `{text}`: `{character}` ({code}) in column {column} is not ASCII")
    if "/" in module:
        raise UsageError(f"target `{text}` needs a module name, not a path", hint=TARGET_HINT)
    if bad := _BAD_IN_TARGET.search(text):
        raise UsageError(
            f"target `{text}`: bad character `{bad[0]}` in column {bad.start() + 1}", hint=TARGET_HINT
        )
    if colon:
        raise UsageError(f"bad target `{text}`", hint=TARGET_HINT)
    module, dot, function = text.rpartition(".")
    hint = f"did you mean `{module}:{function}`?" if dot and module and function else TARGET_HINT
    raise UsageError(f"target `{text}` needs a `:` between module and function", hint=hint)


def _check_types(job: NewJob) -> None:
    found = tuple(map(type, _typed_values(job)))
    if found in _GOOD_TYPES:
        return
    for types, words, names in _TYPES:
        for name in names:
            value = getattr(job, name)
            if not isinstance(value, types) or isinstance(value, bool):
                raise UsageError(f"{name} must be {words}, not `{value!r}`")
    if len(_GOOD_TYPES) < _MOST_KNOWN:
        _GOOD_TYPES.add(found)


def _check_task(job: NewJob) -> int:
    """Return the bytes that the task takes, arguments included."""
    if job.kind is Kind.CALL:
        check_target(job.task)
        return check_payload(job.args, job.kwargs) if job.args or job.kwargs else 0
    if job.kind is Kind.SHELL:
        return _check_words((job.task,), "shell line")
    return _check_words(job.args, "command")


def _check_words(words: Sequence[str], what: str) -> int:
    if not words or not words[0] or words[0].isspace():
        raise UsageError(f"the {what} is empty")
    total = 0
    for word in words:
        if not isinstance(word, str) or "\0" in word:
            raise UsageError(f"the {what} holds what is no text: {word!r}")
        try:
            size = len(word.encode())
        except UnicodeEncodeError:
            raise UsageError(f"the {what} is not valid UTF-8: {word!r}") from None
        if size > MAX_WORD:
            raise UsageError(f"the {what} has {format_size(size)} in one word; the system takes 128 KiB")
        total += size
    refuse_above_limit(total)
    return total


def _check_tags(tags: Sequence[str]) -> None:
    if len(tags) > MAX_TAGS:
        raise UsageError(f"{len(tags)} tags are too many; at most {MAX_TAGS}")
    for tag in tags:
        check_name("tag", tag)


def _check_key(key: str) -> None:
    if not 0 < len(key) <= MAX_KEY or not key.isprintable():
        shown = key if len(key) <= MAX_KEY else f"{key[:20]}…"
        raise UsageError(f"bad key `{shown}`", hint=f"1 to {MAX_KEY} printable characters")


def _check_numbers(job: NewJob) -> None:
    if not 0 <= job.retries <= MAX_RETRIES:
        raise UsageError(f"retries must be from 0 to {MAX_RETRIES}, not `{job.retries}`")
    if not -MAX_PRIORITY <= job.priority <= MAX_PRIORITY:
        raise UsageError(f"priority must be from {-MAX_PRIORITY} to {MAX_PRIORITY}, not `{job.priority}`")
    for what, limit_s in (("timeout", job.timeout_s), ("deadline", job.deadline_s)):
        if limit_s is not None and not 0 < limit_s <= MAX_DURATION_S:
            raise UsageError(f"{what} must be a positive duration, not `{limit_s:g}s`")
    for what, seconds in (("backoff", job.backoff_s), ("max-backoff", job.max_backoff_s)):
        if not 0 <= seconds <= MAX_BACKOFF_S:
            raise UsageError(f"{what} must be from 0s to a year, not `{seconds:g}s`")
    if job.backoff_s > job.max_backoff_s:
        first, most = format_duration(job.backoff_s), format_duration(job.max_backoff_s)
        raise UsageError(
            f"backoff `{first}` is longer than max-backoff `{most}`", hint="raise max-backoff too"
        )


def _check_times(job: NewJob, now: datetime) -> None:
    for instant in (job.run_at, job.expires_at, job.scheduled_for):
        if instant is not None and instant.tzinfo is None:
            raise UsageError(f"time `{instant}` has no time zone", hint="use datetime.now(UTC), for example")
        if instant is not None and not _EARLIEST <= instant < _LATEST:
            raise UsageError(f"time `{instant}` is outside 1970-2200")
    if job.expires_at is not None and job.expires_at <= max(job.run_at or now, now):
        raise UsageError(f"the job would expire at `{job.expires_at}`, before it could start")


def _check_surroundings(around: Surroundings) -> None:
    if not _is_for_the_system(around.cwd):
        raise UsageError(f"the directory {around.cwd!r} is no path")
    for name, value in around.environment.items():
        if not (_is_for_the_system(name) and _is_for_the_system(value)):
            raise UsageError(f"the variable {name!r} is none that a program could be given")
    if around.umask is not None and (type(around.umask) is not int or not 0 <= around.umask <= 0o777):
        raise UsageError(f"umask must be from 000 to 777 in octal, not `{around.umask!r}`")


def _check_terms(job: NewJob, size: int) -> None:
    terms = job.terms
    if terms.stdin is not None:
        _check_stdin(job.kind, terms.stdin, size)
    if job.kind is Kind.CALL and terms.leftovers is Leftovers.KEEP:
        raise UsageError(
            "a call cannot leave processes behind", hint="start them from a shell line or a command"
        )
    if type(terms.isolate) is not bool:
        raise UsageError(f"isolate must be True or False, not `{terms.isolate!r}`")
    if terms.isolate and job.kind is not Kind.CALL:
        raise UsageError(
            "isolate is for calls", hint="a shell line or a command has a process of its own anyway"
        )
    for what in ("ok_exit", "skip_exit", "no_retry_exit"):
        for code in getattr(terms, what):
            if type(code) is not int or not 0 <= code <= 255:
                raise UsageError(
                    f"{what} holds `{code!r}`, which is no exit code", hint="exit codes are 0 to 255"
                )
    if both := set(terms.ok_exit) & set(terms.skip_exit):
        raise UsageError(f"exit code `{min(both)}` is in ok_exit and in skip_exit")
    if terms.ping is not None and (len(terms.ping) > MAX_URL or not _URL.fullmatch(terms.ping)):
        raise UsageError(
            f"ping `{terms.ping[:MAX_TARGET]}` is no address", hint="https://host/path, as plain text"
        )


def _check_stdin(kind: Kind, text: str, size: int) -> None:
    if kind is Kind.CALL:
        raise UsageError("a call reads no stdin", hint="give it the text as an argument")
    if _NO_TEXT.search(text):
        raise UsageError("stdin holds a NUL or what is not valid UTF-8")
    refuse_above_limit(size + len(text.encode()))


def _is_for_the_system(text: str) -> bool:
    """Say whether a text stands for bytes (PEP 383) that the kernel takes."""
    return isinstance(text, str) and _NO_BYTE.search(text) is None
