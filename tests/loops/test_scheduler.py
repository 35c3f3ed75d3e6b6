"""The scheduler with a real store and a real table, on clocks that are moved by hand."""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

import pytest

from jobrun.cron.verdicts import MOST_CAUGHT_UP
from jobrun.cron.words import Changes, Tick, TickState
from jobrun.errors import Busy, NoRoom
from jobrun.lifecycle import settle
from jobrun.log import Log
from jobrun.model import Ending, Job, JobFilter, Kind, NewJob, Outcome, State
from jobrun.paths import side_dir
from jobrun.scheduler.announcing import coming_in_words
from jobrun.scheduler.loop import Scheduler
from jobrun.scheduler.seat import sole_scheduler
from jobrun.scheduler.settings import Settings, World
from jobrun.scheduler.source import SETTLED_S, Source
from jobrun.scheduler.timetable import Timetable
from jobrun.store import Store, open_store
from jobrun.store.database import Database
from jobrun.wire.channel import Channel, pair
from jobrun.wire.messages import Reload
from tests.claims import claim

START = datetime(2027, 1, 10, 3, tzinfo=UTC)
HOURLY = '[jobs.hourly]\nshell = "true"\nschedule = "0 * * * *"\ntimezone = "UTC"\n'
YEAR = timedelta(days=365)


@dataclass(slots=True)
class Clock:
    """A wall clock that can be set, and the time since boot, which cannot."""

    now: datetime = START
    boot_s: float = 1000.0

    def pass_(self, span: timedelta) -> None:
        self.now += span
        self.boot_s += span.total_seconds()

    def set(self, step: timedelta) -> None:
        self.now += step


@dataclass(slots=True)
class Scene:
    path: Path
    table: Path
    store: Store
    clock: Clock
    scheduler: Scheduler
    source: Source
    boss: Channel
    log: Path

    def write(self, text: str) -> None:
        draft = self.table.with_suffix(".new")
        draft.write_text(text, encoding="utf-8")
        draft.replace(self.table)

    def reload(self) -> None:
        self.boss.send(Reload())
        self.step()

    def step(self) -> None:
        self.scheduler.step(self.source)

    def run(self, span: timedelta, *, pace: timedelta = timedelta(minutes=1)) -> None:
        """Let time pass, looking at every full minute or whatever `pace` says."""
        end = self.clock.now + span
        while self.clock.now < end:
            self.clock.pass_(min(pace, end - self.clock.now))
            self.step()

    def jobs(self) -> list[Job]:
        return self.store.ledger.select(JobFilter(), limit=100_000, newest_first=False)

    def ran(self) -> list[str]:
        """Return the nominal times of all jobs."""
        return [f"{job.scheduled_for:%d %H:%M}" for job in self.jobs()]

    def ticks(self, name: str) -> list[Tick]:
        return sorted(self.store.ticks.of(name, limit=100_000), key=lambda tick: tick.at)

    def finish(self, job: Job) -> None:
        """Let a job run and succeed."""
        [started] = claim(self.store, "w1", now=self.clock.now, new_token=lambda: os.urandom(8).hex())
        assert started.id == job.id
        ending = Ending(outcome=Outcome.OK)
        becomes = settle(started, ending, self.clock.now, 0.0)
        assert self.store.endings.settle(started, ending, becomes, now=self.clock.now, pid=1)


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Scene]]:
    """Begin schedulers of one table and job file, each as if the one before had been killed."""
    closers = contextlib.ExitStack()
    scenes: list[Scene] = []

    def start(
        text: str | None = None,
        *,
        clock: Clock | None = None,
        name: str = "jobs.toml",
        looks_at_clock: bool = False,
    ) -> Scene:
        table, path = tmp_path / name, tmp_path / "jobs.db"
        if text is not None:
            table.write_text(text, encoding="utf-8")
            table.chmod(0o600)
        clock = clock or (scenes[-1].clock if scenes else Clock())
        store = closers.enter_context(open_store(path, create=True))
        boss, control = pair(side_dir(path) / "spool")
        closers.callback(boss.close)
        closers.callback(control.close)
        log = tmp_path / "log"
        fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        closers.callback(os.close, fd)
        world = World(now=lambda: clock.now, boottime=lambda: clock.boot_s)
        settings = Settings(path=path, table=table)
        scheduler = Scheduler(settings, store, control, world, Log("scheduler", fd))
        closers.callback(scheduler.close)  # or all that listens in later tests would be deaf
        source = Source(table, {"TZ": "UTC"})
        (scheduler.begin if looks_at_clock else scheduler.take)(source.read())
        scenes.append(Scene(path, table, store, clock, scheduler, source, boss, log))
        return scenes[-1]

    with closers:
        yield start


