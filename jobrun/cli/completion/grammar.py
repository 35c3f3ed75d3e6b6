"""What may come next on a command line that is being typed. Pure: it knows the verbs, and looks at nothing live."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from jobrun.cli import asking, execwords
from jobrun.cli.asking import Option
from jobrun.cli.verbs import FAMILIES, NAMES

Choices = tuple[tuple[str, str], ...]  # a word, and what it means


class Need(StrEnum):
    """What a metavar asks for."""

    ID = "ID"
    QUEUE = "QUEUE"
    TASK = "GLOB"
    TAG = "TAG"
    ENTRY = "NAME"
    STATE = "STATE"
    FILE = "FILE"


_FILES = {"FILE", "DIR", "CRONTAB", "PATH", "TABLE"}
_DASHED = "-"  # with which every option begins
_WITH_DOORS = {"enqueue": asking.BY_FLAG, "exec": execwords.BY_FLAG}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What could stand where the typing goes on: fixed words, and live ones of some needs.

    `typed` is how much of it is there already; `before` stands in the same word and stays, as `--state=`.
    """

    typed: str
    before: str = ""
    choices: Choices = ()
    needs: frozenset[Need] = frozenset()
    verb: str = ""


def wanted(words: Sequence[str], group: Any) -> Wanted:
    """Return what could be meant by the last word, which may be empty; `group` is the command line.

    `words` are those after `jobrun`.
    """
    done, typed = without_job_file(words[:-1]), words[-1]
    if words[-2:-1] == ["--db"]:
        return Wanted(typed=typed, needs=frozenset({Need.FILE}))
    name, command = "", group
    while (commands := getattr(command, "commands", None)) is not None:
        verb = next((word for word in done if not word.startswith(_DASHED)), None)
        if verb is None or verb not in commands:
            return _a_verb(name, command, typed) if verb is None else Wanted(typed=typed)
        done = done[done.index(verb) + 1 :]
        name, command = f"{name} {verb}".strip(), commands[verb]
    if (known := _WITH_DOORS.get(name)) is not None:
        return _of_door(name, known, done, typed)
    return _of(name, command, done, typed)


def without_job_file(words: Sequence[str]) -> list[str]:
    """Leave out `--db PATH`, which may stand anywhere."""
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--db":
            next(rest, None)
        elif not word.startswith("--db="):
            kept.append(word)
    return kept


def job_file_in(words: Sequence[str]) -> str | None:
    """Return what `--db` names, if it is there."""
    for word, after in zip(words, [*words[1:], ""], strict=True):
        if word == "--db" or word.startswith("--db="):
            return after if word == "--db" else word.partition("=")[2]
    return None


def _a_verb(name: str, group: Any, typed: str) -> Wanted:
    if typed.startswith(_DASHED):
        own = _options(group.params) if name else (("--db", "the job file"), ("--version", "which one it is"))
        return Wanted(typed=typed, choices=(*own, ("--help", "what there is")))
    names = [verb.name for verb in FAMILIES[name].verbs] if name else NAMES
    choices = tuple((verb, group.commands[verb].get_short_help_str(100)) for verb in names)
    needs = {Need.FILE} if name == "cron" else set()
    return Wanted(typed=typed, choices=choices, needs=frozenset(needs))


def _of(verb: str, command: Any, done: Sequence[str], typed: str) -> Wanted:
    """Return what may follow a verb and some of its words."""
    options = {flag: param for param in command.params for flag in param.opts if flag.startswith(_DASHED)}
    takes = {flag: "" if param.is_flag else str(param.metavar) for flag, param in options.items()}
    flag, value, count = _place(done, typed, takes)
    if flag is not None:
        before = "" if value == typed else f"{flag}="
        return _meant(takes[flag], verb, value, before=before)
    if typed.startswith(_DASHED) and "--" not in done:
        return Wanted(
            typed=typed, choices=(*_options(command.params), ("--help", "what there is")), verb=verb
        )
    arguments = [param for param in command.params if not param.opts[0].startswith(_DASHED)]
    if not arguments:
        return Wanted(typed=typed, verb=verb)
    place = arguments[min(count, len(arguments) - 1)]
    if count >= len(arguments) and place.nargs != -1:
        return Wanted(typed=typed, verb=verb)
    return _meant(str(place.metavar), verb, typed)


def _of_door(verb: str, known: Mapping[str, Option], done: Sequence[str], typed: str) -> Wanted:
    """Return what may follow a verb whose options are not those of typer."""
    takes = {flag: option.metavar or "" for flag, option in known.items()}
    flag, value, count = _place(done, typed, takes)
    if flag is not None:
        before = "" if value == typed else f"{flag}="
        if flag == "--name":
            return Wanted(typed=value, before=before)
        return _meant(takes[flag], verb, value, before=before)
    if "--" in done or count:
        return Wanted(typed=typed, needs=frozenset({Need.FILE}), verb=verb)
    if typed.startswith(_DASHED):
        return Wanted(typed=typed, choices=tuple((o.name, o.help) for o in dict.fromkeys(known.values())))
    return Wanted(typed=typed, needs=frozenset({Need.TASK} if verb == "enqueue" else ()), verb=verb)


def _place(done: Sequence[str], typed: str, takes: Mapping[str, str]) -> tuple[str | None, str, int]:
    """Return the option whose value is being typed, if it is one, that value, and the arguments before it."""
    count, open_flag, is_over = 0, None, False
    for word in done:
        if open_flag is not None:
            open_flag = None
        elif is_over or not word.startswith(_DASHED) or word == _DASHED:
            count += 1
        elif word == "--":
            is_over = True
        else:
            open_flag = word if takes.get(word) else None
    if open_flag is not None:
        return open_flag, typed, count
    flag, equals, value = typed.partition("=")
    if equals and not is_over and takes.get(flag):
        return flag, value, count
    return None, typed, count


def _meant(metavar: str, verb: str, typed: str, *, before: str = "") -> Wanted:
    """Return what a metavar stands for: capitals name a kind of words, small letters are words."""
    parts = re.sub(r"[\[\].' ]", "", metavar).split("|")
    needs = {Need(part) for part in parts if part in set(Need)}
    needs |= {Need.FILE for part in parts if part in _FILES}
    choices = tuple((part, "") for part in parts if part.islower())
    return Wanted(typed=typed, before=before, choices=choices, needs=frozenset(needs), verb=verb)


def _options(params: Sequence[Any]) -> Choices:
    """Return the long names of options."""
    return tuple((param.opts[0], param.help or "") for param in params if param.opts[0].startswith("--"))
