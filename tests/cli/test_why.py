from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobrun import locks
from jobrun.cron.words import NewTick, TickState
from jobrun.measures import Pause
from jobrun.model import Job, Kind, NewJob, Outcome, Surroundings, WorkerRow
from jobrun.paths import scheduler_lock, side_dir
from jobrun.store import Store

Make = Callable[..., Job]
Run = Callable[..., subprocess.CompletedProcess[str]]
RunJson = Callable[..., Any]

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
THREE = NOW.replace(hour=3, minute=0, second=0, microsecond=0) - DAY  # yesterday at 03:00, which is past
BACKUP = '[jobs.backup]\nshell = "true"\nschedule = "0 3 * * *"\n'


@pytest.fixture
def file(table: Callable[..., Path], load: Callable[..., None]) -> Path:
    """Return a table that has been served for ten days."""
    written = table(BACKUP)
    load(written, now=THREE - 10 * DAY)
    return written


@pytest.fixture
def record(store: Store) -> Callable[..., int | None]:
    """Decide a tick of `backup`; return the id of its job."""

    def recorded(state: TickState, *, at: datetime = THREE, **more: Any) -> int | None:
        job = NewJob(kind=Kind.SHELL, task="true", entry="backup", name="backup", scheduled_for=at)
        tick = NewTick(at=at, state=state, job=job if state is TickState.RAN else None, **more)
        kept = store.ticks.record("backup", tick, now=at)
        store.entries.advance("backup", done_until=tick.last or at)
        assert kept is not None
        return kept.job_id

    return recorded


@pytest.fixture
def moved(table: Callable[..., Path], load: Callable[..., None], record: Callable[..., int | None]) -> None:
    """Let `backup` have run in a night in Berlin that had no 02:30."""
    at = datetime(2026, 3, 29, 1, tzinfo=UTC)
    load(table(f'{BACKUP}timezone = "Europe/Berlin"\n'.replace("0 3", "30 2")), now=at - DAY)
    record(TickState.RAN, at=at, moved_from=datetime(2026, 3, 29, 2, 30))  # noqa: DTZ001 -- the clock on the wall


@contextmanager
def worker(store: Store, *queues: str) -> Iterator[None]:
    """Let a worker live."""
    name = f"w{len(queues)}"
    store.workers.join(
        WorkerRow(name=name, number=1, pid=101, group_pid=99, queues=queues, started_at=NOW, stopping_at=None)
    )
    with locks.taken(side_dir(store.path) / "locks" / name):
        yield


def about(jobrun: Run, *words: str) -> str:
    done = jobrun("why", *words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.rstrip("\n")


def test_a_job_that_waits_says_that_no_worker_is_running(add: Make, jobrun: Run) -> None:
    told = about(jobrun, str(add("app:work").id))

    assert told.startswith("Job 1 (app:work) is ready since ")
    assert told.endswith("\nNo worker is running.\n  next: start one with `jobrun worker`")


def test_a_job_that_waits_says_that_no_worker_takes_its_queue(add: Make, store: Store, jobrun: Run) -> None:
    add(queue="mail")

    with worker(store, "reports"):
        told = about(jobrun, "1")

    assert "\nNo worker takes queue `mail`; the one that lives takes `reports`.\n" in told
    assert told.endswith("  next: start one with `jobrun worker -Q mail`")


def test_a_job_that_waits_says_that_all_workers_are_busy(
    add: Make, start: Make, store: Store, jobrun: Run
) -> None:
    with locks.taken(side_dir(store.path) / "locks" / "w1"):
        start()
        store.workers.join(
            WorkerRow(name="w1", number=1, pid=1, group_pid=9, queues=(), started_at=NOW, stopping_at=None)
        )
        add()

        assert "\nThe worker that takes its queue is busy, with job 1 (app:work) for " in about(jobrun, "2")


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        ({}, "Job 1 (app:work) succeeded "),
        (
            {"outcome": Outcome.ERROR, "exit_code": 3, "cause": "exit 3"},
            "It ended with exit code 3.\n  next: `jobrun logs 1` shows what it printed\n",
        ),
        ({"outcome": Outcome.ERROR, "cause": "exit 3"}, "`jobrun retry 1` queues it again;"),
    ],
)
def test_a_job_that_ended_says_how(ending: dict[str, Any], told: str, end: Make, jobrun: Run) -> None:
    end(ending=ending)

    assert told in about(jobrun, "1")