def no_room(*_: object, **__: object) -> NoReturn:
    raise NoRoom("no room")


def entry(name: str, schedule: str, **keys: str) -> str:
    lines = "".join(f"{key} = {value}\n" for key, value in keys.items())
    return f'[jobs.{name}]\nshell = "true"\nschedule = "{schedule}"\n{lines}'


def test_a_tick_becomes_one_job_at_its_time(begin: Callable[..., Scene]) -> None:
    scene = begin(entry("hourly", "0 * * * *", overlap='"allow"'))

    scene.run(timedelta(hours=3), pace=timedelta(seconds=7))

    assert scene.ran() == ["10 04:00", "10 05:00", "10 06:00"]
    assert [job.created_at - job.scheduled_for for job in scene.jobs() if job.scheduled_for] <= [
        timedelta(seconds=7)
    ] * 3


def test_a_new_entry_makes_up_nothing_from_before(begin: Callable[..., Scene]) -> None:
    scene = begin(entry("minutely", "* * * * *"))

    scene.step()

    assert scene.jobs() == []


def test_a_restart_neither_loses_nor_doubles_a_tick(begin: Callable[..., Scene]) -> None:
    scene = begin(entry("minutely", "* * * * *", overlap='"allow"'))
    for _ in range(20):
        scene.run(timedelta(seconds=50), pace=timedelta(seconds=10))
        scene = begin()

    times = [job.scheduled_for for job in scene.jobs()]
    assert len(times) == len(set(times)) == 16
    assert times[-1] == datetime(2027, 1, 10, 3, 16, tzinfo=UTC)


def test_what_came_while_nobody_was_there_is_missed_and_the_newest_is_made_up(
    begin: Callable[..., Scene],
) -> None:
    scene = begin(HOURLY)
    scene.clock.pass_(timedelta(hours=10, minutes=5))

    scene = begin()
    scene.step()

    missed, ran = scene.ticks("hourly")
    assert (missed.state, missed.count) == (TickState.MISSED, 9)
    assert (ran.state, ran.at) == (TickState.RAN, datetime(2027, 1, 10, 13, tzinfo=UTC))
    [job] = scene.jobs()
    assert job.terms.is_catchup


def test_an_entry_edited_while_nobody_was_there_still_tells_what_it_missed(
    begin: Callable[..., Scene],
) -> None:
    begin(HOURLY).clock.pass_(timedelta(hours=10, minutes=5))

    scene = begin(HOURLY + 'description = "edited"\ncatchup = "all"\n')
    scene.step()

    older, newest = scene.ticks("hourly")
    assert (older.state, older.count, older.last.hour) == (TickState.MISSED, 9, 12)
    assert (newest.state, newest.at.hour) == (TickState.MISSED, 13)
    assert scene.jobs() == []


