"""jobrun and its peers, measured with the same work in one run.

`bench.sections.peers` goes through the `catalogue` with the interpreters of `environments` and the servers of `servers`;
`measure` times one of them, `report` makes the table. Each peer has an adapter, a module here of its name,
that is imported only by its own interpreter: by `client`, and by the workers of the peer. Jobs run `body`.
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAMS = Path(sys.executable).parent  # of the environment that the adapter runs in
RECORD = struct.Struct("=qq")  # of the tally: when a job began, and when it was asked for


class Adapter(Protocol):
    """What the module of a peer holds. Its functions may be coroutine functions.

    `enqueue_many` is there only if the peer has such a call.
    """

    DURABILITY: str
    SETTINGS: str
    PACKAGES: tuple[str, ...]

    def commands(self) -> list[list[str]]:
        """Return what starts two workers, as people are told to start them."""

    def connect(self) -> object:
        """Open what `enqueue` needs, with tables where there are none. This is not timed."""

    def enqueue(self, sent_ns: int) -> object:
        """Ask for `body.work(sent_ns)`; return when the peer has it."""

    def enqueue_many(self, count: int, sent_ns: int) -> object:
        """Ask for `body.work(sent_ns)` so many times, in as few calls as the peer allows."""


def folder() -> Path:
    """Return the folder for the files of this measurement."""
    return Path(os.environ["BENCH_FOLDER"])


def url() -> str:
    """Return where the server is, for a peer that needs one."""
    return os.environ["BENCH_URL"]


def variant() -> str:
    """Return which of an adapter's ways is to be measured; empty for the usual one."""
    return os.environ.get("BENCH_VARIANT", "")