def test_a_job_that_waits_for_a_retry_says_what_went_wrong(start: Make, settled: Make, jobrun: Run) -> None:
    job = start(retries=2, backoff_s=3600.0)
    settled(job, spread=0.5, outcome=Outcome.ERROR, exit_code=3, cause="exit 3")

    told = about(jobrun, "1")

    assert "is scheduled, was tried once.\nIt is tried again in " in told
    assert ": retry 1 of 2: exit 3.\n  next: " in told


@pytest.mark.usefixtures("file")
def test_a_job_names_the_tick_that_it_came_from(record: Callable[..., int], jobrun: Run) -> None:
    record(TickState.RAN, moved_from=datetime(2027, 3, 28, 2, 30), reason="made up 300 s after its time")  # noqa: DTZ001 -- the clock on the wall

    told = about(jobrun, "1")

    assert f"the run of entry `backup` for {THREE:%Y-%m-%d} 03:00" in told
    assert "(moved from 02:30), made up 300 s after its time" in told


@pytest.mark.usefixtures("file")
def test_a_job_names_its_tick_to_the_second_if_there_are_seconds(
    record: Callable[..., int], jobrun: Run
) -> None:
    record(TickState.RAN, at=THREE + timedelta(seconds=7))

    assert f"the run of entry `backup` for {THREE:%Y-%m-%d} 03:00:07" in about(jobrun, "1")


@pytest.mark.usefixtures("file")
def test_a_time_of_day_asks_about_the_last_one(record: Callable[..., int | None], jobrun: Run) -> None:
    just_now = (NOW - timedelta(minutes=2)).replace(second=0, microsecond=0)
    record(TickState.SKIPPED, at=just_now, reason="job 7 was in the way")

    assert "was skipped at" in about(jobrun, "backup", "--at", f"{just_now.astimezone():%H:%M}")


@pytest.mark.usefixtures("file")
def test_an_entry_tells_each_tick_that_ran_or_did_not(
    record: Callable[..., int | None], start: Make, settled: Make, store: Store, jobrun: Run
) -> None:
    job_id = record(TickState.RAN, at=THREE - 5 * DAY)
    assert job_id is not None
    settled(start(job=store.ledger.get(job_id)), outcome=Outcome.ERROR, exit_code=3, cause="exit 3")
    record(TickState.SKIPPED, at=THREE - 4 * DAY, in_way=1, reason="job 1 was in the way")
    record(TickState.MISSED, at=THREE - 3 * DAY, last=THREE - DAY, count=3, reason="no scheduler ran")
    record(TickState.PAUSED)

    shown = about(jobrun, "backup")

    *_, heading, paused, missed, skipped, ran = shown.splitlines()
    assert heading.split() == ["TICK", "WHAT", "JOB", "ENDED", "WHY"]
    assert paused.split()[3:] == ["paused"]
    assert missed.split()[3:] == f"missed 3 until {THREE - DAY:%Y-%m-%d} 03:00 UTC; no scheduler ran".split()
    assert skipped.endswith("job 1 was in the way")
    assert ran.split()[3:] == ["ran", "1", "failed", "exit", "3"]


def test_an_entry_tells_its_schedule_and_who_serves_it(file: Path, store: Store, jobrun: Run) -> None:
    store.tables.hold(str(file), pid=4711, now=NOW)

    assert "no scheduler is running" in jobrun("why", "backup").stdout
    with locks.taken(scheduler_lock(store.path, file)):
        done = jobrun("why", "backup")

    assert "runs       at 03:00 every day" in done.stdout
    assert "scheduler  pid 4711" in done.stdout
    assert "next       20" in done.stdout
    assert done.stderr == "no tick of `backup` has been decided yet\n"


def test_an_entry_of_a_table_that_is_gone_is_told_without_its_next_run(file: Path, jobrun: Run) -> None:
    file.unlink()

    shown = jobrun("why", "backup").stdout

    assert "schedule   0 3 * * * (UTC)" in shown
    assert "next " not in shown


