"""What tells one reading of an entry from another: hashes that are the same in every run and process."""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, fields
from functools import cache
from typing import Any

from jobrun.cron.words import Entry

# Where an entry stands is no part of it; what its schedule and its zone mean follows from their texts.
_ASIDE = frozenset({"line", "schedule", "zone"})
_OF_ITS_TIMES = frozenset({"name", "schedule_text", "zone_name", "dst", "seed"})


def digest(entry: Entry) -> str:
    """Return 32 hexadecimal digits that change when anything of the entry does.

    What is at its default is left out: a later version that knows one more key sees no entry changed.
    """
    told = _plain(entry)
    return _hash({name: told[name] for name in told.keys() - _ASIDE})


def schedule_digest(entry: Entry) -> str:
    """Return 32 hexadecimal digits that change when the times of the entry may."""
    told = _plain(entry)
    return _hash({name: told[name] for name in told.keys() & _OF_ITS_TIMES})


def _hash(told: dict[str, Any]) -> str:
    return hashlib.sha256(_encode(told).encode()).hexdigest()[:32]


def _plain(value: Any) -> dict[str, Any]:
    """Return what of a dataclass is not at its default, as JSON has it but for what it holds itself."""
    told = ((name, getattr(value, name), default) for name, default in _defaults(value.__class__))
    return {name: given for name, given, default in told if given != default}


@cache
def _defaults(kind: Any) -> list[tuple[str, Any]]:
    return [
        (field.name, field.default if field.default_factory is MISSING else field.default_factory())
        for field in fields(kind)
    ]


_encode = json.JSONEncoder(default=_plain, sort_keys=True, check_circular=False, separators=(",", ":")).encode
