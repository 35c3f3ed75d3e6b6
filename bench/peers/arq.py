"""arq on Redis."""

from __future__ import annotations

from typing import Any

from arq import create_pool
from arq.connections import ArqRedis, RedisSettings

from bench.peers import PROGRAMS, body, url

PACKAGES = ("arq", "redis")
DURABILITY = "Redis without persistence: a crash of the server loses everything"
SETTINGS = "2 processes; max_jobs=100 (its default, 10, takes one batch each 0.5 s); no log of each job"

QUIET = {"version": 1, "disable_existing_loggers": False}
_pool: list[ArqRedis] = []


async def work(_context: Any, sent_ns: int) -> None:
    body.work(sent_ns)


class WorkerSettings:
    functions = (work,)
    redis_settings = RedisSettings.from_dsn(url())
    max_jobs = 100


def commands() -> list[list[str]]:
    quiet = ["--custom-log-dict", "bench.peers.arq.QUIET"]
    return [[f"{PROGRAMS}/arq", "bench.peers.arq.WorkerSettings", *quiet]] * 2


async def connect() -> None:
    _pool.append(await create_pool(WorkerSettings.redis_settings))


async def enqueue(sent_ns: int) -> None:
    await _pool[0].enqueue_job("work", sent_ns)