@pytest.mark.parametrize(
    "step",
    [
        timedelta(seconds=s)
        for s in (1, -1, 61, -61, 1800, -1800, 7200, -7200, 86400, -86400, 30 * 86400, -30 * 86400)
    ]
    + [YEAR, -YEAR],
    ids=str,
)
def test_a_clock_that_is_set_and_set_back_neither_doubles_nor_loses_a_tick(
    begin: Callable[..., Scene], step: timedelta
) -> None:
    scene = begin(entry("often", "*/10 * * * *", overlap='"allow"', catchup='"none"'))
    scene.run(timedelta(hours=2))
    scene.clock.set(step)
    scene.run(timedelta(minutes=30))
    scene.clock.set(-step)
    scene.run(timedelta(hours=2))

    times = Counter(job.scheduled_for for job in scene.jobs())
    assert set(times.values()) == {1}
    first = datetime(2027, 1, 10, 3, 10, tzinfo=UTC)
    begun, ended = timedelta(hours=1, minutes=50), timedelta(hours=2, minutes=30)
    expected = {first + n * timedelta(minutes=10) for n in range(27)}
    while_right = {
        at for at in expected if at - START <= begun or at - START >= ended + timedelta(minutes=10)
    }
    assert while_right <= times.keys()


def test_a_clock_that_is_set_right_while_nobody_was_there_holds_up_no_tick(
    begin: Callable[..., Scene],
) -> None:
    scene = begin(HOURLY + 'overlap = "allow"\n')
    scene.clock.set(YEAR)
    scene.step()

    scene.clock.set(-YEAR)
    scene = begin()
    scene.run(timedelta(hours=1))

    assert [tick.state for tick in scene.ticks("hourly") if tick.at == scene.clock.now] == [TickState.RAN]


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_done_to_the_clock_each_tick_is_told_of_and_has_one_job_at_most(
    begin: Callable[..., Scene], seed: int
) -> None:
    draw = random.Random(seed)
    scene = begin(entry("often", "* * * * *", overlap='"allow"', timezone='"UTC"'))
    clock, latest = scene.clock, scene.clock.now
    for _ in range(60):
        scene.run(timedelta(seconds=draw.choice([0, 30, 200, 600])))
        clock.set(timedelta(seconds=draw.choice([0, 0, -1, 3, -60, 90, -3600, 3600, -7200])))
        clock.pass_(timedelta(seconds=draw.choice([1, 1, 61, 600, 9000])))
        if draw.random() < 0.2:
            scene = begin()
        scene.step()
        latest = max(latest, clock.now)
    clock.pass_(latest - clock.now)
    scene.step()

    minute = timedelta(minutes=1)
    told = {
        tick.at + minute * n
        for tick in scene.ticks("often")
        for n in range((tick.last - tick.at) // minute + 1)
    }
    assert [n for n in range(1, (latest - START) // minute) if START + minute * n not in told] == []
    assert max(Counter(job.scheduled_for for job in scene.jobs()).values()) == 1


def test_a_job_of_a_wrong_year_is_not_in_the_way_of_the_right_one(begin: Callable[..., Scene]) -> None:
    scene = begin(entry("often", "* * * * *", jitter='"20s"', timezone='"UTC"'))
    scene.clock.set(YEAR)
    scene.run(timedelta(minutes=1), pace=timedelta(seconds=1))
    [ahead] = scene.jobs()
    assert ahead.state is State.SCHEDULED

    scene.clock.set(-YEAR)
    scene.run(timedelta(minutes=1))

    assert [tick.state for tick in scene.ticks("often") if tick.at == scene.clock.now] == [TickState.RAN]


def test_a_job_in_the_way_skips_the_tick_and_is_named(begin: Callable[..., Scene]) -> None:
    scene = begin(HOURLY)

    scene.run(timedelta(hours=2))

    ran, skipped = scene.ticks("hourly")
    assert (ran.state, skipped.state) == (TickState.RAN, TickState.SKIPPED)
    assert skipped.in_way == ran.job_id == scene.jobs()[0].id


def test_a_queued_tick_runs_after_the_job_in_the_way_and_the_newest_alone_waits(
    begin: Callable[..., Scene],
) -> None:
    scene = begin(entry("hourly", "0 * * * *", overlap='"queue"'))
    scene.run(timedelta(hours=3))
    [job] = scene.jobs()
    assert [tick.state for tick in scene.ticks("hourly")] == [
        TickState.RAN,
        TickState.SKIPPED,
        TickState.PENDING,
    ]

    scene.finish(job)
    scene.step()

    assert scene.ran() == ["10 04:00", "10 06:00"]
    assert not any(job.terms.is_catchup for job in scene.jobs())


def test_where_all_is_made_up_no_more_wait_than_are_caught_up(begin: Callable[..., Scene]) -> None:
    scene = begin(entry("often", "* * * * *", overlap='"queue"', catchup='"all"'))

    scene.run(timedelta(minutes=MOST_CAUGHT_UP + 30))

    waiting = scene.store.ticks.pending("often")
    assert len(waiting) == MOST_CAUGHT_UP
    assert waiting[-1].at == scene.clock.now


def test_a_tick_that_waits_does_not_run_in_a_pause(begin: Callable[..., Scene]) -> None:
    scene = begin(entry("often", "* * * * *", overlap='"queue"'))
    scene.run(timedelta(minutes=2))
    scene.store.entries.pause("often", until=None, now=scene.clock.now)
    scene.finish(scene.jobs()[0])

    scene.step()

    assert len(scene.jobs()) == 1
    assert scene.ticks("often")[-1].reason == "its entry was paused while it waited"


def test_a_replacing_tick_cancels_the_job_in_the_way_and_runs_after_its_end(
    begin: Callable[..., Scene],
) -> None:
    scene = begin(entry("hourly", "0 * * * *", overlap='"replace"'))

    scene.run(timedelta(hours=2))

    first, second = scene.jobs()
    assert (first.state, second.state) == (State.CANCELLED, State.READY)
    assert f"{second.scheduled_for:%H:%M}" == "05:00"


def test_all_that_was_missed_is_made_up_one_after_the_other(begin: Callable[..., Scene]) -> None:
    scene = begin(entry("hourly", "0 * * * *", catchup='"all"', catchup_window='"1d"'))
    scene.clock.pass_(timedelta(hours=3))
    scene = begin()
    scene.step()

    for _ in range(3):
        assert len([job for job in scene.jobs() if not job.state.is_final]) == 1
        scene.clock.pass_(timedelta(minutes=2))
        scene.store.queue.promote(now=scene.clock.now)
        scene.finish(scene.jobs()[-1])
        scene.step()

    assert scene.ran() == ["10 04:00", "10 05:00", "10 06:00"]
    assert [job.terms.is_catchup for job in scene.jobs()] == [True, True, False]  # 06:00 is now
    assert [tick.reason for tick in scene.ticks("hourly")] == [
        "made up 7200 s after its time",
        "made up 3600 s after its time",
        None,
    ]


def test_a_reload_takes_all_of_a_table(begin: Callable[..., Scene]) -> None:
    scene = begin(HOURLY)
    scene.write(entry("quarterly", "*/15 * * * *"))
    scene.reload()

    scene.run(timedelta(minutes=75))

    assert {job.entry for job in scene.jobs()} == {"quarterly"}
    log = scene.log.read_text()
    assert "+ added: quarterly" in log
    assert "- removed: hourly" in log


def test_a_reload_without_a_change_is_answered_too(begin: Callable[..., Scene]) -> None:
    scene = begin(HOURLY)
    scene.reload()

    assert f"1 entry of {scene.table}; next: hourly" in scene.log.read_text()


def test_a_table_with_an_error_is_not_taken_and_that_is_said_once(begin: Callable[..., Scene]) -> None:
    scene = begin(HOURLY)
    scene.write(HOURLY.replace("0 * * * *", "61 * * * *"))

    scene.run(timedelta(minutes=65))

    assert scene.ran() == ["10 04:00"]
    assert scene.log.read_text().count("kept as it was") == 1


def test_what_fell_due_before_the_start_is_not_announced_as_to_come(begin: Callable[..., Scene]) -> None:
    scene = begin(HOURLY)
    entries = {entry.name: entry for entry in scene.source.read().entries}
    timetable = Timetable(entries, {row.name: row for row in scene.store.entries.rows()})

    told = coming_in_words("jobs.toml", timetable, START + timedelta(minutes=90))

    due = (START + timedelta(hours=1)).astimezone().isoformat(" ", "seconds")
    assert told == f"1 entry of jobs.toml; now: hourly (due since {due})"


def test_a_table_of_which_nothing_is_left_is_not_taken(begin: Callable[..., Scene]) -> None:
    scene = begin(HOURLY)
    scene.write("")

    scene.reload()
    scene.run(timedelta(hours=1))

    assert scene.ran() == ["10 04:00"]
    assert "is empty; the table is kept as it was" in scene.log.read_text()


def test_a_changed_file_is_read_once_it_has_come_to_rest(begin: Callable[..., Scene]) -> None:
    scene = begin(HOURLY)
    scene.write(entry("other", "0 * * * *"))
    scene.step()
    assert "other" not in scene.log.read_text()

    scene.clock.pass_(timedelta(seconds=SETTLED_S))
    scene.step()

    assert "+ added: other" in scene.log.read_text()


def test_a_reload_at_the_moment_of_a_tick_loses_nothing(begin: Callable[..., Scene]) -> None:
    scene = begin(HOURLY)
    scene.clock.pass_(datetime(2027, 1, 10, 4, tzinfo=UTC) - scene.clock.now)
    scene.write(HOURLY + 'description = "changed"\n')

    scene.reload()
    scene.run(timedelta(minutes=30))

    assert scene.ran() == ["10 04:00"]


def test_a_tick_that_falls_due_during_a_reload_is_not_lost(begin: Callable[..., Scene]) -> None:
    scene = begin(HOURLY)
    scene.clock.now = datetime(2027, 1, 10, 3, 59, 59, tzinfo=UTC)
    scene.write(HOURLY + 'description = "changed"\n')
    load = scene.store.entries.load

    def slow(*given: Any, **options: Any) -> Changes:
        scene.clock.pass_(timedelta(seconds=2))  # it waits for the write lock
        return load(*given, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scene.store.entries, "load", slow)
        scene.reload()
    scene.step()

    assert scene.ran() == ["10 04:00"]


def test_a_reload_without_room_is_made_good_when_there_is_some(begin: Callable[..., Scene]) -> None:
    scene = begin(HOURLY)
    scene.write(HOURLY + entry("new", "30 * * * *"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "_transaction", no_room)
        scene.reload()
        scene.run(timedelta(seconds=100), pace=timedelta(seconds=2))
    assert scene.log.read_text().count("no room") == 2
    scene.run(timedelta(seconds=4), pace=timedelta(seconds=2))

    assert "+ added: new" in scene.log.read_text()


def test_who_took_a_table_over_alone_serves_its_entries(begin: Callable[..., Scene]) -> None:
    text = entry("moved", "0 * * * *", overlap='"allow"', timezone='"UTC"')
    first = begin(text)
    first.table.unlink()
    second = begin(text.replace("0 *", "30 *"), name="other.toml")

    for _ in range(180):
        first.clock.pass_(timedelta(minutes=1))
        first.step()
        second.step()

    assert second.ran() == ["10 03:30", "10 04:30", "10 05:30"]


def test_a_scheduler_whose_table_was_taken_over_bears_a_clock_that_is_set(
    begin: Callable[..., Scene],
) -> None:
    first = begin(HOURLY)
    first.table.unlink()
    second = begin(HOURLY, name="other.toml")

    first.clock.set(timedelta(hours=-1))
    for _ in range(90):
        first.clock.pass_(timedelta(minutes=1))
        first.step()
        second.step()

    assert second.ran() == ["10 03:00"]


def test_an_interval_goes_on_from_its_last_tick_after_a_restart(begin: Callable[..., Scene]) -> None:
    scene = begin('[jobs.often]\nshell = "true"\nevery = "7m"\noverlap = "allow"\n')
    scene.run(timedelta(minutes=10))
    scene = begin()

    scene.run(timedelta(minutes=12))

    starts = [(job.scheduled_for or START) - START for job in scene.jobs()]
    assert starts == [timedelta(minutes=m) for m in (7, 14, 21)]


def test_a_boot_runs_what_waits_for_one_but_a_restart_does_not(
    begin: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = entry("booting", "@reboot")
    monkeypatch.setattr("jobrun.procs.boot_id", lambda: "first")
    begin(text)
    assert begin().jobs() == []

    monkeypatch.setattr("jobrun.procs.boot_id", lambda: "second")
    begin()
    scene = begin()

    assert [job.entry for job in scene.jobs()] == ["booting"]


def test_a_disk_without_room_puts_a_tick_off_and_loses_none(
    begin: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = begin(HOURLY)

    def full(*_: object, **__: object) -> None:
        raise Busy("no room")

    with monkeypatch.context() as patch:
        patch.setattr(scene.store.ticks, "record", full)
        scene.run(timedelta(minutes=60))
        assert scene.jobs() == []
    scene.run(timedelta(minutes=1))

    assert scene.ran() == ["10 04:00"]


@pytest.mark.parametrize("is_link", [False, True])
def test_there_is_one_scheduler_of_a_table_and_the_second_learns_who(
    *, is_link: bool, begin: Callable[..., Scene]
) -> None:
    scene = begin(HOURLY)
    again = scene.table
    if is_link:
        again = scene.table.with_name("link.toml")
        again.symlink_to(scene.table)
        scene.store.tables.hold(os.fspath(again), pid=1, now=START - timedelta(days=1))

    with sole_scheduler(scene.store, scene.table, pid=os.getpid(), now=START):
        pid = os.fork()
        if not pid:
            _try_to_be_second(scene, again)
        _, status = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(status) == 75


CHANGES = {
    "America/New_York": ((2027, 3, 14), (2027, 11, 7)),
    "Europe/Berlin": ((2027, 3, 28), (2027, 10, 31)),
    "Australia/Lord_Howe": ((2027, 4, 4), (2027, 10, 3)),
    "America/Santiago": ((2027, 4, 4), (2027, 9, 5)),
    "Africa/Cairo": ((2027, 4, 30), (2027, 10, 29)),
}


@pytest.mark.parametrize(("zone", "day"), [(zone, day) for zone, days in CHANGES.items() for day in days])
def test_a_change_of_the_clocks_runs_fixed_times_once_and_wildcards_by_elapsed_time(
    begin: Callable[..., Scene], zone: str, day: tuple[int, int, int]
) -> None:
    local = ZoneInfo(zone)
    clock = Clock(now=datetime(*day, 12, tzinfo=local).astimezone(UTC) - timedelta(days=1, seconds=1))
    fixed = {
        f"at-{hour:02}{minute:02}": f"{minute} {hour} * * *" for hour in range(4) for minute in (0, 15, 45)
    }
    fixed |= {f"at-{hour}": f"30 {hour} * * *" for hour in (22, 23)}
    keys = {"timezone": f'"{zone}"', "overlap": '"allow"'}
    text = "".join(entry(name, schedule, **keys) for name, schedule in fixed.items())
    scene = begin(text + entry("steady", "*/15 * * * *", **keys), clock=clock)

    scene.run(timedelta(days=1), pace=timedelta(minutes=5))

    runs = Counter(job.entry for job in scene.jobs())
    assert {name: runs[name] for name in fixed} == dict.fromkeys(fixed, 1)
    steady = [job.scheduled_for for job in scene.jobs() if job.entry == "steady" and job.scheduled_for]
    assert {b - a for a, b in pairwise(steady)} == {timedelta(minutes=15)}
    assert runs["steady"] == 96


@pytest.mark.process
def test_a_scheduler_killed_between_any_two_statements_leaves_one_job_for_each_tick(
    begin: Callable[..., Scene],
) -> None:
    scene = begin(HOURLY.replace('"true"', '"true"\noverlap = "allow"'))
    kills = 0
    for hour in range(1, 100):
        scene.clock.pass_(timedelta(hours=1))
        pid = os.fork()
        if not pid:
            _serve_and_die(begin, after=kills)
        _, status = os.waitpid(pid, 0)
        killed = os.WIFSIGNALED(status)
        assert killed or os.waitstatus_to_exitcode(status) == 0
        kills += 1
        successor = begin()
        successor.step()
        times = [job.scheduled_for for job in successor.jobs()]
        assert len(times) == len(set(times)) == hour, f"killed before statement {kills}"
        if not killed:
            break
    assert kills > 5
    assert not killed


def _serve_and_die(begin: Callable[..., Scene], *, after: int) -> NoReturn:
    """Serve as a new scheduler would, and be killed before the statement after so many."""
    left = after
    execute = Database.rows
    change = Database.change
    insert = Database.insert

    def counted(run: Callable[..., object]) -> Callable[..., object]:
        def statement(*arguments: object, **named: object) -> object:
            nonlocal left
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
            return run(*arguments, **named)

        return statement

    try:
        scene = begin()
        for name, run in (("rows", execute), ("change", change), ("insert", insert)):
            setattr(Database, name, counted(run))
        scene.step()
    except BaseException:  # noqa: BLE001 -- nothing of the parent's stack may run here
        os._exit(1)
    os._exit(0)


def _try_to_be_second(scene: Scene, table: Path) -> NoReturn:
    try:
        with open_store(scene.path) as store, sole_scheduler(store, table, pid=1, now=START):
            os._exit(1)
    except Busy as error:
        os._exit(error.exit_code if f"(pid {os.getppid()})" in error.message else 2)
    finally:
        os._exit(3)


@pytest.mark.parametrize("is_set", [True, False])
def test_with_a_clock_that_was_not_set_since_the_boot_no_tick_is_served_for_a_minute_or_until_it_is_set(
    begin: Callable[..., Scene],
    is_set: bool,  # noqa: FBT001 -- a case
) -> None:
    scene = begin(HOURLY + 'overlap = "allow"\n')
    scene.run(timedelta(hours=1))
    scene.clock.set(-YEAR)
    scene = begin(looks_at_clock=True)
    for _ in range(59):
        scene.clock.pass_(timedelta(seconds=1))
        scene.step()
    done_until = scene.store.entries.rows(str(scene.table))[0].done_until

    if is_set:
        scene.clock.set(YEAR)
        scene.step()
    else:
        scene.clock.pass_(timedelta(seconds=1))
        scene.step()

    assert done_until == datetime(2027, 1, 10, 4, tzinfo=UTC)
    assert (
        scene.log.read_text().count("the clock shows 2026-01-10, and the last job was added on 2027-01-10")
        == 1
    )
    assert scene.log.read_text().count("1 entry of") == 1
    scene.run(timedelta(hours=1))
    assert [tick.state for tick in scene.ticks("hourly")] == [TickState.RAN, TickState.RAN]


def test_a_clock_that_is_not_behind_is_waited_for_by_nobody(begin: Callable[..., Scene]) -> None:
    scene = begin(HOURLY)
    scene.store.intake.add([NewJob(kind=Kind.CALL, task="app:f")], now=scene.clock.now)
    scene.clock.set(timedelta(hours=-20))

    scene = begin(looks_at_clock=True)

    assert "no tick is served" not in scene.log.read_text()


def test_what_a_table_says_of_the_host_is_taken_with_its_entries(begin: Callable[..., Scene]) -> None:
    scene = begin(HOURLY + "[health]\nmax_depth = 5\n")
    table = str(scene.table)
    said = [scene.store.sections.all()]

    for text in ("[health]\nmax_depth = 7\n[jobs.x]\n", '[retention]\nkeep = "1d"\n', ""):
        scene.write(HOURLY + text)
        scene.reload()
        said.append(scene.store.sections.all())

    first = {table: {"health": {"max_depth": 5}}}
    assert said == [first, first, {table: {"retention": {"keep": 86400.0}}}, {}]
