"""`jobrun exec`: what a line of a crontab is wrapped in, with and without workers beside it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobrun.cli import caretaking
from jobrun.errors import NoRoom
from jobrun.model import Job, JobFilter, Kind, NewJob, Outcome, State, Surroundings
from jobrun.queues import reserved_queue
from jobrun.solo import runner
from tests.process.site import DEADLINE_S, Site, eventually, is_alive, kill

pytestmark = pytest.mark.process

Finished = subprocess.CompletedProcess[str]
_SCHEDULED = JobFilter(states=frozenset({State.SCHEDULED}))
NOTE = 'echo "S $JOBRUN_ID $JOBRUN_ATTEMPT" >> "$LEDGER"'


class Runs:
    """Runs of `jobrun exec` on one job file."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.started: list[subprocess.Popen[str]] = []

    def __call__(self, *words: str, **environ: str) -> Finished:
        process = self.start(*words, **environ)
        out, err = process.communicate(timeout=DEADLINE_S)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def start(self, *words: str, **environ: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "jobrun", "exec", *words],
            env={**self.site.environment(), "JOBRUN_DB": str(self.site.path), **environ},
            cwd=self.site.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def last(self) -> Job:
        """Return the newest job."""
        [job] = self.site.store.ledger.select(JobFilter(), limit=1)
        return job

    def waiting(self) -> list[Job]:
        """Return the jobs that are due later."""
        return list(self.site.store.ledger.select(_SCHEDULED, limit=9))


@pytest.fixture
def run(site: Site) -> Iterator[Runs]:
    runs = Runs(site)
    yield runs
    for process in runs.started:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.communicate()


def test_what_goes_well_is_silent_and_on_record(run: Runs) -> None:
    done = run("--name", "nightly", "--tag", "a", "--", "sh", "-c", "echo out; echo err >&2")

    job = run.last()
    ending = run.site.last(job.id).ending
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (job.state, job.name, job.tags, job.queue) == (State.SUCCEEDED, "nightly", ("a",), "default")
    assert ending.output.head == b"out\nerr\n"
    assert ending.cpu_s is not None
    assert run.site.store.workers.all() == []


def test_what_fails_shows_its_output_and_one_line_and_exits_with_its_code(run: Runs) -> None:
    done = run("--shell", "echo out; echo err >&2; exit 3")

    assert (done.returncode, done.stdout) == (3, "out\nerr\n")
    assert done.stderr == f"jobrun: job {run.last().id} failed: exit 3\n"
    assert run.last().state is State.FAILED


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--", "sh", "-c", "kill -9 $$"), 137, "killed by SIGKILL"),
        (("--timeout", "0.1s", "--", "sleep", "60"), 124, "stopped at its time limit, killed by SIGTERM"),
        (("--deadline", "0.1s", "--retries", "3", "--", "sleep", "60"), 124, "stopped at its deadline"),
        (("--", "no-such-command"), 127, "command not found: `no-such-command`"),
        (("--", "/"), 126, "cannot run `/`"),
        (("--ok-exit", "3", "--", "true"), 1, "exit 0"),
    ],
)
def test_the_exit_code_says_how_it_failed(run: Runs, words: tuple[str, ...], code: int, told: str) -> None:
    done = run(*words)

    assert (done.returncode, done.stdout) == (code, "")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_other_codes_may_mean_success(run: Runs) -> None:
    assert run("--ok-exit", "0,24", "--shell", "exit 24").returncode == 0
    assert run.last().state is State.SUCCEEDED


def test_it_is_tried_again_in_the_foreground_beside_workers_that_leave_it_alone(run: Runs) -> None:
    run.site.start(n=2)

    done = run(
        *("--retries", "2", "--backoff", "0.2s", "--shell"),
        f"{NOTE}; echo try $JOBRUN_ATTEMPT; test $JOBRUN_ATTEMPT = 3",
    )

    job = run.last()
    workers = {attempt.worker for attempt in run.site.store.ledger.attempts(job.id)}
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (job.state, job.attempt, job.queue) == (State.SUCCEEDED, 3, "default")
    assert len(workers) == 1
    assert set(run.site.effects().values()) == {1}


