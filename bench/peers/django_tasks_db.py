"""Django's tasks with the backend that keeps them in the database, on SQLite."""

from __future__ import annotations

import os
import sys

import django
from django.conf import settings
from django.core.management import call_command, execute_from_command_line

from bench.peers import body, folder

PACKAGES = ("django-tasks-db", "Django")
DURABILITY = "SQLite WAL, synchronous=FULL: job, start and end are on disk"
SETTINGS = "2 processes; WAL and IMMEDIATE transactions set; asks each 1 s (default)"

_database = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": folder() / "django.db",
    "OPTIONS": {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
    },
}
settings.configure(
    DATABASES={"default": _database},
    INSTALLED_APPS=["django_tasks", "django_tasks_db"],
    TASKS={"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}},
    USE_TZ=True,
)
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "yes"  # the client's loop serves nobody else
django.setup()

from django_tasks import task  # noqa: E402 -- its models want the settings


@task()
def work(sent_ns: int) -> None:
    body.work(sent_ns)


def manage() -> None:
    execute_from_command_line(sys.argv)


def commands() -> list[list[str]]:
    start = "from bench.peers.django_tasks_db import manage; manage()"
    return [[sys.executable, "-c", start, "db_worker", "-v", "0"]] * 2


def connect() -> None:
    call_command("migrate", verbosity=0)


def enqueue(sent_ns: int) -> None:
    work.enqueue(sent_ns)
