"""The sections of a table that are about the host and not about one job: which keys they have, how each is read.

What is read is kept in the job file as JSON: durations in seconds, sizes in bytes. What the values
mean, and what holds where one is left out, is for those who ask for a section.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jobrun.errors import UsageError
from jobrun.table import values
from jobrun.table.problems import Problems, Spot, unknown

Keys = Mapping[str, Callable[[Any], Any]]  # how the value of each is read

SECTIONS: dict[str, Keys] = {
    "health": {
        "max_depth": values.count,
        "warn_depth": values.count,
        "max_wait": values.duration,
        "warn_wait": values.duration,
        "max_failed": values.count,
        "warn_failed": values.count,
        "max_missed": values.count,
        "warn_missed": values.count,
        "min_workers": values.count,
        "warn_workers": values.count,
        "min_schedulers": values.count,
        "since": values.duration,
    },
    "retention": {
        "keep": values.duration,
        "keep_failed": values.duration,
        "keep_runs": values.count,
        "keep_failed_runs": values.count,
        "max_size": values.size,
        "keep_output": values.duration,
    },
}


def read_sections(said: Mapping[str, Any], problems: Problems) -> dict[str, dict[str, Any]]:
    """Return the sections that a table has, each as it is kept; what is wrong goes to `problems`."""
    return {
        name: read_keys(problems.at(name), said[name], keys)
        for name, keys in SECTIONS.items()
        if name in said
    }


def read_keys(spot: Spot, said: Any, keys: Keys) -> dict[str, Any]:
    """Return the keys of a section that can be read, and leave out what cannot."""
    if not isinstance(said, dict):
        spot.add("", UsageError("must be a table", hint=f"write its name in brackets, as [{spot.name}]"))
        return {}
    read = {}
    for name, value in said.items():
        if name not in keys:
            spot.add(name, unknown("unknown key", name, keys))
            continue
        with spot.blame(name):
            read[name] = keys[name](value)
    return read
