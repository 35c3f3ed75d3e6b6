"""The supervisor's parts without processes: pauses before restarts, and the crew's books."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from jobrun import locks
from jobrun.log import Log
from jobrun.store.opening import make_side_folders
from jobrun.supervisor.crew import TELL_AGAIN_S, Crew, Slot, introduction
from jobrun.supervisor.hiring import TRIES, Hiring
from jobrun.supervisor.kin import Kin
from jobrun.supervisor.pauses import FIRST_PAUSE_S, LONGEST_PAUSE_S, QUICK_DEATH_S, Pauses
from jobrun.supervisor.settings import Settings
from tests.lockfiles import write_record

USAGE = resource.getrusage(resource.RUSAGE_SELF)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Give the supervisor's parts a monotonic clock that stands still unless moved."""
    clock = SimpleNamespace(s=1000.0)
    times = SimpleNamespace(monotonic=lambda: clock.s, time=lambda: 1.5)
    for module in ("pauses", "crew"):
        monkeypatch.setattr(f"jobrun.supervisor.{module}.time", times)
    return clock


def die(pauses: Pauses, clock: SimpleNamespace, *, after_s: float) -> float:
    pauses.began(0)
    clock.s += after_s
    return pauses.ended(0)


def test_what_dies_young_is_started_again_later_and_later(clock: SimpleNamespace) -> None:
    pauses = Pauses(1)

    waits = [die(pauses, clock, after_s=0.1) for _ in range(20)]

    assert waits[:4] == pytest.approx([FIRST_PAUSE_S, 0.2, 0.4, 0.8])
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_PAUSE_S


def test_what_lived_long_is_replaced_at_once(clock: SimpleNamespace) -> None:
    pauses = Pauses(1)
    die(pauses, clock, after_s=0.1)

    assert die(pauses, clock, after_s=QUICK_DEATH_S) == 0
    assert pauses.is_over(0)


def test_a_pause_ends_when_its_time_is_over(clock: SimpleNamespace) -> None:
    pauses = Pauses(2)
    wait_s = die(pauses, clock, after_s=0.1)

    assert (pauses.is_over(0), pauses.is_over(1)) == (False, True)
    assert pauses.left_s(0) == pytest.approx(wait_s)
    clock.s += wait_s
    assert pauses.is_over(0)


def test_an_end_that_we_made_ourselves_is_forgiven(clock: SimpleNamespace) -> None:
    pauses = Pauses(1)
    for _ in range(5):
        die(pauses, clock, after_s=0.1)

    pauses.forgive(0)

    assert pauses.is_over(0)
    assert die(pauses, clock, after_s=0.1) == FIRST_PAUSE_S


@pytest.fixture
def side(tmp_path: Path) -> Path:
    make_side_folders(tmp_path / "jobs.db")
    return tmp_path / "jobs.db.d"


@pytest.fixture
def crew(side: Path, clock: SimpleNamespace) -> Iterator[Crew]:
    assert clock
    crew = Crew(side, Kin(), lambda _main, _let_go: 4711)
    yield crew
    for slot in crew.all():
        slot.close()


def hire(crew: Crew, number: int = 1) -> Slot:
    return crew.hire(number, lambda _name, _lock, _channel, _orders: 0)


def test_a_worker_holds_its_lock_from_before_its_fork_until_its_end_is_committed(
    crew: Crew, side: Path
) -> None:
    held_at_fork: list[bool] = []

    def fork(_main: object, _let_go: object) -> int:
        held_at_fork.extend(locks.is_held(path) for path in (side / "locks").iterdir())
        return 4711

    crew = Crew(side, Kin(), fork)
    slot = hire(crew)
    lock = side / "locks" / slot.name

    crew.buried(slot, 9, USAGE)
    crew.sweep({0})
    assert held_at_fork == [True]
    assert locks.is_held(lock)
    crew.forget(slot.name)
    assert not lock.exists()
    assert crew.all() == []


def test_a_worker_that_cannot_be_forked_leaves_nothing_behind(side: Path) -> None:
    def no_room(_main: object, _let_go: object) -> int:
        raise BlockingIOError(errno.EAGAIN, "no room for a process")

    crew = Crew(side, Kin(), no_room)
    descriptors = len(os.listdir("/proc/self/fd"))

    with pytest.raises(OSError, match="no room"):
        hire(crew)

    assert crew.all() == []
    assert list((side / "locks").iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_a_worker_for_whom_descriptors_are_wanting_leaves_nothing_behind(crew: Crew, side: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))
    descriptors = len(os.listdir("/proc/self/fd"))

    for more in range(1, 6):  # so that each of the descriptors is wanting once
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + more, hard))
        try:
            with pytest.raises(OSError, match="Too many open files"):
                [hire(crew, number) for number in range(len(crew.all()) + 1, highest + more)]
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert len(list((side / "locks").iterdir())) == len(crew.all())
        assert len(os.listdir("/proc/self/fd")) == descriptors + 4 * len(crew.all())


