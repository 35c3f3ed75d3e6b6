"""Who is measured, and what each needs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """`jobs` are enough for some seconds of work at the speed that this one has.

    `environment` names a file in bench/requirements; jobrun needs none but the runner's own. A durable one keeps
    through a power cut what it has acknowledged.
    """

    module: str
    jobs: int
    environment: str | None = "most"
    server: str | None = None
    variant: str = ""
    is_durable: bool = False


PEERS = {
    "jobrun": Peer(module="jobrun", jobs=20_000, environment=None, is_durable=True),
    "jobrun-fast": Peer(module="jobrun", jobs=20_000, environment=None, variant="fast"),
    "huey": Peer(module="huey", jobs=6_000, is_durable=True),
    "huey-nosync": Peer(module="huey", jobs=10_000, variant="nosync"),
    "django-tasks-db": Peer(module="django_tasks_db", jobs=600, is_durable=True),
    "rq": Peer(module="rq", jobs=300, server="redis"),
    "rq-simple": Peer(module="rq", jobs=1_000, server="redis", variant="simple"),
    "celery": Peer(module="celery", jobs=3_000, server="redis"),
    "dramatiq": Peer(module="dramatiq", jobs=10_000, server="redis"),
    "saq": Peer(module="saq", jobs=4_000, server="redis"),
    "arq": Peer(module="arq", jobs=3_000, server="redis", environment="arq"),
    "taskiq-stream": Peer(module="taskiq", jobs=8_000, server="redis", variant="stream"),
    "taskiq-list": Peer(module="taskiq", jobs=8_000, server="redis", variant="list"),
    "procrastinate": Peer(module="procrastinate", jobs=2_000, server="postgres", is_durable=True),
    "pgqueuer": Peer(module="pgqueuer", jobs=20_000, server="postgres", is_durable=True),
}
