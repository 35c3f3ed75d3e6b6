"""What a commit waits for: `full`, the disk; `fast`, nobody.

A fast commit outlives any process, and leaves the file whole at a power cut, which may undo the last of them. The WAL
is one row of commits: a sync by anybody keeps all that came before it, and what a power cut undoes is its end.
"""

from __future__ import annotations

from jobrun.errors import UsageError

FULL = "full"
SYNCHRONOUS = {FULL: "FULL", "fast": "NORMAL"}  # as SQLite calls it


def check_durability(text: str) -> None:
    """Refuse what is none, with `UsageError`."""
    if text not in SYNCHRONOUS:
        raise UsageError(f"durability `{text}` is not one of {', '.join(SYNCHRONOUS)}")
