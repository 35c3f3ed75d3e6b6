"""Messages as bytes: JSON lists, of a name and of the fields in their order."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from functools import partial
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


def pack(message: Message) -> bytes:
    """Return a message as JSON bytes."""
    return _encode((type(message).__name__, _values(message))).encode()


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
    """Return a dataclass made of its fields, each as it was."""
    said = dict(zip(_NAMES[kind], values, strict=False))
    for name, revive in _REVIVED.get(kind, _NONE):
        if said.get(name) is not None:
            said[name] = revive(said[name])
    return kind(**said)


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


def _each(kind: type[Any]) -> Callable[[list[Any]], list[Any]]:
    return lambda found: [_made(kind, values) for values in found]


_encode = json.JSONEncoder(separators=(",", ":"), default=_plain).encode
_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined] # what `loads` does besides is for texts of others

_CLASSES: dict[str, type[Any]] = {kind.__name__: kind for kind in Message.__args__}
_PARTS = (Ending, ErrorInfo, Output, NewJob, Surroundings, Terms, Added)
_NAMES = {kind: tuple(each.name for each in fields(kind)) for kind in (*_CLASSES.values(), *_PARTS)}
_GETTERS = {kind: _getter(names) for kind, names in _NAMES.items()}
_DEFAULTS = {kind: tuple(each.default for each in fields(kind)) for kind in _NAMES}

_Revivers = tuple[tuple[str, Callable[[Any], Any]], ...]
_NONE: _Revivers = ()
_REVIVED: dict[type[Any], _Revivers] = {
    Run: (("kind", Kind), ("terms", partial(_made, Terms))),
    Stop: (("why", Why),),
    Answer: (("added", _each(Added)),),
    Ended: (("ending", partial(_made, Ending)),),
    Ask: (("jobs", _each(NewJob)),),
    Ending: (
        ("outcome", Outcome),
        ("began_at", from_ms),
        ("error", partial(_made, ErrorInfo)),
        ("output", partial(_made, Output)),
    ),
    Output: (("head", _bytes), ("tail", _bytes)),
    Added: (("state", State), ("run_at", from_ms)),
    NewJob: (
        ("kind", Kind),
        ("args", tuple),
        ("tags", tuple),
        ("on_crash", OnCrash),
        ("surroundings", partial(_made, Surroundings)),
        ("terms", partial(_made, Terms)),
        ("run_at", from_ms),
        ("expires_at", from_ms),
        ("scheduled_for", from_ms),
    ),
    Terms: (
        ("ok_exit", tuple),
        ("skip_exit", tuple),
        ("no_retry_exit", tuple),
        ("leftovers", Leftovers),
    ),
}
