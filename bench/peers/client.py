"""What asks for jobs, in the interpreter of the peer, and prints JSON.

python -m bench.peers.client MODULE (describe | enqueue COUNT | bulk COUNT | pace COUNT)
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import os
import sqlite3
import sys
import time
from importlib.metadata import version
from typing import Any, cast

from bench.peers import Adapter

GAP_S = 0.05
BULK = 1000


async def main() -> None:
    name, verb, *rest = sys.argv[1:]
    adapter = cast(Adapter, importlib.import_module(f"bench.peers.{name}"))
    if verb == "describe":
        print(json.dumps(describe(adapter)))
        return
    count = int(rest[0])
    await done(adapter.connect())
    acts = {"enqueue": one_by_one, "bulk": in_bulk, "pace": paced}
    print(json.dumps({"seconds": await acts[verb](adapter, count)}), flush=True)
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


async def one_by_one(adapter: Adapter, count: int) -> float:
    begin = time.perf_counter()
    for _ in range(count):
        await done(adapter.enqueue(0))
    return time.perf_counter() - begin


async def in_bulk(adapter: Adapter, count: int) -> float:
    begin = time.perf_counter()
    for start in range(0, count, BULK):
        await done(adapter.enqueue_many(min(BULK, count - start)))
    return time.perf_counter() - begin


async def paced(adapter: Adapter, count: int) -> float:
    """Ask for one job each 50 ms, so that workers are idle between."""
    begin = time.perf_counter()
    for number in range(1, count + 1):
        await asyncio.sleep(begin + number * GAP_S - time.perf_counter())
        await done(adapter.enqueue(time.monotonic_ns()))
    return time.perf_counter() - begin


async def done(answer: object) -> None:
    if inspect.isawaitable(answer):
        await answer


if __name__ == "__main__":
    asyncio.run(main())
