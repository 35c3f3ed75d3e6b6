from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jobrun.actions import looking
from jobrun.cron.words import NewTick, TickState
from jobrun.lifecycle import settle
from jobrun.model import (
    Attempt,
    Ending,
    ErrorInfo,
    Job,
    Kind,
    Leftovers,
    NewJob,
    Outcome,
    Output,
    State,
    Surroundings,
    Terms,
)
from jobrun.store import Store, open_store

Make = Callable[..., Job]
Run = Callable[..., subprocess.CompletedProcess[str]]
RunJson = Callable[..., Any]

VALUE_ERROR = ErrorInfo(
    type="ValueError", message="no rows", traceback="Traceback:\n  in work\nValueError: no rows"
)
SURROUNDINGS = Surroundings(cwd="/srv", umask=0o027, environment={"API_KEY": "CANARY", "LANG": "C"})


def test_what_is_not_limited_is_said(add: Make, jobrun: Run) -> None:
    shown = jobrun("inspect", str(add().id)).stdout

    assert "time limit  none" in shown
    assert "retries     0; 0 failures counted" in shown


def test_every_attempt_is_shown_with_its_cause(start: Make, settled: Make, jobrun: Run) -> None:
    job = start(retries=1)
    used = {"cpu_s": 0.25, "peak_rss": 30 << 20}
    waits = settled(job, outcome=Outcome.ERROR, cause="ValueError: no rows", error=VALUE_ERROR, **used)
    settled(start(job=waits), outcome=Outcome.CRASHED, signal=11, cause="killed by SIGSEGV")

    shown = jobrun("inspect", str(job.id)).stdout

    assert "attempt 1: error: ValueError: no rows" in shown
    assert "0.25 s of CPU, peak memory 30.0 MiB" in shown
    assert "  Traceback:\n    in work\n  ValueError: no rows\n" in shown
    assert "attempt 2: crashed: killed by SIGSEGV" in shown
    assert "signal 11 (SIGSEGV)" in shown
    assert "state       crashed" in shown


def test_the_live_attempt_is_shown_too(start: Make, jobrun: Run) -> None:
    job = start()

    shown = jobrun("inspect", str(job.id)).stdout

    assert "attempt 1: running" in shown
    assert "by worker w1" in shown


def test_what_was_printed_and_cut_is_counted(end: Make, jobrun: Run) -> None:
    job = end(ending={"output": Output(head=b"head", tail=b"tail", size=2048)})

    assert "printed 2.0 KiB, 2.0 KiB of it cut" in jobrun("inspect", str(job.id)).stdout


def test_a_result_is_shown_in_the_letters_that_it_was_written_in(end: Make, jobrun: Run) -> None:
    job = end(ending={"result": '{"who":"\\u6f22\\u5b57"}'})

    assert 'result      {"who": "\u6f22\u5b57"}\n' in jobrun("inspect", str(job.id)).stdout


def test_only_the_job_has_a_result(end: Make, jobrun_json: RunJson) -> None:
    found = jobrun_json("inspect", str(end(ending={"result": "7"}).id))

    assert found["result"] == 7
    assert "result" not in found["attempts"][0]  # none is kept with attempts, and null would deny it


def test_names_of_the_environment_are_not_broken_at_the_edge_of_a_terminal(
    add: Make, terminal: Callable[..., str]
) -> None:
    names = [f"LONG_NAME_{number}" for number in range(20)]
    environment = dict.fromkeys(names, "x")
    job = add(
        "true", kind=Kind.SHELL, surroundings=Surroundings(cwd="/", umask=0o22, environment=environment)
    )

    shown = terminal("inspect", str(job.id), columns=50)

    listed = [line for line in shown.splitlines() if line.startswith("  LONG_")]
    assert sorted(" ".join(listed).split()) == sorted(names)
    assert max(map(len, listed)) <= 50


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_values_of_the_environment_are_shown_only_when_asked_for(
    as_json: list[str], add: Make, jobrun: Run
) -> None:
    job = add("make", kind=Kind.SHELL, surroundings=SURROUNDINGS)

    hidden = jobrun("inspect", str(job.id), *as_json).stdout
    shown = jobrun("inspect", str(job.id), "--show-env", *as_json).stdout

    assert "API_KEY" in hidden
    assert "CANARY" not in hidden
    assert "CANARY" in shown


def test_a_traceback_cannot_move_the_cursor(end: Make, jobrun: Run) -> None:
    error = ErrorInfo(type="E\x1b[2J", message="m\x9b", traceback="line\x1b]0;x\x07\n\u202eend")
    job = end("app:\x1b", ending={"outcome": Outcome.ERROR, "cause": "E\x1b", "error": error, "note": "\x07"})

    shown = jobrun("inspect", str(job.id)).stdout + jobrun("list").stdout

    assert all(char.isprintable() for char in shown.replace("\n", ""))