@pytest.mark.parametrize(
    ("state", "more", "told"),
    [
        (TickState.RAN, {}, "ran for {at} as job 1, which is ready."),
        (TickState.PENDING, {"in_way": 7}, "was due at {at} and waits for the end of job 7."),
        (TickState.PENDING, {}, "was due at {at} and waits for the end of the ticks before it."),
        (
            TickState.SKIPPED,
            {"in_way": 7, "reason": "job 7 was in the way"},
            "was skipped at {at}: job 7 was in the way.",
        ),
        (TickState.MISSED, {"reason": "no scheduler ran"}, "was missed at {at}: no scheduler ran."),
        (TickState.PAUSED, {}, "did not run at {at}, for it was paused."),
        (TickState.DISABLED, {}, "did not run at {at}, for it was disabled."),
    ],
)
@pytest.mark.usefixtures("file")
def test_one_tick_is_told_by_its_time(
    state: TickState, more: dict[str, Any], told: str, record: Callable[..., int | None], jobrun: Run
) -> None:
    record(state, **more)

    shown = about(jobrun, "backup", "--at", f"{THREE:%Y-%m-%d} 03:00:20")

    said, next_, *others = shown.splitlines()
    assert said == f"`backup` {told.format(at=f'{THREE:%Y-%m-%d} 03:00 UTC')}"
    assert (next_[:8], others) == ("  next: ", [])


@pytest.mark.usefixtures("file")
def test_a_time_within_a_row_of_missed_ticks_is_told_by_that_row(
    record: Callable[..., int | None], jobrun: Run
) -> None:
    record(TickState.MISSED, at=THREE - 4 * DAY, last=THREE, count=5, reason="no scheduler ran")

    shown = about(jobrun, "backup", "--at", f"{THREE - 2 * DAY:%Y-%m-%d} 03:00")

    assert shown.startswith("`backup` was missed 5 times, from ")


@pytest.mark.parametrize(
    ("at", "told"),
    [
        (THREE + timedelta(hours=1), "is not due at "),
        (THREE + 5 * DAY, "is due at "),
        (THREE - 12 * DAY, "it is new or was changed at "),
        (THREE, "no scheduler has served it yet"),
        (THREE - 5 * DAY, "is no longer kept"),
    ],
)
@pytest.mark.usefixtures("file")
def test_a_time_without_a_tick_is_told_by_the_schedule(
    at: datetime, told: str, store: Store, jobrun: Run
) -> None:
    store.entries.advance("backup", done_until=THREE - DAY)

    assert told in about(jobrun, "backup", "--at", f"{at:%Y-%m-%d %H:%M}")


@pytest.mark.usefixtures("moved")
@pytest.mark.parametrize(
    ("at", "told"),
    [
        (
            "2026-03-29 03:00",
            "`backup` ran for 2026-03-29 03:00 CEST as job 1, which is ready.\n",
        ),
        ("2026-03-29 03:00 CEST", "`backup` ran for 2026-03-29 03:00 CEST"),
        (
            "2026-03-29 02:30",
            "There is no 2026-03-29 02:30 in Europe/Berlin: the clocks go from 02:00 to 03:00.\n`backup` ran for",
        ),
        ("2026-03-29T01:00:00Z", "`backup` ran for 2026-03-29 03:00 CEST"),
    ],
)
def test_a_time_is_asked_about_as_the_clock_of_the_entry_shows_it(at: str, told: str, jobrun: Run) -> None:
    shown = about(jobrun, "backup", "--at", at)

    assert shown.startswith(told)
    assert "\nIt was moved from 02:30, for the clocks went forward over that time.\n" in shown


@pytest.mark.usefixtures("file")
def test_what_is_no_time_is_refused_where_one_asks_about_it(jobrun: Run) -> None:
    done = jobrun("why", "backup", "--at", "noonish")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("jobrun: time `noonish` is not understood\nhint: forms: ")


@pytest.mark.usefixtures("file")
def test_a_time_that_is_not_due_is_told_with_its_neighbours(jobrun: Run) -> None:
    shown = about(jobrun, "backup", "--at", f"{THREE:%Y-%m-%d} 04:00")

    assert f"its schedule is `0 3 * * *`; before it {THREE:%Y-%m-%d} 03:00 UTC" in shown
    assert f"after it {THREE + DAY:%Y-%m-%d} 03:00 UTC" in shown


