"""What a verb is: where its function is at home, under which heading of the help page it stands, examples of it.

A verb's module is imported when that verb is asked for, so that no command pays for the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module

HOME = "jobrun.cli.commands"


class Heading(StrEnum):
    """What a person wants who looks for a verb."""

    ASK = "Ask for jobs"
    RUN = "Run them"
    LOOK = "Look at them"
    ACT = "Act on them"
    WATCH = "Watch over the host"
    KEEP = "Look after the job file"


@dataclass(frozen=True, slots=True)
class Verb:
    """`home` is `module.function` below `HOME`; an example is what follows `jobrun`."""

    name: str
    heading: Heading
    home: str
    examples: tuple[str, ...]

    def load(self) -> Callable[..., int]:
        """Import the function of the verb."""
        module, _, function = self.home.partition(".")
        loaded: Callable[..., int] = getattr(import_module(f"{HOME}.{module}"), function)
        return loaded


@dataclass(frozen=True, slots=True)
class Family:
    """Verbs behind one word, as `cron check`."""

    name: str
    heading: Heading
    help: str
    verbs: tuple[Verb, ...]
    examples: tuple[str, ...]
