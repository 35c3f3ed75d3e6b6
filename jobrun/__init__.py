"""Run jobs on one host: cron, shell tasks and Python callables, in one SQLite file.

    jobrun.enqueue("shop.mail:send", 42)       ask for a job; see `jobrun.api`
    jobrun.current()                           inside a job: which one it is
    raise jobrun.Retry(in_s=60)                inside a job: try again later; `Permanent`: do not

Importing this package costs nothing; each name is loaded when it is first used.
"""

from __future__ import annotations

TYPE_CHECKING = False  # for the eyes of type checkers; `typing` alone would cost as much as starting Python
if TYPE_CHECKING:
    from jobrun.api import Current, Jobs, Options, current, enqueue, enqueue_many, open, options  # noqa: A004
    from jobrun.errors import Cancelled, Interrupted, JobrunError, Permanent, Retry, TimeLimit

__version__ = "0.1.0"

__all__ = [
    "Cancelled",
    "Current",
    "Interrupted",
    "JobrunError",
    "Jobs",
    "Options",
    "Permanent",
    "Retry",
    "TimeLimit",
    "current",
    "enqueue",
    "enqueue_many",
    "open",
    "options",
]

_ERRORS = frozenset({"Cancelled", "Interrupted", "JobrunError", "Permanent", "Retry", "TimeLimit"})


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module `jobrun` has no attribute `{name}`")
    from importlib import import_module  # noqa: PLC0415 -- as late as what it imports

    found = getattr(import_module("jobrun.errors" if name in _ERRORS else "jobrun.api"), name)
    globals()[name] = found
    return found
