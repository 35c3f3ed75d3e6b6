"""What asks for jobs, in the interpreter of the peer, and prints JSON.

python -m bench.peers.client MODULE (describe | enqueue COUNT | bulk COUNT | pace COUNT | steady COUNT RATE)
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import os
import random
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any, cast

from bench.peers import Adapter

GAPS_S = (0.03, 0.05)
STEP_S = 0.005
BULK = 1000

Asked = list[tuple[int, int]]  # of single calls: when they were made, and when they came back, in nanoseconds


async def main() -> None:
    name, verb, *rest = sys.argv[1:]
    adapter = cast(Adapter, importlib.import_module(f"bench.peers.{name}"))
    if verb == "describe":
        print(json.dumps(describe(adapter)))
        return
    await done(adapter.connect())
    acts: dict[str, Callable[..., Awaitable[Asked]]]
    acts = {"enqueue": one_by_one, "bulk": in_bulk, "pace": paced, "steady": steady}
    begin = time.perf_counter()
    asked = await acts[verb](adapter, *map(int, rest))
    print(json.dumps({"seconds": time.perf_counter() - begin, "asked": asked}), flush=True)
    os._exit(0)  # clients that keep threads or connections open end here too


def describe(adapter: Adapter) -> dict[str, Any]:
    return {
        "commands": adapter.commands(),
        "durability": adapter.DURABILITY,
        "settings": adapter.SETTINGS,
        "versions": {name: version(name) for name in adapter.PACKAGES},
        "sqlite": sqlite3.sqlite_version,
        "bulk": hasattr(adapter, "enqueue_many"),
    }


async def one_by_one(adapter: Adapter, count: int) -> Asked:
    for _ in range(count):
        await done(adapter.enqueue(0))
    return []


async def in_bulk(adapter: Adapter, count: int) -> Asked:
    for start in range(0, count, BULK):
        await done(adapter.enqueue_many(min(BULK, count - start), 0))
    return []


async def paced(adapter: Adapter, count: int) -> Asked:
    """Ask for one job each 30 to 50 ms, in no step with any timer of the peer, so that workers are idle between."""
    gaps = random.Random(1)
    asked = []
    for _ in range(count):
        await asyncio.sleep(gaps.uniform(*GAPS_S))
        sent_ns = time.monotonic_ns()
        await done(adapter.enqueue(sent_ns))
        asked.append((sent_ns, time.monotonic_ns()))
    return asked


async def steady(adapter: Adapter, count: int, rate: int) -> Asked:
    """Ask for so many jobs a second: each 5 ms for all that are due by then."""
    begin, asked, calls = time.perf_counter(), 0, []
    while asked < count:
        await asyncio.sleep(STEP_S)
        due = min(int((time.perf_counter() - begin) * rate), count)
        if due > asked:
            sent_ns = time.monotonic_ns()
            await done(adapter.enqueue_many(due - asked, sent_ns))
            calls.append((sent_ns, time.monotonic_ns()))
            asked = due
    return calls


async def done(answer: object) -> None:
    if inspect.isawaitable(answer):
        await answer


if __name__ == "__main__":
    asyncio.run(main())
