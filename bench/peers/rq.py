"""RQ on Redis: the default worker, which forks for each job, and the one that does not."""

from __future__ import annotations

from redis import Redis
from rq import Queue

from bench.peers import PROGRAMS, body, url, variant

PACKAGES = ("rq", "redis")
DURABILITY = "Redis without persistence: a crash of the server loses everything"
SETTINGS = "rq worker-pool -n 2; " + (
    "SimpleWorker, no fork" if variant() else "a fork for each job (default)"
)

_queue = Queue(connection=Redis.from_url(url()))


def commands() -> list[list[str]]:
    worker = ["-w", "rq.SimpleWorker"] if variant() == "simple" else []
    return [[f"{PROGRAMS}/rq", "worker-pool", "-n", "2", "-q", "-u", url(), *worker, "default"]]


def connect() -> None:
    _queue.connection.ping()


def enqueue(sent_ns: int) -> None:
    _queue.enqueue(body.work, sent_ns)


def enqueue_many(count: int, sent_ns: int) -> None:
    _queue.enqueue_many([Queue.prepare_data(body.work, (sent_ns,)) for _ in range(count)])
