"""Dataclasses whose instances are made and looked at a hundred thousand times a second.

`@dataclass(frozen=True)` sets each field by a call of `object.__setattr__`, which makes an instance
take three times as long. Here the type checker alone sees to it that no field is assigned and that
all are named: it runs before the program does, and the price is nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

Class = TypeVar("Class", bound=type)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def frozen(cls: Class) -> Class:
    """Make a dataclass with slots; to the type checker it is frozen, and its fields are keywords."""
    return dataclass(slots=True, unsafe_hash=True)(cls)  # type: ignore[return-value]
