"""From the words of `enqueue` to a request.

Options may stand before or after the target; `--` ends them. The words mean the same in a shell and
in a line of a batch file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NoReturn

from jobrun.cli.asking import BY_FLAG, OPTIONS, Caller, Option
from jobrun.cli.flags import ANSWER
from jobrun.durability import FULL
from jobrun.errors import UsageError, meant
from jobrun.model import Kind, NewJob, Terms
from jobrun.payload import MAX_DIGITS, parse_json
from jobrun.requests import TARGET_HINT, check

_PARAMETER = re.compile(r"[A-Za-z_]\w*=", re.ASCII)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?")
_CONSTANTS = {"true": True, "false": False, "null": None}
_OF_THE_ANSWER = frozenset(option.field for option in OPTIONS if option.group == ANSWER) | {"batch", "check"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Words sorted: options by field, what stood before `--`, and what came after it, if it stood."""

    options: dict[str, Any] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    rest: list[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a command line asks: one job, or a batch whose lines begin with `defaults`."""

    job: NewJob | None
    batch: str | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    quiet: bool = False
    json: bool = False
    wait: bool = False
    follow: bool = False
    check: bool = False
    durability: str = FULL


def parse(words: Sequence[str], caller: Caller) -> Request:
    """Return what the words after `enqueue` ask for, or raise `UsageError`."""
    said = sort(words, caller)
    answer = {name: said.options.pop(name) for name in _OF_THE_ANSWER & said.options.keys()}
    if answer.get("quiet") and answer.get("json"):
        raise UsageError("--quiet and --json are two answers; choose one")
    if "batch" not in answer:
        return Request(job=new_job(said, caller), **answer)
    for name in ("wait", "follow", "check"):
        if name in answer:
            raise UsageError(f"--{name} is for one job, not for --batch")
    for name in ("shell", "exec", "args", "kwargs", "key"):
        if name in said.options:
            raise UsageError(f"--{name} belongs into the lines of --batch")
    if extra := [*said.words, *(said.rest or [])]:
        raise UsageError(f"--batch takes its jobs from the file: `{extra[0]}` is too much")
    return Request(job=None, defaults=said.options, **answer)


def parse_line(words: Sequence[str], defaults: Mapping[str, Any], caller: Caller) -> NewJob:
    """Return the job that one line of a batch asks for."""
    said = sort(words, caller)
    for name in said.options.keys() & _OF_THE_ANSWER:
        raise UsageError(f"--{name} is for the whole batch, not for a line")
    return new_job(said, caller, defaults)


def sort(words: Sequence[str], caller: Caller, known: Mapping[str, Option] = BY_FLAG) -> Said:
    """Tell options from other words; values are read on the way."""
    options: dict[str, Any] = {}
    others: list[str] = []
    stream = iter(words)
    for word in stream:
        if word == "--":
            return Said(options=options, words=others, rest=list(stream))
        if word[:1] != "-" or word == "-" or word[1] in "0123456789":
            others.append(word)
        else:
            option, text = _option(word, known)
            _keep(options, option, _value(option, text, stream, caller))
    return Said(options=options, words=others)


def new_job(said: Said, caller: Caller, defaults: Mapping[str, Any] | None = None) -> NewJob:
    """Make the job of sorted words and check it."""
    asked = {**(defaults or {}), **said.options}
    what = _what(said, asked, caller)
    _set_times(asked, caller)
    if asked.pop("isolate", False):
        asked["terms"] = Terms(isolate=True)
    if "tags" in asked:
        asked["tags"] = tuple(asked["tags"])
    return check(NewJob(**what, **asked), now=caller.now)


def read_value(text: str) -> Any:
    """Return the JSON value that an ARG is, or the text that it is otherwise.

    >>> [read_value(text) for text in ("2", "null", '{"a": 1}', "1.10", "1e3", "NaN")]
    [2, None, {'a': 1}, '1.10', '1e3', 'NaN']
    """
    if text[:1] in {"{", "[", '"'}:
        try:
            return parse_json(text, f"argument `{text[:40]}`")
        except UsageError as error:
            raise UsageError(error.message, hint="arguments after -- are taken as text") from None
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _NUMBER.fullmatch(text) is None or len(text) > MAX_DIGITS:
        return text
    number = json.loads(text)
    return number if json.dumps(number) == text else text


def _option(word: str, known: Mapping[str, Option]) -> tuple[Option, str | None]:
    """Return the option that a word names, and the value that is part of it, if one is."""
    if option := known.get(word):
        return option, None
    if word.startswith("--"):
        flag, equals, text = word.partition("=")
        option = known.get(flag)
        if option and equals:
            return option, text
    elif (option := known.get(word[:2])) and option.metavar:
        return option, word[2:]
    flag = word.partition("=")[0]
    near = meant(flag, known) if flag.startswith("--") else None
    hint = near or "arguments that begin with a dash go after --"
    raise UsageError(f"unknown option `{flag}`", hint=hint)


def _value(option: Option, text: str | None, stream: Iterator[str], caller: Caller) -> Any:
    if option.metavar is None:
        if text is not None:
            raise UsageError(f"{option.name} takes no value, but got `{text}`")
        return True
    if text is None:
        text = next(stream, None)
        if text is None or text.startswith("--"):
            hint = f"if it is meant, write {option.name}={text}" if text else None
            raise UsageError(f"{option.name} needs a value ({option.metavar})", hint=hint)
    try:
        return option.parse(text, caller)
    except UsageError as error:
        raise UsageError(f"{option.name}: {error.message}", hint=error.hint) from None


def _keep(options: dict[str, Any], option: Option, value: Any) -> None:
    if option.is_repeatable:
        options.setdefault(option.field, []).append(value)
    elif option.field in options and option.metavar is not None:
        raise UsageError(f"{option.name} is given twice")
    else:
        options[option.field] = value


def _what(said: Said, asked: dict[str, Any], caller: Caller) -> dict[str, Any]:
    """Take kind, task and arguments out of what is asked."""
    line, is_command = asked.pop("shell", None), asked.pop("exec", False)
    args, kwargs = asked.pop("args", None), asked.pop("kwargs", None)
    if line is None and not is_command:
        return _call(said, args, kwargs)
    option = "--exec" if line is None else "--shell"
    if line is not None and is_command:
        raise UsageError("--shell and --exec are two ways to run one thing; choose one")
    if args is not None or kwargs is not None:
        raise UsageError(f"--args and --kwargs are for functions, not for {option}")
    if line is not None:
        if extra := [*said.words, *(said.rest or [])]:
            raise UsageError(f"--shell takes one line: `{extra[0]}` is too much", hint="quote the whole line")
        return {"kind": Kind.SHELL, "task": line, "surroundings": caller.surroundings()}
    if said.words or not said.rest:
        raise UsageError("--exec takes its command after `--`", hint="as in `jobrun enqueue -x -- ls -l`")
    from shlex import join  # noqa: PLC0415 -- calls and shell lines do without

    task = join(said.rest)
    return {
        "kind": Kind.COMMAND,
        "task": task,
        "args": tuple(said.rest),
        "surroundings": caller.surroundings(),
    }


def _call(said: Said, args: Any, kwargs: Any) -> dict[str, Any]:
    words, rest = said.words, said.rest or []
    if not words:
        words, rest = rest[:1], rest[1:]
    if not words:
        raise UsageError("missing TARGET (module:function)", hint=TARGET_HINT)
    positional, named = _arguments(words[1:])
    positional += rest
    if args is not None:
        if positional:
            raise UsageError("arguments are given as words and with --args; choose one")
        positional, args_by_name = _as_arguments(args)
        named = _merged(named, args_by_name)
    if kwargs is not None:
        if not isinstance(kwargs, dict):
            raise UsageError("--kwargs: named arguments must be a JSON object")
        named = _merged(named, kwargs)
    return {"kind": Kind.CALL, "task": words[0], "args": tuple(positional), "kwargs": named}


def _arguments(words: Sequence[str]) -> tuple[list[Any], dict[str, Any]]:
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for word in words:
        if _PARAMETER.match(word):
            name, _, text = word.partition("=")
            if name in named:
                raise UsageError(f"argument `{name}` is given twice")
            named[name] = read_value(text)
        else:
            positional.append(read_value(word))
    return positional, named


def _as_arguments(value: Any) -> tuple[list[Any], dict[str, Any]]:
    match value:
        case list():
            return value, {}
        case dict():
            return [], value
        case _:
            raise UsageError("--args: arguments must be a JSON list or object")


def _merged(named: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    for name in named.keys() & more.keys():
        raise UsageError(f"argument `{name}` is given twice")
    return {**named, **more}


def _set_times(asked: dict[str, Any], caller: Caller) -> None:
    """Turn --in, --eta and --expires into instants."""
    after, eta = asked.pop("in", None), asked.pop("eta", None)
    if after is not None and eta is not None:
        _refuse_both()
    run_at: datetime | None = eta if after is None else after
    expires = asked.pop("expires", None)
    if run_at is not None:
        asked["run_at"] = run_at
    if isinstance(expires, float):
        expires = max(run_at or caller.now, caller.now) + timedelta(seconds=expires)
    if expires is not None:
        asked["expires_at"] = expires


def _refuse_both() -> NoReturn:
    raise UsageError("--eta and --in both say when; use one")