def test_json_holds_the_job_and_its_attempts(end: Make, jobrun_json: RunJson) -> None:
    job = end(ending={"result": '{"a": 1}', "cpu_s": 0.5})

    found = jobrun_json("inspect", str(job.id))

    assert (found["id"], found["state"], found["result"]) == (job.id, "succeeded", {"a": 1})
    [attempt] = found["attempts"]
    assert (attempt["number"], attempt["outcome"], attempt["cpu_s"], attempt["pid"]) == (1, "ok", 0.5, 4711)
    assert found["environment"] is None


def test_a_run_that_the_clocks_moved_says_from_when(store: Store, jobrun: Run) -> None:
    at = datetime(2027, 3, 28, 1, tzinfo=UTC)
    job = NewJob(kind=Kind.SHELL, task="true", entry="backup", scheduled_for=at)
    moved_from = datetime(2027, 3, 28, 2, 30)  # noqa: DTZ001 -- the clock on the wall
    store.ticks.record("backup", NewTick(at=at, state=TickState.RAN, job=job, moved_from=moved_from), now=at)

    shown = jobrun("inspect", "1").stdout

    assert "\nentry       backup\n" in shown
    assert "), moved from 02:30 by the clocks\n" in shown


def test_a_program_learns_from_when_the_clocks_moved_a_run(store: Store, jobrun_json: RunJson) -> None:
    at = datetime(2027, 3, 28, 1, tzinfo=UTC)
    job = NewJob(kind=Kind.SHELL, task="true", entry="backup", scheduled_for=at)
    moved_from = datetime(2027, 3, 28, 2, 30)  # noqa: DTZ001 -- the clock on the wall
    store.ticks.record("backup", NewTick(at=at, state=TickState.RAN, job=job, moved_from=moved_from), now=at)

    assert jobrun_json("inspect", "1")["moved_from"] == "2027-03-28T02:30:00"


def test_the_rarer_terms_are_shown_but_no_secret_of_a_monitor(
    add: Make, jobrun: Run, jobrun_json: RunJson
) -> None:
    terms = Terms(
        stdin="line",
        ok_exit=(0, 24),
        skip_exit=(75,),
        discards_output=True,
        leftovers=Leftovers.KEEP,
        ping="https://me:CANARY@monitor.example/CANARY",
    )
    job = add(kind=Kind.SHELL, task="true", deadline_s=60, terms=terms)

    page, found = jobrun("inspect", str(job.id)).stdout, jobrun_json("inspect", str(job.id))

    for row in ("exit codes  0 24 succeeded; 75 nothing to do", "stdin       4 B", "output      discarded"):
        assert f"\n{row}\n" in page
    assert "\nleftovers   kept\nmonitor     monitor.example\n" in page
    assert "\ndeadline    " in page
    assert found["terms"]["ok_exit"] == [0, 24]
    assert found["deadline_at"] == found["expires_at"]
    assert "CANARY" not in f"{page}{found}"


def test_an_isolated_call_is_shown_as_one(add: Make, jobrun: Run, jobrun_json: RunJson) -> None:
    job = add(terms=Terms(isolate=True))

    assert "\nisolated    in a fork of its own\n" in jobrun("inspect", str(job.id)).stdout
    assert jobrun_json("inspect", str(job.id))["terms"]["isolate"] is True


def test_what_is_called_a_secret_is_hidden_from_people_unless_they_ask(
    end: Make, jobrun: Run, jobrun_json: RunJson
) -> None:
    secret = {"user": "ann", "api_key": "CANARY-1", "deep": [{"Set-Cookie": "CANARY-2"}], "token": None}
    job = end(
        args=({"password": "CANARY-3"},), kwargs=secret, ending={"result": '{"access_token":"CANARY-4"}'}
    )

    shown = jobrun("inspect", str(job.id)).stdout
    asked = jobrun("inspect", str(job.id), "--show-secrets").stdout
    exact = jobrun_json("inspect", str(job.id))

    assert "CANARY" not in shown
    assert 'arguments   [{"password": "[hidden]"}]' in shown
    assert (
        '"user": "ann", "api_key": "[hidden]", "deep": [{"Set-Cookie": "[hidden]"}], "token": null' in shown
    )
    assert 'result      {"access_token": "[hidden]"}' in shown
    assert "(--show-secrets shows what is hidden)" in shown
    assert all(f"CANARY-{number}" in asked for number in range(1, 5))
    assert "hidden" not in asked
    assert exact["kwargs"] == secret


def test_a_page_without_secrets_speaks_of_none(end: Make, jobrun: Run) -> None:
    assert "secret" not in jobrun("inspect", str(end(kwargs={"key": "row 7"}).id)).stdout


def test_a_job_is_shown_as_it_is_at_one_instant(
    store: Store, path: Path, start: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start()
    attempts = store.ledger.attempts

    def end_it_first(job_id: int) -> list[Attempt]:
        now = datetime.now(UTC)
        ending = Ending(outcome=Outcome.OK)
        with open_store(path) as other:
            assert other.endings.settle(job, ending, settle(job, ending, now, 0.5), now=now, pid=None)
        return attempts(job_id)

    monkeypatch.setattr(store.ledger, "attempts", end_it_first)

    found = looking.inspect(store, job.id)

    assert (found.job.state, found.attempts) == (State.RUNNING, ())
    assert len(attempts(job.id)) == 1
