"""The store: one SQLite file (WAL) that holds every job, and every tick of a cron table.

Methods take and return words of `model`; SQL stands nowhere else. User code never shares a process
with an open store: one `open(db).close()` in it would drop the process' POSIX locks, and committed
rows with them (sqlite.org/howtocorrupt.html, 2.2).

Each name is loaded when it is first used: an `enqueue` in a loop takes `opening` and `insertion` alone.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from jobrun.store.medium import check_for_workers
    from jobrun.store.whole import Store, open_store, store_exists

__all__ = ["Store", "check_for_workers", "open_store", "store_exists"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module `jobrun.store` has no attribute `{name}`")
    from importlib import import_module  # noqa: PLC0415 -- as late as what it imports

    home = "medium" if name == "check_for_workers" else "whole"
    found = getattr(import_module(f"jobrun.store.{home}"), name)
    globals()[name] = found
    return found
