"""Procrastinate on PostgreSQL."""

from __future__ import annotations

from procrastinate import App, PsycopgConnector

from bench.peers import PROGRAMS, body, url

PACKAGES = ("procrastinate", "psycopg")
DURABILITY = "PostgreSQL, fsync at each commit: job, start and end are on disk"
SETTINGS = "2 processes, -c 10"

app = App(connector=PsycopgConnector(conninfo=url()))


@app.task(name="work")
async def work(sent_ns: int) -> None:
    body.work(sent_ns)


def commands() -> list[list[str]]:
    words = ["-a", "bench.peers.procrastinate.app", "--log-level", "warning", "worker", "-c", "10"]
    return [[f"{PROGRAMS}/procrastinate", *words]] * 2


async def connect() -> None:
    await app.open_async()
    rows = await app.connector.execute_query_one_async("SELECT to_regclass('procrastinate_jobs') AS found")
    if rows["found"] is None:
        await app.schema_manager.apply_schema_async()


async def enqueue(sent_ns: int) -> None:
    await work.defer_async(sent_ns=sent_ns)


async def enqueue_many(count: int, sent_ns: int) -> None:
    await work.batch_defer_async(*[{"sent_ns": sent_ns}] * count)