def test_children_from_before_are_not_ours_to_end() -> None:
    with subprocess.Popen(["sleep", "60"]) as helper:
        kin = Kin()
        with subprocess.Popen(["sleep", "60"]) as own:
            assert kin.children() == {own.pid}

            kin.kill_all()

            assert helper.poll() is None
            own.returncode = -9  # reaped by kill_all
        helper.kill()


def test_a_name_is_used_once(crew: Crew) -> None:
    assert len({hire(crew, number).name for number in range(1, 20)}) == 19


def test_a_worker_is_introduced_by_name_place_pid_and_time(crew: Crew) -> None:
    slot = hire(crew, 3)

    hired = introduction(slot)

    assert (hired.name, hired.number, hired.pid, hired.started_at) == (slot.name, 3, 4711, 1500)


def test_a_death_tells_what_was_begun_last_and_what_it_used(crew: Crew) -> None:
    slot = hire(crew)
    used_s = USAGE.ru_utime + USAGE.ru_stime
    write_record(slot.lock, "s", "t", pid=4711, cpu_s=used_s / 2)

    crew.buried(slot, 9, USAGE)

    assert slot.gone is not None
    assert (slot.gone.status, slot.gone.begun) == (9, ["s", "t"])
    assert slot.gone.cpu_s == pytest.approx(used_s / 2, abs=0.001)


@pytest.mark.parametrize(("content", "begun"), [(b"", []), (b"torn", None), (None, None)])
def test_a_lock_file_that_tells_nothing_does_not_say_that_nothing_was_begun(
    crew: Crew, side: Path, content: bytes | None, begun: list[str] | None
) -> None:
    slot = hire(crew)
    path = side / "locks" / slot.name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)

    crew.buried(slot, 9, USAGE)

    assert slot.gone is not None
    assert slot.gone.begun == begun


def test_a_death_is_told_once_swept_and_again_until_it_is_noted(crew: Crew, clock: SimpleNamespace) -> None:
    slot = hire(crew)
    crew.buried(slot, 0, USAGE)
    assert crew.to_tell() == []

    crew.sweep({0})
    assert [gone.name for gone in crew.to_tell()] == [slot.name]
    assert crew.to_tell() == []
    clock.s += TELL_AGAIN_S
    assert [gone.name for gone in crew.to_tell()] == [slot.name]
    crew.tell_anew()
    assert [gone.name for gone in crew.to_tell()] == [slot.name]
    crew.forget(slot.name)
    clock.s += TELL_AGAIN_S
    assert crew.to_tell() == []


def test_a_reaped_worker_cannot_be_named_any_more(crew: Crew) -> None:
    slot = hire(crew)
    assert crew.named(slot.name) is slot

    crew.buried(slot, 0, USAGE)

    assert crew.named(slot.name) is None
    assert crew.with_pid(4711) is None
    assert os.fstat(slot.lock)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is said to the log, without its head."""
    said: list[str] = []
    monkeypatch.setattr("jobrun.log.Log.say", lambda _self, _event, text, **_ids: said.append(text))
    return said


def hiring(crew: Crew, *, burst: bool) -> Hiring:
    settings = Settings(path=Path("jobs.db"), workers=2, burst=burst)
    return Hiring(settings, crew, lambda _name, _lock, _channel, _orders: 0, Log("supervisor"))


def bury(crew: Crew, hiring: Hiring, number: int, code: int = 71) -> None:
    slot = crew.by_number[number]
    crew.buried(slot, code << 8, USAGE)
    hiring.ended(slot, code, is_expected=False)
    crew.forget(slot.name)


def test_a_seat_where_nobody_stays_is_told_of_once_a_step(
    crew: Crew, clock: SimpleNamespace, said: list[str]
) -> None:
    house = hiring(crew, burst=False)

    for _ in range(20):
        house.fill_seats()
        bury(crew, house, 1)
        clock.s += LONGEST_PAUSE_S

    assert [line.partition(" exit 71; ")[2] for line in said] == [
        *(f"replaced in {FIRST_PAUSE_S * 2**n:g} s" for n in range(9)),
        f"replaced every {LONGEST_PAUSE_S:g} s from now on",
    ]
    assert house.hopeful() == 2, "a group that stays goes on trying"


def test_a_burst_goes_on_without_a_seat_where_nobody_stays(
    crew: Crew, clock: SimpleNamespace, said: list[str]
) -> None:
    house = hiring(crew, burst=True)

    for _ in range(TRIES):
        house.fill_seats()
        bury(crew, house, 1)
        clock.s += LONGEST_PAUSE_S
    house.fill_seats()

    assert (house.hopeful(), list(crew.by_number), house.waits_s()) == (1, [2], [])
    assert said[-1].endswith("exit 71; not replaced")
