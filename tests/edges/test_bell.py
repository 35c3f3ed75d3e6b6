"""Every listener hears every ring, and none is lost between looking and sleeping."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from jobrun.bell import Tone, listening, ring


def test_every_listener_hears_every_ring(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        ears = [stack.enter_context(listening(tmp_path, Tone.WORK)) for _ in range(5)]
        for _ in range(100):
            ring(tmp_path, Tone.WORK)
            assert all(ear.drain() for ear in ears)


def test_rings_of_another_process_are_heard(tmp_path: Path) -> None:
    with listening(tmp_path, Tone.DONE) as ear:
        pid = os.fork()
        if pid == 0:
            ring(tmp_path, Tone.DONE)
            os._exit(0)

        assert ear.wait(10.0)
        os.waitpid(pid, 0)


def test_a_ring_between_looking_and_sleeping_ends_the_sleep(tmp_path: Path) -> None:
    with listening(tmp_path, Tone.WORK) as ear:
        ear.drain()
        ring(tmp_path, Tone.WORK)

        assert ear.wait(10.0)


def test_many_rings_are_heard_at_once_and_then_it_is_quiet(tmp_path: Path) -> None:
    with listening(tmp_path, Tone.WORK) as ear:
        for _ in range(1000):
            ring(tmp_path, Tone.WORK)

        assert (ear.drain(), ear.drain(), ear.wait(0.0)) == (True, False, False)


def test_who_cannot_listen_is_deaf_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "bell.work").symlink_to("bell.work")  # the last inotify instance may be in use by others
    open_before = os.listdir("/proc/self/fd")

    with listening(tmp_path, Tone.WORK) as ear:
        ring(tmp_path, Tone.WORK)
        assert (ear.wait(0.01), ear.drain()) == (False, False)

    assert os.listdir("/proc/self/fd") == open_before


def test_tones_are_told_apart(tmp_path: Path) -> None:
    with listening(tmp_path, Tone.WORK) as work, listening(tmp_path, Tone.DONE) as done:
        ring(tmp_path, Tone.DONE)

        assert (work.drain(), done.drain()) == (False, True)


def test_a_bell_is_made_by_its_first_ring_and_is_private(tmp_path: Path) -> None:
    before = os.umask(0)
    ring(tmp_path, Tone.WORK)
    os.umask(before)

    assert (tmp_path / "bell.work").stat().st_mode & 0o777 == 0o600


def test_a_bell_that_may_not_be_rung_harms_nobody(tmp_path: Path) -> None:
    (tmp_path / "bell.work").symlink_to("bell.work")

    ring(tmp_path, Tone.WORK)


def test_ringing_where_there_is_no_folder_harms_nobody(tmp_path: Path) -> None:
    ring(tmp_path / "missing", Tone.WORK)

    assert list(tmp_path.iterdir()) == []
