"""SAQ on Redis."""

from __future__ import annotations

from typing import Any

from saq import Queue

from bench.peers import PROGRAMS, body, url

PACKAGES = ("saq", "redis")
DURABILITY = "Redis without persistence: a crash of the server loses everything"
SETTINGS = "--workers 2, 10 coroutines each (default)"


async def work(_context: Any, *, sent_ns: int) -> None:
    body.work(sent_ns)


_queue = Queue.from_url(url())
settings = {"queue": _queue, "functions": [work]}


def commands() -> list[list[str]]:
    return [[f"{PROGRAMS}/saq", "bench.peers.saq.settings", "--workers", "2", "-q"]]


async def connect() -> None:
    await _queue.connect()


async def enqueue(sent_ns: int) -> None:
    await _queue.enqueue("work", sent_ns=sent_ns)
