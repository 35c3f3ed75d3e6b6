"""Room for the descriptors of a group; what jobs inherit stays as it was."""

from __future__ import annotations

import resource

from jobrun.errors import JobFileUnusable
from jobrun.units import plural

OWN = 32  # of a supervisor or a dispatcher without workers, and for what is open a moment
EACH = 4  # of a supervisor for one worker: its lock, and three ends of sockets
_AT_ONCE = 2 * EACH  # while a dead worker is not struck off, and its successor is here


def make_room(workers: int) -> int:
    """Raise our own soft limit as far as so many workers need it, and return what it was.

    Raises `JobFileUnusable` if the hard limit is too low: the group would hire for ever, and never begin.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = float("inf") if hard == resource.RLIM_INFINITY else hard
    need = OWN + EACH * workers
    if need > most:
        fit = (hard - OWN) // EACH
        raise JobFileUnusable(
            f"too few file descriptors: {plural(workers, 'worker')} need{'s' * (workers == 1)} {need}, and the limit is {hard}",
            hint=f"raise `ulimit -n`, or start {fit} at most" if fit > 0 else "raise `ulimit -n`",
        )
    wanted = min(OWN + _AT_ONCE * workers, most)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (int(wanted), hard))
    return soft


def give_back(soft: int) -> None:
    """Lower the soft limit to what it was: programs take it for the size of their tables (select(2))."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
