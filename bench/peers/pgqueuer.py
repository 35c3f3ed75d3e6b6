"""PgQueuer on PostgreSQL."""

from __future__ import annotations

import sys

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from bench.peers import body, url

PACKAGES = ("pgqueuer", "asyncpg")
DURABILITY = (
    "PostgreSQL, fsync at each commit, 100 jobs to a commit: what was claimed runs again after a crash"
)
SETTINGS = "2 processes, batch_size=100; its manager is started from Python, with uvloop as `pgq run` does"

_queries: list[Queries] = []


async def serve() -> None:
    pgq = PgQueuer(AsyncpgDriver(await asyncpg.connect(url())))

    @pgq.entrypoint("work")
    async def work(job: Job) -> None:
        body.work(int(job.payload or 0))

    await pgq.run(batch_size=100)


def run() -> None:
    uvloop.run(serve())


def commands() -> list[list[str]]:
    return [[sys.executable, "-c", "from bench.peers.pgqueuer import run; run()"]] * 2


async def connect() -> None:
    _queries.append(Queries(AsyncpgDriver(await asyncpg.connect(url()))))
    if not await _queries[0].has_table("pgqueuer"):
        await _queries[0].install()


async def enqueue(sent_ns: int) -> None:
    await _queries[0].enqueue("work", str(sent_ns).encode())


async def enqueue_many(count: int, sent_ns: int) -> None:
    await _queries[0].enqueue(["work"] * count, [b"%d" % sent_ns] * count, [0] * count)
