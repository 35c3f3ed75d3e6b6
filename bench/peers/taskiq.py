"""taskiq on Redis: the broker on a stream, and the one on a list."""

from __future__ import annotations

from taskiq_redis import ListQueueBroker, RedisStreamBroker

from bench.peers import PROGRAMS, body, url, variant

PACKAGES = ("taskiq", "taskiq-redis", "redis")
SERVER = "Redis without persistence: a crash of the server loses everything"
if variant() == "list":
    # With the time-out that redis-py 8 sets, an idle worker dies and is started again each 5 s.
    broker = ListQueueBroker(url(), socket_timeout=None)
    DURABILITY = f"{SERVER}; popped before the job runs"
    SETTINGS = "-w 2, 100 coroutines each (default); ListQueueBroker, socket_timeout=None"
else:
    broker = RedisStreamBroker(url())
    DURABILITY = f"{SERVER}; acknowledged after the job"
    SETTINGS = "-w 2, 100 coroutines each (default); RedisStreamBroker"


@broker.task
async def work(sent_ns: int) -> None:
    body.work(sent_ns)


def commands() -> list[list[str]]:
    return [
        [f"{PROGRAMS}/taskiq", "worker", "bench.peers.taskiq:broker", "-w", "2", "--log-level", "WARNING"]
    ]


async def connect() -> None:
    await broker.startup()


async def enqueue(sent_ns: int) -> None:
    await work.kiq(sent_ns)
