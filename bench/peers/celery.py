"""Celery on Redis."""

from __future__ import annotations

from celery import Celery

from bench.peers import PROGRAMS, body, url

PACKAGES = ("celery", "kombu", "redis")
DURABILITY = "Redis without persistence: a crash of the server loses everything"
SETTINGS = "prefork, -c 2; results ignored; acknowledged before the job runs (default)"

app = Celery("bench", broker=url())
app.conf.task_ignore_result = True
app.conf.broker_connection_retry_on_startup = True


@app.task
def work(sent_ns: int) -> None:
    body.work(sent_ns)


def commands() -> list[list[str]]:
    return [[f"{PROGRAMS}/celery", "-A", "bench.peers.celery", "worker", "-c", "2", "-l", "warning"]]


def connect() -> None:
    app.connection().ensure_connection(max_retries=1)


def enqueue(sent_ns: int) -> None:
    work.delay(sent_ns)
