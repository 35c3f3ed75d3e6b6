from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from jobrun.actions import output
from jobrun.model import Job, Outcome, Output, State
from jobrun.paths import side_dir
from jobrun.store import Store
from tests.lockfiles import write_record

Make = Callable[..., Job]
Run = Callable[..., subprocess.CompletedProcess[str]]


def printed(data: bytes) -> dict[str, Output]:
    return {"output": Output(head=data, size=len(data))}


def live_file(store: Store, job: Job) -> Path:
    assert job.token is not None
    assert job.worker is not None
    side = side_dir(store.path)
    fd = os.open(side / "locks" / job.worker, os.O_RDWR | os.O_CREAT)
    write_record(fd, job.token)
    os.close(fd)
    return side / "logs" / job.worker


@contextmanager
def following(job: Job, environ: dict[str, str], *more: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "jobrun", "logs", str(job.id), "-f", *more]
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        yield child
        if child.poll() is None:
            child.send_signal(signal.SIGKILL)


def test_a_pipe_gets_all_that_is_kept(end: Make, jobrun: Run) -> None:
    lines = b"".join(b"line %d\n" % n for n in range(100))
    job = end(ending=printed(lines))

    assert jobrun("logs", str(job.id)).stdout == lines.decode()


def test_a_line_names_the_bytes_that_were_cut(end: Make, jobrun: Run) -> None:
    job = end(ending={"output": Output(head=b"head", tail=b"tail\n", size=1_000_009)})

    assert jobrun("logs", str(job.id)).stdout == "head\n[1000000 bytes cut here]\ntail\n"


def test_the_last_lines_only(end: Make, jobrun: Run) -> None:
    job = end(ending=printed(b"one\ntwo\nthree\n"))

    assert jobrun("logs", str(job.id), "-n", "2").stdout == "two\nthree\n"


def test_a_terminal_gets_twenty_lines_and_is_told_so(end: Make, terminal: Callable[..., str]) -> None:
    job = end(ending=printed(b"".join(b"line %d\n" % n for n in range(100))))

    shown = terminal("logs", str(job.id)).splitlines()

    assert shown[0] == "line 80"
    assert shown[-1] == "the last 20 of 100 lines; --full shows all that is kept"
    assert len(terminal("logs", str(job.id), "--full").splitlines()) == 100


def test_output_is_escaped_unless_raw_is_asked_for(end: Make, environ: dict[str, str], jobrun: Run) -> None:
    data = bytes(range(256)) + b"\x1b]0;title\x07\n"
    job = end(ending=printed(data))

    shown = jobrun("logs", str(job.id)).stdout
    raw = subprocess.run(
        [sys.executable, "-m", "jobrun", "logs", str(job.id), "--raw"],
        env=environ,
        capture_output=True,
        check=True,
    )

    assert all(char.isprintable() or char in "\n\t" for char in shown)
    assert raw.stdout == data
    assert raw.stderr == b""


def test_a_terminal_is_warned_of_raw_output(end: Make, terminal: Callable[..., str]) -> None:
    job = end(ending=printed(b"x\n"))

    assert terminal("logs", str(job.id), "--raw").startswith("warning: ")


def test_an_attempt_can_be_named(start: Make, settled: Make, jobrun: Run) -> None:
    waits = settled(start(retries=1), outcome=Outcome.ERROR, cause="x", **printed(b"first\n"))
    job = settled(start(job=waits), **printed(b"second\n"))

    assert jobrun("logs", str(job.id), "--attempt", "1").stdout == "first\n"
    assert jobrun("logs", str(job.id)).stdout == "second\n"


def test_an_attempt_that_was_not_made_is_named(end: Make, jobrun: Run) -> None:
    job = end()

    done = jobrun("logs", str(job.id), "--attempt", "9")

    assert done.returncode == 1
    assert done.stderr == f"jobrun: job {job.id} has no attempt 9\nhint: its attempts: 1\n"


def test_silence_is_said(end: Make, add: Make, jobrun: Run) -> None:
    assert "has printed nothing" in jobrun("logs", str(end().id)).stderr
    assert "has not run yet" in jobrun("logs", str(add().id)).stderr


