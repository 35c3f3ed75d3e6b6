"""metrics: a text that Prometheus reads, counters that never fall, a file that is never half there."""

from __future__ import annotations

import math
import os
import resource
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from jobrun import locks
from jobrun.actions import writing
from jobrun.actions.metrics import Snapshot
from jobrun.cli import prometheus
from jobrun.cli.series import MOST, OTHER, histograms
from jobrun.cron.words import NewTick, TickState
from jobrun.errors import NotDone
from jobrun.measures import AttemptTally, JobTally, Measures, Pause, QueueMeasure, Tallies, TickTally
from jobrun.model import Job, Kind, Outcome
from jobrun.paths import scheduler_lock
from jobrun.queues import reserved_queue
from jobrun.store import Store
from tests.cli.test_status import join
from tests.promlint import faults

Make = Callable[..., Job]
Run = Callable[..., subprocess.CompletedProcess[str]]
Samples = dict[tuple[str, ...], float]

NOW = datetime(2027, 1, 5, 3, tzinfo=UTC)
STEPS = (0.1, 0.5, 60.0)
HOSTILE = [
    'a"b',
    "a\\b",
    "a\nb",
    "a\\nb",
    "\x1b[31m",
    "\r",
    "ü\u202e",
    "{}",
    "",
    "a,b=c",
    'x"} 1\n# TYPE y counter',
]


