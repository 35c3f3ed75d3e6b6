"""What tells one reading of an entry from another: hashes that are the same in every run and process."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from typing import Any

from jobrun.cron.words import Entry

# Where an entry stands is no part of it; what its schedule and its zone mean follows from their texts.
_ASIDE = frozenset({"line", "schedule", "zone"})
_NAMES = tuple(field.name for field in fields(Entry) if field.name not in _ASIDE)
_OF_ITS_TIMES = ("name", "schedule_text", "zone_name", "dst", "seed")


def digest(entry: Entry) -> str:
    """Return 32 hexadecimal digits that change when anything of the entry does."""
    return _hash(entry, _NAMES)


def schedule_digest(entry: Entry) -> str:
    """Return 32 hexadecimal digits that change when the times of the entry may."""
    return _hash(entry, _OF_ITS_TIMES)


def _hash(entry: Entry, names: tuple[str, ...]) -> str:
    told = {name: getattr(entry, name) for name in names}
    return hashlib.sha256(_encode(told).encode()).hexdigest()[:32]


def _plain(value: Any) -> dict[str, Any]:
    """Return a dataclass as JSON has it, but for what it holds itself."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


_encode = json.JSONEncoder(default=_plain, sort_keys=True, check_circular=False, separators=(",", ":")).encode