@pytest.mark.usefixtures("file")
def test_json_has_the_ticks_and_what_they_became(
    record: Callable[..., int | None], jobrun_json: RunJson
) -> None:
    record(TickState.RAN)

    answer = jobrun_json("why", "backup")

    assert (answer["entry"], answer["schedule"], answer["scheduler_pid"]) == ("backup", "0 3 * * *", None)
    [tick] = answer["ticks"]
    assert (tick["state"], tick["job"], tick["job_state"]) == ("ran", 1, "ready")
    [job, at] = (jobrun_json("why", "1"), jobrun_json("why", "backup", "--at", f"{THREE:%Y-%m-%d} 03:00"))
    assert job["why"].startswith("Job 1 (backup) is ready")
    assert job["reasons"] == [
        {"code": "no-worker", "text": "No worker is running.", "next": "start one with `jobrun worker`"}
    ]
    assert [reason["code"] for reason in answer["reasons"]] == ["no-scheduler"]
    assert [reason["code"] for reason in at["reasons"]] == ["ran"]


def test_a_job_in_a_paused_queue_says_who_paused_it_and_how_it_goes_on(
    add: Make, store: Store, jobrun: Run
) -> None:
    add(queue="mail")
    pause = Pause(queue="mail", since=NOW - DAY, until=None, by="ann", reason="the relay is down")
    store.pauses.begin(pause)

    with worker(store):
        told = about(jobrun, "1")

    assert told.endswith(
        "\nQueue `mail` was paused by ann 1d ago, until somebody resumes it: the relay is down."
        "\n  next: `jobrun resume mail` ends the pause"
    )


def test_a_job_says_how_many_go_before_it_in_the_queues_of_its_workers(
    add: Make, store: Store, jobrun: Run
) -> None:
    for queue, priority in (("mail", 5), ("mail", 0), ("reports", 9), ("held", 9), ("other", 9), ("mail", 0)):
        job = add(queue=queue, priority=priority)
    store.pauses.begin(Pause(queue="held", since=NOW, until=None, by="ann", reason=None))

    with worker(store, "mail", "reports", "held"):
        told = about(jobrun, str(job.id))

    assert "\n3 ready jobs go before it: 2 of a higher priority and 1 older.\n" in told


def test_a_command_that_was_not_found_says_where_it_was_looked_for(
    start: Make, settled: Make, jobrun: Run
) -> None:
    there = Surroundings(cwd="/", umask=None, environment={"PATH": "/opt/bin:/bin", "TOKEN": "CANARY"})
    job = start("nosuch", kind=Kind.SHELL, surroundings=there)
    settled(job, outcome=Outcome.ERROR, exit_code=127, cause="exit 127 (command not found)")

    told = about(jobrun, "1")

    assert "\nExit 127: a command was not found; it was looked for in PATH `/opt/bin:/bin`.\n" in told
    assert "CANARY" not in told


@pytest.mark.usefixtures("file")
def test_a_tick_that_was_skipped_tells_what_the_job_in_its_way_was_doing(
    record: Callable[..., int | None], jobrun: Run
) -> None:
    before = THREE - timedelta(hours=2)
    job_id = record(TickState.RAN, at=before)
    record(TickState.SKIPPED, in_way=job_id, reason=f"job {job_id} was in the way")

    shown = about(jobrun, "backup", "--at", f"{THREE:%Y-%m-%d} 03:00")

    assert f": job {job_id} was in the way, which then waited and is now ready.\n" in shown
    assert f"  next: `jobrun why {job_id}` tells of that job" in shown


def test_what_a_terminal_shows_is_broken_between_words(add: Make, terminal: Callable[..., str]) -> None:
    add(queue="a-queue-with-rather-a-long-name")

    shown = terminal("why", "1", columns=60)

    assert max(map(len, shown.splitlines())) <= 60
    assert "next: start one with `jobrun worker`" in shown


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["99"], 3, "jobrun: no job 99"),
        (["bakcup"], 1, "jobrun: no entry `bakcup`"),
        (["1", "--at", "03:00"], 2, "jobrun: --at asks about an entry, not about a job"),
        (["a b"], 2, "jobrun: bad entry `a b`"),
    ],
)
@pytest.mark.usefixtures("file")
def test_what_nobody_knows_is_an_error(words: list[str], code: int, message: str, jobrun: Run) -> None:
    done = jobrun("why", *words)

    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(message)