def samples(text: str) -> Samples:
    """Return each number by its name and the values of its labels, those in the order of their names."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def snapshot(tallies: Tallies | None = None, *, queues: tuple[QueueMeasure, ...] = ()) -> Snapshot:
    return Snapshot(
        measures=Measures(
            at=NOW, queues=queues, scheduled=3, failed=2, crashed=1, missed=0, since=NOW
        ),
        tallies=tallies or Tallies(jobs=(), attempts=(), ticks=(), steps_s=STEPS),
        alive=2,
        dead=1,
        schedulers=1,
        entries=(),
        file_size=4096,
        wal_size=32,
        sqlite="3.40.1",
    )  # fmt: skip


def tallied(*works: str) -> Tallies:
    """Return tallies of these works, a job and two attempts of each."""
    return Tallies(
        jobs=tuple(JobTally(queue="mail", work=work, state="failed", count=1) for work in works),
        attempts=tuple(
            AttemptTally(work=work, outcome=outcome, up_to_s=up_to_s, count=1, total_s=took)
            for work in works
            for outcome, up_to_s, took in (("ok", 0.5, 0.3), ("timeout", math.inf, 90.0))
        ),
        ticks=tuple(TickTally(entry=work, state="missed", count=1) for work in works),
        steps_s=STEPS,
    )


@pytest.mark.parametrize("works", [(), ("app:f",), tuple(HOSTILE), tuple(f"t{n}" for n in range(99))])
def test_the_text_is_as_prometheus_wants_it(works: tuple[str, ...]) -> None:
    waiting = QueueMeasure(queue="mail", ready=5, running=1, oldest_at=NOW, pause=None)

    text = prometheus.text(snapshot(tallied(*works), queues=(waiting,))).decode()

    assert faults(text) == []
    if shutil.which("promtool"):
        done = subprocess.run(
            ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("# TYPE a gauge\na 1\n", "a: HELP or TYPE is missing"),
        ("a 1\n", "a: no HELP and TYPE before it"),
        ("# HELP a x\n# TYPE a gauge\na 1", "no end of line at the end"),
        ("# HELP a x\n# TYPE a counter\na 1\n", "a: is a counter and does not end with _total"),
        ("# HELP a_total x\n# TYPE a_total counter\na_total -1\n", "a: a counter is -1"),
        ("# HELP a_ms x\n# TYPE a_ms gauge\na_ms 1\n", "a_ms: is not in base units"),
        ("# HELP aB x\n# TYPE aB gauge\naB 1\n", "aB: is not written as snake_case"),
        ("# HELP a_gauge x\n# TYPE a_gauge gauge\na_gauge 1\n", "a_gauge: has its type in its name"),
        ("# HELP a_count x\n# TYPE a_count gauge\na_count 1\n", "a_count: ends with a suffix that is reserved"),
        ('# HELP a x\n# TYPE a gauge\na{le="1"} 1\n', "a: has a label that is reserved"),
        ("# HELP a x\n# TYPE a gauge\na 1\na 2\n", "('a',): is there 2 times"),
        (
            '# HELP a x\n# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n',
            "a: buckets are not cumulative",
        ),
        (
            '# HELP a x\n# TYPE a histogram\na_bucket{le="1"} 2\na_sum 1\na_count 2\n',
            "a: the last bucket is not +Inf with the count",
        ),
        (
            '# HELP a x\n# TYPE a histogram\na_bucket{le="+Inf"} 2\na_count 2\n',
            "a: has no sum",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_text_is_found(text: str, fault: str) -> None:
    assert fault in faults(text)


def test_attempts_are_counted_up_to_each_step() -> None:
    found = samples(prometheus.text(snapshot(tallied("app:f"))).decode())

    name = "jobrun_attempt_duration_seconds"
    steps = [found[f"{name}_bucket", edge, "app:f"] for edge in ("0.1", "0.5", "60.0", "+Inf")]
    assert steps == [0, 1, 1, 2]
    assert (found[f"{name}_count", "app:f"], found[f"{name}_sum", "app:f"]) == (2, 90.3)
    assert found["jobrun_attempts_total", "timeout", "app:f"] == 1
    assert found["jobrun_ticks_missed_total",] == 1


def test_of_very_many_names_the_first_have_a_series_and_the_rest_share_one() -> None:
    names = [f"t{n:04}" for n in range(MOST + 7)]

    def totals(found: Tallies) -> Samples:
        text = prometheus.text(snapshot(replace(found, attempts=(), ticks=()))).decode()
        return {key: value for key, value in samples(text).items() if key[0] == "jobrun_jobs_total"}

    before, after = totals(tallied(*names[1:])), totals(tallied(*names))

    assert len(after) == MOST + 1
    assert after["jobrun_jobs_total", "mail", "failed", OTHER] == 7
    assert all(after[key] >= before[key] for key in before.keys() & after.keys())


def test_the_rest_of_very_many_names_share_a_histogram() -> None:
    found = histograms(tallied(*(f"t{n:04}" for n in range(MOST + 7))).attempts, STEPS)

    assert len(found) == MOST + 1
    buckets, total = found[OTHER]
    assert buckets == [("0.1", 0), ("0.5", 7), ("60.0", 7), ("+Inf", 14)]
    assert total == pytest.approx(7 * 90.3)


def test_names_that_look_the_same_are_one() -> None:
    found = samples(prometheus.text(snapshot(tallied("a\x1b", "a\\x1b"))).decode())

    assert found["jobrun_jobs_total", "mail", "failed", "a\\x1b"] == 2


def test_a_queue_keeps_its_series_when_it_is_empty_whoever_reserved_it() -> None:
    tallies = Tallies(
        jobs=(JobTally(queue=reserved_queue("mail", 7), work="shell", state="cancelled", count=1),),
        attempts=(), ticks=(), steps_s=STEPS,
    )  # fmt: skip
    pause = Pause(queue="web", since=NOW, until=None, by="ann", reason=None)
    web = QueueMeasure(queue="web", ready=2, running=0, oldest_at=NOW - timedelta(minutes=1), pause=pause)

    found = samples(prometheus.text(snapshot(tallies, queues=(web,))).decode())

    assert [found["jobrun_queue_depth", queue] for queue in ("mail", "web")] == [0, 2]
    assert [found["jobrun_queue_oldest_wait_seconds", queue] for queue in ("mail", "web")] == [0, 60]
    assert [found["jobrun_queue_paused", queue] for queue in ("mail", "web")] == [0, 1]
    assert found["jobrun_jobs_total", "mail", "cancelled", "shell"] == 1


def test_a_job_file_tells_all_its_numbers(
    store: Store, end: Make, fail: Make, add: Make, jobrun: Run
) -> None:
    end("app:f", queue="mail")
    fail("app:f", queue="mail")
    add(queue="web")
    join(store, "w2", 2)
    with locks.taken(join(store, "w1")):
        done = jobrun("metrics")

    assert (done.returncode, done.stderr, faults(done.stdout)) == (0, "", [])
    found = samples(done.stdout)
    expected: Samples = {
        ("jobrun_jobs_total", "mail", "succeeded", "app:f"): 1,
        ("jobrun_jobs_total", "mail", "failed", "app:f"): 1,
        ("jobrun_attempts_total", "error", "app:f"): 1,
        ("jobrun_queue_depth", "web"): 1,
        ("jobrun_queue_depth", "mail"): 0,
        ("jobrun_jobs_failed",): 1,
        ("jobrun_workers", "alive"): 1,
        ("jobrun_workers", "dead"): 1,
        ("jobrun_schedulers",): 0,
        ("jobrun_job_file_size_bytes",): store.path.stat().st_size,
    }
    assert expected.items() <= found.items()
    assert found["jobrun_wal_size_bytes",] > 0


def test_an_entry_has_its_numbers(
    store: Store, table: Callable[..., Path], load: Callable[..., None], end: Make, jobrun: Run
) -> None:
    now = datetime.now(UTC)
    file = table(
        '[jobs.a]\nshell = "true"\nevery = "1h"\n[jobs.b]\nshell = "true"\nevery = "1h"\nenabled = false\n'
    )
    load(file, now=now)
    store.tables.hold(str(file), pid=4711, now=now)
    end("true", kind=Kind.SHELL, entry="a")
    store.entries.settled("a", is_success=True, now=now)
    store.entries.settled("b", is_success=False, now=now)
    store.ticks.record("a", NewTick(at=now, state=TickState.SKIPPED, reason="x"), now=now)
    with locks.taken(scheduler_lock(store.path, file)):
        found = samples(jobrun("metrics").stdout)

    assert [found["jobrun_entry_paused", name] for name in "ab"] == [0, 1]
    assert [found["jobrun_entry_failed_runs", name] for name in "ab"] == [0, 1]
    assert (found["jobrun_ticks_total", "a", "skipped"], found["jobrun_schedulers",]) == (1, 1)
    assert found["jobrun_attempts_total", "ok", "a"] == 1
    assert found["jobrun_entry_last_success_timestamp_seconds", "a"] == pytest.approx(
        now.timestamp(), abs=0.01
    )
    assert ("jobrun_entry_last_success_timestamp_seconds", "b") not in found


def test_counters_do_not_fall_when_jobs_are_purged_and_ticks_forgotten(
    store: Store, fail: Make, jobrun: Run
) -> None:
    now = datetime.now(UTC)
    fail("app:f")
    store.ticks.record(
        "a", NewTick(at=now, last=now + timedelta(hours=1), count=5, state=TickState.MISSED), now=now
    )
    before = samples(jobrun("metrics").stdout)

    assert jobrun("failed", "--purge", "--all", "--yes").returncode == 0
    assert store.ticks.forget_before(now + timedelta(seconds=1), limit=9) == 1
    after = samples(jobrun("metrics").stdout)

    grow = {key for key in before if key[0].endswith(("_total", "_bucket", "_count", "_sum"))}
    assert {key: after[key] for key in grow} == {key: before[key] for key in grow}
    assert (before["jobrun_ticks_missed_total",], before["jobrun_jobs_failed",]) == (5, 1)
    assert after["jobrun_jobs_failed",] == 0


def test_a_retried_job_counts_for_each_of_its_ends(
    fail: Make, start: Make, settled: Make, jobrun: Run
) -> None:
    job = fail("app:f")
    assert jobrun("retry", str(job.id)).returncode == 0
    settled(start(job=job), outcome=Outcome.OK)

    found = samples(jobrun("metrics").stdout)

    assert [found["jobrun_jobs_total", "default", state, "app:f"] for state in ("failed", "succeeded")] == [
        1,
        1,
    ]


@pytest.mark.usefixtures("store")
def test_a_file_is_there_in_one_step_and_for_everybody(jobrun: Run, tmp_path: Path) -> None:
    file = tmp_path / "collected" / "jobrun.prom"
    file.parent.mkdir()
    file.write_text("old\n")
    file.chmod(0o600)
    reader = file.open()

    done = jobrun("metrics", "--textfile", str(file))

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert reader.read() == "old\n"  # who is in the middle of the old one goes on with it
    reader.close()
    assert faults(file.read_text()) == []
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert os.listdir(file.parent) == [file.name]


def test_what_cannot_be_written_leaves_the_old_file(jobrun: Run, tmp_path: Path) -> None:
    file = tmp_path / "jobrun.prom"
    file.write_text("old\n")

    without_jobs = jobrun("metrics", "--textfile", str(file))
    nowhere = jobrun("--db", str(tmp_path / "jobs.db"), "metrics", "--textfile", str(tmp_path / "none" / "a"))

    assert (without_jobs.returncode, nowhere.returncode, file.read_text()) == (4, 4, "old\n")


@pytest.mark.usefixtures("store")
def test_a_file_that_becomes_too_large_leaves_the_old_one_and_nothing_else(
    environ: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "jobrun.prom"
    file.write_text("old\n")
    words = [sys.executable, "-m", "jobrun", "metrics", "--textfile", str(file)]

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))

    done = subprocess.run(
        words, env=environ, capture_output=True, text=True, check=False, timeout=60, preexec_fn=small
    )

    assert (done.returncode, done.stderr) == (1, f"jobrun: cannot write `{file}`: file too large\n")
    assert file.read_text() == "old\n"
    assert [each.name for each in tmp_path.iterdir() if "draft" in each.name] == []


@pytest.mark.parametrize("what", ["folder", "link", "fifo"])
def test_what_is_no_file_stays_in_its_place(what: str, tmp_path: Path) -> None:
    place = tmp_path / "place"
    make: dict[str, Callable[[], Any]] = {
        "folder": place.mkdir,
        "link": lambda: place.symlink_to("/dev/null"),
        "fifo": lambda: os.mkfifo(place),
    }
    make[what]()
    before = place.lstat()

    with pytest.raises(NotDone, match="is no regular file; nothing was written"):
        writing.put(place, b"x")

    assert place.lstat().st_ino == before.st_ino


def test_what_a_killed_writer_left_is_swept_and_a_living_one_is_not(tmp_path: Path) -> None:
    dead, alive, other = (tmp_path / f".a.prom.draft-{end}" for end in ("0" * 8, "1" * 8, "notours"))
    dead.touch()
    other.touch()

    with locks.taken(alive):
        writing.put(tmp_path / "a.prom", b"x\n")

    assert sorted(tmp_path.iterdir()) == sorted([alive, other, tmp_path / "a.prom"])


@pytest.mark.usefixtures("store")
def test_without_its_library_it_says_how_to_get_it(environ: dict[str, str]) -> None:
    script = (
        "import sys; sys.modules['prometheus_client'] = None;"
        "from jobrun.cli import door; sys.exit(door.run(['metrics']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "jobrun: the Python library prometheus_client is not installed\n"
        f"hint: `{sys.executable} -m pip install prometheus_client` adds it to this jobrun\n"
    )
