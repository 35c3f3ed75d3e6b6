"""Dramatiq on Redis."""

from __future__ import annotations

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from bench.peers import PROGRAMS, body, url

PACKAGES = ("dramatiq", "redis")
DURABILITY = "Redis without persistence: a crash of the server loses everything; acknowledged after the job"
SETTINGS = "-p 2, 8 threads each (default)"

dramatiq.set_broker(RedisBroker(url=url()))


@dramatiq.actor
def work(sent_ns: int) -> None:
    body.work(sent_ns)


def commands() -> list[list[str]]:
    return [[f"{PROGRAMS}/dramatiq", "bench.peers.dramatiq", "-p", "2"]]


def connect() -> None:
    dramatiq.get_broker().client.ping()


def enqueue(sent_ns: int) -> None:
    work.send(sent_ns)
