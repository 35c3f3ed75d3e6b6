"""What the children of a group run, each with its own part of what the group was asked to be."""

from __future__ import annotations

import os
from typing import NamedTuple

from jobrun import dispatcher, procs, worker
from jobrun.dispatcher.settings import Settings as DeskSettings
from jobrun.dispatcher.settings import World
from jobrun.supervisor.room import give_back
from jobrun.supervisor.settings import Settings
from jobrun.wire.channel import Channel


class Before(NamedTuple):
    """Limits as the group was started with: they hold for what its jobs do."""

    cores: tuple[int, int]  # soft and hard
    descriptors: int  # soft


class Roles:
    """The main functions of the forked; each returns the exit code of its process."""

    def __init__(
        self, settings: Settings, import_paths: tuple[str, ...], before: Before, *, reports: bool = False
    ) -> None:
        self._settings = settings
        self._before = before
        self._import_paths = import_paths
        self._reports = reports

    def dispatcher(self, control: Channel, generation: int) -> int:
        settings = DeskSettings(
            path=self._settings.path,
            workers=self._settings.workers,
            queues=self._settings.queues,
            burst=self._settings.burst,
            drain_s=self._settings.drain_s,
            grace_s=self._settings.grace_s,
            keep_s=self._settings.keep_s,
            max_crashes=self._settings.max_crashes,
            durability=self._settings.durability,
            group_pid=os.getppid(),
            generation=generation,
            reports=self._reports,
        )
        return dispatcher.run(settings, control, World())

    def worker(self, name: str, lock: int, channel: Channel, orders: Channel) -> int:
        give_back(self._before.descriptors)
        procs.allow_core(self._before.cores)
        post = worker.Post(
            name=name,
            job_file=self._settings.path,
            channel=channel,
            orders=orders,
            lock=lock,
            import_paths=self._import_paths,
            good_for=self._settings.good_for,
        )
        worker.run(post)
        return 0
