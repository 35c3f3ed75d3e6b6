"""The role of the scheduler, in a module of its own: a group without a table does not load what only cron needs."""

from __future__ import annotations

from pathlib import Path

from jobrun import scheduler
from jobrun.supervisor.office import Main
from jobrun.wire.channel import Channel


def scheduler_of(table: Path, path: Path, *, durability: str) -> Main:
    """Return the main function of the scheduler of a table for a job file."""

    def main(control: Channel, generation: int) -> int:
        settings = scheduler.Settings(
            path=path, table=table, durability=durability, is_replacement=generation > 1
        )
        return scheduler.run(settings, control, scheduler.World())

    return main