def test_a_running_job_shows_what_it_has_printed_so_far(store: Store, start: Make, jobrun: Run) -> None:
    job = start()
    live_file(store, job).write_bytes(b"so far\n")

    assert jobrun("logs", str(job.id)).stdout == "so far\n"


def test_a_hole_in_the_file_is_named_and_not_read(store: Store, start: Make) -> None:
    job = start()
    with live_file(store, job).open("wb") as file:
        file.write(b"head\n")
        file.truncate(4096 * 1000)
        file.seek(0, os.SEEK_END)
        file.write(b"tail\n")

    data = output.output_of(store, job)

    assert data.startswith(b"head\n\0")
    assert data.endswith(b"bytes cut here]\ntail\n")
    assert len(data) < 10_000


def test_following_passes_on_growth_until_the_job_ends(
    store: Store, start: Make, settled: Make, environ: dict[str, str]
) -> None:
    job = start()
    file = live_file(store, job)
    file.write_bytes(b"one\n")

    with following(job, environ) as child:
        assert child.stdout is not None
        first = child.stdout.readline()
        with file.open("ab") as more:
            more.write(b"two\n")
        second = child.stdout.readline()
        with file.open("ab") as more:
            more.write(b"three")
        settled(job, **printed(b"one\ntwo\nthree"))
        file.unlink()
        rest, remarks = child.communicate(timeout=30)

    assert (first, second, rest) == ("one\n", "two\n", "three")
    assert remarks.splitlines()[-1] == f"[job {job.id} succeeded]"
    assert child.returncode == 0


@pytest.mark.parametrize("data", [b"", b"mine"])
def test_following_shows_nothing_of_the_next_job_of_that_worker(
    store: Store, start: Make, settled: Make, data: bytes
) -> None:
    job, shown = start(), bytearray()
    file = live_file(store, job)
    file.touch()
    looks = output.looks(store, job.id, shown.extend)
    next(looks)

    file.write_bytes(data)
    if data:
        file.unlink()
    live_file(store, replace(job, token="next"))
    with file.open("ab") as more:
        more.write(b"of the next")
    next(looks)
    settled(job, **printed(data))
    assert [each.state for each in looks] == [State.SUCCEEDED]

    assert shown == data


def test_following_goes_on_over_a_retry(
    store: Store, start: Make, settled: Make, environ: dict[str, str]
) -> None:
    job = start(retries=1)
    live_file(store, job).write_bytes(b"first\n")

    with following(job, environ) as child:
        assert child.stdout is not None
        first = child.stdout.readline()
        waits = settled(job, outcome=Outcome.ERROR, cause="exit 3", **printed(b"first\n"))
        assert waits.state is State.READY
        settled(start(job=waits), **printed(b"second\n"))
        rest, _ = child.communicate(timeout=30)

    assert (first, rest) == ("first\n", "second\n")


def test_following_a_job_that_has_ended_shows_it_and_leaves(end: Make, jobrun: Run) -> None:
    job = end(ending=printed(b"all\n"))

    assert jobrun("logs", str(job.id), "-f").stdout == "all\n"


@pytest.mark.parametrize("options", [["-f", "--attempt", "1"], ["--full", "-n", "3"], ["-n", "0"]])
def test_options_that_exclude_each_other(options: list[str], end: Make, jobrun: Run) -> None:
    assert jobrun("logs", str(end().id), *options).returncode == 2


def test_a_program_gets_what_was_printed_as_json(end: Callable[..., Job], jobrun: Run) -> None:
    job = end(ending=printed("café\n".encode() + b"\xff\n"))

    said = json.loads(jobrun("logs", str(job.id), "--json").stdout)

    assert said == {"id": job.id, "state": "succeeded", "attempt": 1, "output": "café\n\\xff\n"}
    assert json.loads(jobrun("logs", str(job.id), "--json", "-n", "1").stdout)["output"] == "\\xff\n"


@pytest.mark.parametrize("other", ["-f", "--raw"])
def test_json_is_of_what_is_there_and_text(other: str, end: Callable[..., Job], jobrun: Run) -> None:
    done = jobrun("logs", str(end().id), "--json", other)

    assert done.returncode == 2
    assert f"--json and {other} exclude each other" in done.stderr
