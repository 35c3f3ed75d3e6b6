"""A post in a group, and what its holder is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jobrun.supervisor.office import Office
from jobrun.wire.channel import Channel, attach
from jobrun.wire.messages import Message, Reload, Shutdown


def test_what_had_no_room_is_told_when_there_is_some(tmp_path: Path) -> None:
    ends: list[Channel] = []

    def keep(control: Channel, _generation: int) -> int:
        ends.append(attach(control._socket.dup().detach(), tmp_path))
        return 0

    def no_fork(main: Callable[[], int], _not_for_it: object) -> int:
        return main() + 1

    office = Office("scheduler", tmp_path, no_fork)
    office.fill(keep)
    [holder] = ends
    for _ in range(2000):  # more than a socket holds
        office.send(Reload())
    office.send(Shutdown(hurry=False))
    assert not office.flush()

    heard: list[Message] = []
    while not office.flush():
        heard += iter(holder.receive, None)
    heard += iter(holder.receive, None)

    assert len(heard) == 2001
    assert heard[-1] == Shutdown(hurry=False)
    office.vacate()
    assert office.flush()
    holder.close()