def test_the_last_attempt_is_shown_when_all_have_failed(run: Runs) -> None:
    done = run("--retries", "1", "--backoff", "0s", "--shell", "echo try $JOBRUN_ATTEMPT; exit 5")

    assert (done.returncode, done.stdout) == (5, "try 2\n")
    assert done.stderr == f"jobrun: job {run.last().id} failed: exit 5 (attempt 2 of 2)\n"


def test_it_runs_where_its_caller_is_with_what_its_caller_has(run: Runs, tmp_path: Path) -> None:
    shown = tmp_path / "shown"

    run("--shell", f'{{ pwd; umask; echo "$GREETING $JOBRUN_ID"; wc -c; }} > {shown}', GREETING="hello")

    mask = os.umask(0o022)
    os.umask(mask)
    assert shown.read_text() == f"{run.site.folder}\n{mask:04o}\nhello {run.last().id}\n0\n"


def test_output_is_shown_as_it_comes_if_asked(run: Runs, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    process = run.start("-v", "--shell", f"echo first; cat {gate}; echo last; exit 1")
    assert process.stdout is not None
    assert process.stderr is not None

    first = process.stdout.readline()
    gate.write_text("middle\n")

    assert (first, process.stdout.read()) == ("first\n", "middle\nlast\n")
    assert process.stderr.read() == f"jobrun: job {run.last().id} failed: exit 1\n"
    assert process.wait(DEADLINE_S) == 1


def test_a_reader_that_leaves_does_not_end_the_command(run: Runs, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    process = run.start("-v", "--shell", f"echo first; cat {gate}; echo more; {NOTE}")
    assert process.stdout is not None

    process.stdout.readline()
    process.stdout.close()
    gate.write_text("")
    process.wait(DEADLINE_S)

    assert run.site.effects()[f"S {run.last().id} 1"] == 1
    assert run.last().state is State.SUCCEEDED


def test_of_much_output_head_and_tail_are_shown(run: Runs) -> None:
    done = run("--shell", "yes 123456789 | head -c 1000000; exit 1")

    assert "\n[737856 bytes cut here]\n" in done.stdout
    assert len(done.stdout) < 300_000


def test_a_taken_key_is_busy_and_the_run_is_on_record_as_skipped(run: Runs) -> None:
    first = run.start("--key", "k", "--shell", f"{NOTE}; exec sleep 60")
    [holder] = eventually(run.site.store.endings.running)

    busy, skipped = run("--key", "k", "--", "true"), run("--key", "k", "--if-busy", "skip", "--", "true")

    jobs = run.site.store.ledger.select(JobFilter(states=frozenset({State.SKIPPED})), limit=9)
    why = f"job {holder.id} has the key `k`"
    assert (busy.returncode, busy.stderr) == (75, f"jobrun: {why}; job {jobs[1].id} was skipped\n")
    assert (skipped.returncode, skipped.stdout, skipped.stderr) == (0, "", "")
    assert {(job.reason, job.key) for job in jobs} == {(why, "k")}
    first.terminate()
    assert first.wait(DEADLINE_S) == 143
    assert run("--key", "k", "--", "true").returncode == 0


def test_a_queued_job_has_its_key_too(run: Runs) -> None:
    queued = run.site.shell("true", key="k")

    assert run("--key", "k", "--", "true").returncode == 75
    assert run.site.job(queued).state is State.READY


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_cancels_the_whole_tree(run: Runs, signum: signal.Signals, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    process = run.start("--shell", f"setsid sleep 600 & echo $! > {pids}; {NOTE}; wait")
    eventually(run.site.effects)

    process.send_signal(signum)
    _, told = process.communicate(timeout=DEADLINE_S)

    job = run.last()
    assert process.returncode == 128 + signum
    assert told == f"jobrun: job {job.id} was cancelled\n"
    assert job.state is State.CANCELLED
    assert not is_alive(int(pids.read_text()))


def test_a_signal_that_its_caller_ignores_is_ignored(run: Runs, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = run.start("--shell", f"{NOTE}; kill -HUP $$; cat {gate}")
    finally:
        signal.signal(signal.SIGHUP, before)
    eventually(run.site.effects)

    process.send_signal(signal.SIGHUP)
    gate.write_text("")

    assert process.wait(DEADLINE_S) == 0


def test_jobrun_cancel_ends_it(run: Runs) -> None:
    process = run.start("--shell", f"{NOTE}; exec sleep 600")
    eventually(run.site.effects)

    run.site.store.orders.cancel(run.last().id, now=datetime.now(UTC))

    assert process.wait(DEADLINE_S) == 143
    assert run.last().state is State.CANCELLED


def test_it_can_be_cancelled_while_it_waits_for_its_next_attempt(run: Runs) -> None:
    process = run.start("--retries", "1", "--backoff", "10m", "--key", "k", "--shell", f"{NOTE}; exit 3")
    [job] = eventually(run.waiting)

    queue = reserved_queue("default", process.pid)
    assert job.queue == queue
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 143
    assert (run.last().state, run.site.effects().total()) == (State.CANCELLED, 1)


def test_what_a_helper_beside_it_does_is_left_alone(run: Runs, tmp_path: Path) -> None:
    """`helper & exec jobrun exec` has a child that no job started."""
    pid = tmp_path / "pid"
    script = f'sleep 600 & echo $! > {pid}; exec "$@"'
    done = subprocess.run(
        ["sh", "-c", script, "sh", sys.executable, "-m", "jobrun", "exec", "--", "true"],
        env={**run.site.environment(), "JOBRUN_DB": str(run.site.path)},
        stdout=subprocess.DEVNULL,
        check=False,
        timeout=DEADLINE_S,
    )
    helper = int(pid.read_text())
    try:
        assert (done.returncode, is_alive(helper)) == (0, True)
    finally:
        kill(helper)
        eventually(lambda: not is_alive(helper))


@pytest.fixture
def killed(run: Runs) -> Callable[..., Job]:
    """Begin a run with a key, and kill it with -9 while its command runs; return its job."""

    def killed(*words: str) -> Job:
        process = run.start("--key", "k", *words, "--shell", f"{NOTE}; exec sleep 600")
        eventually(run.site.effects)
        job = run.last()
        kill(process.pid)
        process.wait(DEADLINE_S)
        return job

    return killed


def test_one_that_was_killed_is_recovered_by_the_next_with_its_key(
    run: Runs, killed: Callable[..., Job]
) -> None:
    before = killed("--retries", "5")
    command = run.site.alive()

    done = run("--key", "k", "--shell", NOTE)

    assert [is_alive(pid) for pid in command] == [False]
    assert (done.returncode, done.stderr) == (0, "")
    after = run.site.job(before.id)
    assert (after.state, after.attempt) == (State.CRASHED, 1)
    assert run.site.effects() == {f"S {before.id} 1": 1, f"S {run.last().id} 1": 1}


def test_one_that_was_killed_is_recovered_by_workers(run: Runs, killed: Callable[..., Job]) -> None:
    job = killed()

    run.site.start(n=1)

    assert run.site.wait(job.id).state is State.CRASHED


def test_one_that_was_killed_is_recovered_by_any_other(run: Runs, killed: Callable[..., Job]) -> None:
    job = killed()
    for pid in run.site.alive():
        kill(pid)

    assert run("--", "true").returncode == 0
    assert run.site.job(job.id).state is State.CRASHED


def test_one_that_was_killed_between_two_attempts_gives_its_key_back(run: Runs) -> None:
    process = run.start("--key", "k", "--retries", "1", "--backoff", "10m", "--shell", f"{NOTE}; exit 3")
    [job] = eventually(run.waiting)
    kill(process.pid)
    process.wait(DEADLINE_S)

    assert run("--key", "k", "--", "true").returncode == 0
    assert run.site.job(job.id).state is State.EXPIRED
    assert run.site.effects().total() == 1


def test_a_person_can_have_it_tried_again_by_workers(run: Runs) -> None:
    assert run("--retries", "1", "--backoff", "0s", "--shell", "test $JOBRUN_ATTEMPT = 3").returncode == 1

    run.site.store.orders.retry([run.last().id], now=datetime.now(UTC))
    run.site.burst(n=1)

    assert run.last().state is State.SUCCEEDED


def test_it_makes_the_job_file_and_says_nothing_of_it_to_crond(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    done = subprocess.run(
        [sys.executable, "-m", "jobrun", "--db", "jobs.db", "exec", "--", "true"],
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=DEADLINE_S,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (home / "jobs.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("ls", "/"), "exec takes its command after `--`"),
        ((), "exec takes its command after `--`"),
        (("--shell", "ls", "--", "-l"), "--shell takes one line: `-l` is too much"),
        (("--timeout", "5", "--", "ls"), "--timeout: bad duration `5`"),
        (("--ok-exit", "256", "--", "ls"), "--ok-exit: `256` is no list of exit codes"),
        (("--if-busy", "skip", "--", "ls"), "--if-busy is about a --key, and there is none"),
        (("--if-busy", "no", "--key", "a", "--", "ls"), "--if-busy: `no` is not one of fail, skip"),
    ],
)
def test_errors_of_ours_have_a_code_that_is_not_the_commands(
    run: Runs, words: tuple[str, ...], told: str
) -> None:
    done = run(*words)

    assert done.returncode == 125
    assert done.stderr.startswith(f"jobrun: {told}: the command was NOT run\n")


def test_a_job_file_that_cannot_be_used_runs_nothing(run: Runs, tmp_path: Path) -> None:
    (tmp_path / "other").write_text("no job file")

    done = run("--shell", NOTE, JOBRUN_DB=str(tmp_path / "other"))

    assert done.returncode == 125
    assert done.stderr.splitlines()[0].endswith(": the command was NOT run")
    assert not run.site.effects()


def test_an_end_that_cannot_be_written_is_kept_for_the_next(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills up while the command runs: its exit code is told all the same, and settled later."""

    def full() -> None:
        raise NoRoom("the disk is full")

    around = Surroundings(cwd=str(site.folder), umask=0o022, environment={})
    job = NewJob(kind=Kind.SHELL, task="echo hi; exit 3", surroundings=around)
    monkeypatch.setattr(site.store, "check_is_in_place", full)
    handlers = [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    try:
        ran = runner.run(site.store, job)
    finally:
        signal.set_wakeup_fd(-1)
        for signum, handler in zip((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), handlers, strict=True):
            signal.signal(signum, handler)
    monkeypatch.undo()

    assert isinstance(ran, runner.Ran)
    assert isinstance(ran.fault, NoRoom)
    assert site.job(ran.job.id).state is State.RUNNING
    caretaking.look_after(site.store)
    assert site.job(ran.job.id).state is State.FAILED
    assert site.last(ran.job.id).ending.output.head == b"hi\n"


def test_old_jobs_are_forgotten_where_only_exec_runs(run: Runs) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=8)
    skipped = run.site.store.intake.skip(NewJob(kind=Kind.SHELL, task="true"), "of old", now=long_ago)
    stamp = run.site.side / "housekeeper"
    stamp.touch()

    run("--", "true")
    assert run.site.store.ledger.get(skipped) is not None
    os.utime(stamp, (time.time() - 7200,) * 2)
    run("--", "true")

    assert run.site.store.ledger.get(skipped) is None


def test_a_fault_of_ours_afterwards_does_not_cost_the_code_of_the_command(site: Site) -> None:
    code = """
import sys
from jobrun.cli import door, executing
def fail(store): raise RuntimeError("oh")
executing.look_after = fail
sys.exit(door.run(["exec", "--shell", "exit 7"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**site.environment(), "JOBRUN_DB": str(site.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )

    assert done.returncode == 7
    assert done.stderr.endswith("is over, but the job file was not looked after: RuntimeError: oh\n")


def test_output_that_nobody_takes_is_told_and_the_job_is_settled_all_the_same(run: Runs) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "jobrun", "exec", "--shell", "echo out; exit 3"],
            env={**run.site.environment(), "JOBRUN_DB": str(run.site.path)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=DEADLINE_S,
        )

    assert run.last().state is State.FAILED
    assert f"jobrun: job {run.last().id} failed: exit 3\n" in done.stderr
    assert "NOT run" not in done.stderr
    assert done.returncode in {1, 3}


def test_its_outcome_is_that_of_the_command(run: Runs) -> None:
    run("--timeout", "0.1s", "--", "sleep", "60")

    assert run.site.last(run.last().id).ending.outcome is Outcome.TIMEOUT


def test_its_help_page_fits_a_terminal_and_has_examples(run: Runs) -> None:
    shown = run("--help", COLUMNS="80").stdout

    assert shown.startswith("Usage: jobrun exec [OPTIONS] -- COMMAND")
    assert "  jobrun exec --key" in shown.split("Examples:")[1]
    assert max(map(len, shown.splitlines())) <= 80
