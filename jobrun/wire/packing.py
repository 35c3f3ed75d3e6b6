"""Messages as bytes: JSON lists, of a name and of the fields in their order."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from enum import StrEnum
from functools import partial
from json.encoder import c_make_encoder, encode_basestring_ascii  # type: ignore[attr-defined]
from operator import attrgetter
from typing import Any

from jobrun.model import (
    Added,
    Ending,
    ErrorInfo,
    Kind,
    Leftovers,
    NewJob,
    OnCrash,
    Outcome,
    Output,
    State,
    Surroundings,
    Terms,
)
from jobrun.units import from_ms, to_ms
from jobrun.wire.messages import Answer, Ask, Ended, Message, Run, Stop, Why

# What `unpack` raises for bytes that `pack` did not make; it looks no closer, for it runs twice a job.
NO_MESSAGE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    StopIteration,
    TypeError,
    ValueError,
)


def pack(message: Message) -> bytes:
    """Return a message as JSON bytes."""
    return "".join(_encode((type(message).__name__, _values(message)), 0)).encode()


def unpack(packet: bytes) -> Message:
    """Return the message that `pack` made these bytes from."""
    (name, values), _ = _scan(packet.decode(), 0)
    message: Message = _made(_CLASSES[name], values)
    return message


def _values(value: Any) -> tuple[Any, ...]:
    """Return the fields of a dataclass in their order, without those at the end that are at their defaults."""
    kind = value.__class__
    found, defaults = _GETTERS[kind](value), _DEFAULTS[kind]
    count = len(found)
    while count and (found[count - 1] is defaults[count - 1]):
        count -= 1
    return found[:count]


def _made(kind: type[Any], values: list[Any]) -> Any:
    """Return a dataclass made of its first fields, each as it was."""
    for place, revive in _REVIVERS[kind]:
        if place < len(values) and values[place] is not None:
            values[place] = revive(values[place])
    return kind(*values)


def _getter(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)  # of one name it returns no tuple


def _plain(value: Any) -> Any:
    if value.__class__ in _GETTERS:
        return _values(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, datetime):
        return to_ms(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} is no part of a message")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _member(words: type[StrEnum]) -> Callable[[str], StrEnum]:
    return {each.value: each for each in words}.__getitem__  # ten times as fast as to call the enum


def _each(kind: type[Any]) -> Callable[[list[Any]], list[Any]]:
    return lambda found: [_made(kind, values) for values in found]


# What `dumps` and `loads` do besides is for others: they make an encoder for each text, and look for blanks.
_encode = c_make_encoder(None, _plain, encode_basestring_ascii, None, ":", ",", False, False, True)
_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]

_CLASSES: dict[str, type[Any]] = {kind.__name__: kind for kind in Message.__args__}
_PARTS = (Ending, ErrorInfo, Output, NewJob, Surroundings, Terms, Added)
_NAMES = {kind: tuple(each.name for each in fields(kind)) for kind in (*_CLASSES.values(), *_PARTS)}
_GETTERS = {kind: _getter(names) for kind, names in _NAMES.items()}
_DEFAULTS = {kind: tuple(each.default for each in fields(kind)) for kind in _NAMES}

# What JSON does not bring back as it was.
_REVIVED: dict[type[Any], dict[str, Callable[[Any], Any]]] = {
    Run: {"kind": _member(Kind), "terms": partial(_made, Terms)},
    Stop: {"why": _member(Why)},
    Answer: {"added": _each(Added)},
    Ended: {"ending": partial(_made, Ending)},
    Ask: {"jobs": _each(NewJob)},
    Ending: {
        "outcome": _member(Outcome),
        "began_at": from_ms,
        "error": partial(_made, ErrorInfo),
        "output": partial(_made, Output),
    },
    Output: {"head": _bytes, "tail": _bytes},
    Added: {"state": _member(State), "run_at": from_ms},
    NewJob: {
        "kind": _member(Kind),
        "args": tuple,
        "tags": tuple,
        "on_crash": _member(OnCrash),
        "surroundings": partial(_made, Surroundings),
        "terms": partial(_made, Terms),
        "run_at": from_ms,
        "expires_at": from_ms,
        "scheduled_for": from_ms,
    },
    Terms: {
        "ok_exit": tuple,
        "skip_exit": tuple,
        "no_retry_exit": tuple,
        "leftovers": _member(Leftovers),
    },
}
_REVIVERS = {
    kind: tuple((names.index(name), revive) for name, revive in _REVIVED.get(kind, {}).items())
    for kind, names in _NAMES.items()
}
