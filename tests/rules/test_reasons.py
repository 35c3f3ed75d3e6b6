"""Each reason alone: the facts it needs, what it says, and that it says what to do next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import SIGKILL, SIGSEGV, SIGTERM
from typing import Any

import pytest

from jobrun.actions.looking import WorkerView
from jobrun.actions.reasons import causes, ended, entries, running, ticks, waiting
from jobrun.actions.reasons.words import EntryFacts, GapFacts, JobFacts, Reason, TickFacts
from jobrun.actions.tables import TableView
from jobrun.actions.why import reasons
from jobrun.cron.words import EntryRow, Neighbours, Occurrence, Special, TableRow, Tick, TickState
from jobrun.lifecycle import settle
from jobrun.measures import Pause
from jobrun.model import (
    Attempt,
    Ending,
    ErrorInfo,
    Job,
    Kind,
    OnCrash,
    Outcome,
    State,
    WorkerRow,
)
from jobrun.store.standing import COUNTED, Ahead
from tests.rules.entries import entry

NOW = datetime(2027, 1, 5, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def job(state: State = State.READY, **more: Any) -> Job:
    common: dict[str, Any] = {
        "id": 12,
        "kind": Kind.CALL,
        "task": "app:f",
        "args": (),
        "kwargs": {},
        "queue": "mail",
        "priority": 0,
        "state": state,
        "reason": None,
        "key": None,
        "tags": (),
        "name": None,
        "entry": None,
        "scheduled_for": None,
        "run_at": NOW - HOUR,
        "created_at": NOW - HOUR,
        "started_at": None,
        "finished_at": None,
        "expires_at": None,
        "cancel_at": None,
        "attempt": 0,
        "failures": 0,
        "crashes": 0,
        "retries": 0,
        "backoff_s": 10.0,
        "max_backoff_s": 600.0,
        "timeout_s": None,
        "on_crash": OnCrash.RETRY,
        "token": None,
        "worker": None,
        "exit_code": None,
        "signal": None,
        "result": None,
        "note": None,
        "error": None,
        "cwd": None,
        "umask": None,
        "environment": None,
    }
    return Job(**{**common, **more})


def worker(
    *queues: str, is_alive: bool = True, stopping: bool = False, runs: Job | None = None
) -> WorkerView:
    row = WorkerRow(
        name="w1",
        number=1,
        pid=101,
        group_pid=99,
        queues=queues,
        started_at=NOW - HOUR,
        stopping_at=NOW - MINUTE if stopping else None,
    )
    return WorkerView(row=row, is_alive=is_alive, beat_at=NOW - MINUTE, job=runs)


def facts(it: Job | None = None, *workers: WorkerView, **more: Any) -> JobFacts:
    return JobFacts(job=it or job(), now=NOW, zone=UTC, workers=workers, **more)


def failed(kind: Kind = Kind.CALL, *, ending: dict[str, Any] | None = None, **more: Any) -> JobFacts:
    """Return the facts about a job whose only attempt ended badly, settled as a dispatcher does it."""
    how = Ending(**{"outcome": Outcome.ERROR, **(ending or {})})
    given = {name: more.pop(name) for name in ("path", "memory", "key_holder") if name in more}
    runs = job(State.RUNNING, kind=kind, attempt=1, token="t", worker="w1", started_at=NOW - HOUR, **more)
    becomes = settle(runs, how, NOW, 0.5)
    it = replace(
        runs,
        state=becomes.state,
        failures=becomes.failures,
        crashes=becomes.crashes,
        reason=becomes.reason,
        exit_code=how.exit_code,
        signal=how.signal,
        error=how.error,
        finished_at=NOW,
        token=None,
        worker=None,
    )
    attempt = Attempt(
        job_id=12,
        number=1,
        token="t",
        worker="w1",
        pid=1,
        started_at=NOW - HOUR,
        finished_at=NOW,
        ending=how,
    )
    return facts(it, attempt=attempt, **given)


def pause(until: datetime | None) -> Pause:
    return Pause(queue="mail", since=NOW - HOUR, until=until, by="ann", reason="relay down")


LATER = job(State.SCHEDULED, run_at=NOW + HOUR)
OTHER = job(State.RUNNING, id=3, started_at=NOW - 2 * HOUR)
POISON = {"outcome": Outcome.CRASHED, "signal": 11, "cause": "worker killed by SIGSEGV"}

WAITING: list[tuple[Any, JobFacts, str, str]] = [
    (waiting.not_due, facts(LATER), "not-due", "not due before 2027-01-05 13:00 UTC, in 1h."),
    (
        waiting.retry_wait,
        facts(replace(LATER, attempt=1, reason="retry 1 of 3: exit 3")),
        "retry-wait",
        "It is tried again in 1h, at 2027-01-05 13:00 UTC: retry 1 of 3: exit 3.",
    ),
    (waiting.too_late, facts(job(expires_at=NOW)), "too-late", "before 2027-01-05 12:00 UTC"),
    (waiting.reserved, facts(job(queue=".47.mail")), "reserved", "Only process 47 may run it"),
    (
        waiting.paused,
        facts(pause=pause(NOW + HOUR)),
        "paused",
        "Queue `mail` was paused by ann 1h ago, until 2027-01-05 13:00 UTC (in 1h): relay down.",
    ),
    (waiting.paused, facts(LATER, pause=pause(None)), "paused", "until somebody resumes it"),
    (waiting.no_worker, facts(), "no-worker", "No worker is running."),
    (waiting.no_worker, facts(None, worker(is_alive=False)), "no-worker", "No worker is running."),
    (
        waiting.unserved_queue,
        facts(None, worker("a", "b"), worker("c")),
        "unserved-queue",
        "No worker takes queue `mail`; the 2 that live take `a`, `b`, `c`.",
    ),
    (waiting.unserved_queue, facts(None, worker("a")), "unserved-queue", "the one that lives takes `a`."),
    (
        waiting.dead_workers,
        facts(None, worker("mail", is_alive=False), worker("a")),
        "dead-workers",
        "1 worker that took its queue died without a farewell, the last sign of life was 1m ago.",
    ),
    (
        waiting.stopping,
        facts(None, worker(stopping=True), worker(stopping=True)),
        "stopping",
        "All 2 workers that take its queue are shutting down",
    ),
    (waiting.stopping, facts(None, worker(stopping=True)), "stopping", "The worker that takes its queue is"),
    (
        waiting.behind,
        facts(None, worker(), ahead=Ahead(2, 5)),
        "behind",
        "7 ready jobs go before it: 2 of a higher priority and 5 older.",
    ),
    (
        waiting.behind,
        facts(None, worker(), ahead=Ahead(0, 1)),
        "behind",
        "1 ready job goes before it: 1 older.",
    ),
    (
        waiting.behind,
        facts(None, worker(), ahead=Ahead(0, COUNTED + 1)),
        "behind",
        f"More than {COUNTED} ready jobs go before it.",
    ),
    (
        waiting.busy,
        facts(None, worker(runs=OTHER), worker(runs=job(State.RUNNING, id=4, started_at=NOW - HOUR))),
        "busy",
        "All 2 workers that take its queue are busy, the longest with job 3 (app:f) for 2h.",
    ),
    (waiting.busy, facts(None, worker(runs=OTHER)), "busy", "is busy, with job 3 (app:f) for 2h."),
    (waiting.next_up, facts(job(run_at=NOW), worker()), "next-up", "about to take it"),
    (waiting.next_up, facts(None, worker()), "untaken", "has not taken it for 1h."),
]

RUNS = job(State.RUNNING, worker="w1", started_at=NOW - HOUR, attempt=1)
RUNNING: list[tuple[Any, JobFacts, str, str]] = [
    (running.worker_died, facts(RUNS), "dead-workers", "Worker w1, which ran it, has died, and nobody"),
    (running.worker_died, facts(RUNS, worker(is_alive=False)), "dead-workers", "sign of life was 1m ago"),
    (running.cancelling, facts(replace(RUNS, cancel_at=NOW - MINUTE)), "cancelling", "was asked for 1m ago"),
    (running.worker_stops, facts(RUNS, worker(stopping=True)), "stopping", "was told to stop 1m ago"),
    (running.runs, facts(RUNS, worker()), "running", "It runs, and has no time limit."),
    (running.runs, facts(replace(RUNS, timeout_s=5400.0), worker()), "running", "is stopped in 30m unless"),
    (
        running.runs,
        facts(replace(RUNS, timeout_s=5400.0, deadline_at=NOW + MINUTE), worker()),
        "running",
        "is stopped in 1m unless",
    ),
]

KILLED = {"outcome": Outcome.CRASHED, "signal": SIGKILL, "peak_rss": 3 << 30}
NOT_FOUND = {"exit_code": 127, "cause": "exit 127 (command not found)"}
ENDED: list[tuple[Any, JobFacts, str, str]] = [
    (ended.succeeded, facts(job(State.SUCCEEDED, note="left 1 process, ended")), "succeeded", "note: left 1"),
    (ended.cancelled, facts(job(State.CANCELLED)), "cancelled", "before it ran."),
    (ended.cancelled, failed(ending={"outcome": Outcome.CANCELLED}), "cancelled", "while it ran."),
    (
        ended.expired,
        facts(job(State.EXPIRED, expires_at=NOW)),
        "expired",
        "had begun it by 2027-01-05 12:00 UTC.",
    ),
    (
        ended.nothing_to_do,
        facts(job(State.SKIPPED, reason="exit 75: none")),
        "nothing-to-do",
        "(exit 75: none)",
    ),
    (
        ended.crashed_thrice,
        failed(ending=POISON, crashes=2, retries=9),
        "crashed-thrice",
        "Its worker died 3 times in a row, so it was stopped; the last time: worker killed by SIGSEGV.",
    ),
    (
        ended.no_time,
        failed(ending={"cause": "exit 3"}, retries=1, deadline_at=NOW),
        "no-time",
        "Its deadline leaves no time for a retry: exit 3.",
    ),
    (ended.unknown, facts(job(State.FAILED, reason="odd")), "unknown", "Odd."),
    (
        causes.unreadable,
        failed(ending={"cause": "its args in the job file cannot be read"}),
        "unreadable",
        "It could not be run: its args in the job file cannot be read.",
    ),
    (
        causes.deadline,
        failed(ending={"outcome": Outcome.TIMEOUT}, deadline_at=NOW),
        "deadline",
        "stopped at its deadline, 2027-01-05 12:00 UTC",
    ),
    (
        causes.timeout,
        failed(ending={"outcome": Outcome.TIMEOUT, "signal": SIGTERM}, timeout_s=300.0),
        "timeout",
        "stopped at its time limit of 5m.",
    ),
    (
        causes.no_directory,
        failed(Kind.SHELL, ending={"cause": "cannot enter directory `/x`"}),
        "no-directory",
        "cannot enter directory `/x`",
    ),
    (
        causes.not_found,
        failed(Kind.SHELL, ending=NOT_FOUND, path="/bin"),
        "not-found",
        "Exit 127: a command was not found; it was looked for in PATH `/bin`.",
    ),
    (
        causes.not_found,
        failed(Kind.COMMAND, ending={**NOT_FOUND, "cause": "command not found: `rsink`"}),
        "not-found",
        "Exit 127: command not found: `rsink`; it was looked for in the PATH of its worker.",
    ),
    (
        causes.cannot_run,
        failed(Kind.COMMAND, ending={"exit_code": 126, "cause": "cannot run `./x`: Permission denied"}),
        "cannot-run",
        "cannot run `./x`: Permission denied.",
    ),
    (
        causes.out_of_memory,
        failed(ending={**KILLED, "cause": "worker killed by SIGKILL (out of memory)"}),
        "out-of-memory",
        "killed by SIGKILL, for want of memory; it had used 3.0 GiB.",
    ),
    (
        causes.out_of_memory,
        failed(ending={**KILLED, "cause": "worker killed by SIGKILL"}, memory=4 << 30),
        "out-of-memory",
        "killed by SIGKILL, perhaps for want of memory; it had used 3.0 GiB of 4.0 GiB here.",
    ),
    (causes.killed, failed(ending={**KILLED, "signal": SIGSEGV}), "signal", "It was killed by SIGSEGV."),
    (causes.killed, failed(ending=KILLED, memory=64 << 30), "signal", "It was killed by SIGKILL."),
    (
        causes.worker_ended,
        failed(ending={"outcome": Outcome.CRASHED, "cause": "its worker died together with its supervisor"}),
        "worker-ended",
        "It crashed: its worker died together with its supervisor.",
    ),
    (
        causes.no_module,
        failed(ending={"error": ErrorInfo(type="ModuleNotFoundError", message="No module named 'app'")}),
        "no-module",
        "ModuleNotFoundError: No module named 'app'.",
    ),
    (
        causes.no_function,
        failed(ending={"error": ErrorInfo(type="AttributeError", message="`app:f`: there is no `f`")}),
        "no-function",
        "It could not be called: `app:f`: there is no `f`.",
    ),
    (
        causes.exception,
        failed(ending={"error": ErrorInfo(type="ValueError", message="bad\nworse", traceback="...")}),
        "exception",
        "It raised ValueError: bad.",
    ),
    (causes.exited, failed(Kind.SHELL, ending={"exit_code": 3, "cause": "exit 3"}), "exit", "exit code 3."),
    (causes.exited, failed(ending={"exit_code": 1, "cause": "exit 1: usage"}), "exit", "exit code 1: usage."),
    (
        ended.useless,
        failed(ending={"is_permanent": True}, retries=3),
        "useless",
        "though it had 3 retries left",
    ),
    (
        ended.useless,
        failed(ending=POISON, retries=1, on_crash=OnCrash.FAIL),
        "useless",
        "its `on_crash` is fail",
    ),
    (ended.parked, failed(ending=POISON, retries=1, on_crash=OnCrash.PARK), "parked", "parked for a person"),
    (ended.no_retry_left, failed(), "no-retry-left", "It was to be tried once."),
    (
        ended.no_retry_left,
        failed(failures=2, retries=2),
        "no-retry-left",
        "All of its 2 retries are used up.",
    ),
    (ended.key_taken, failed(key="k", key_holder=40), "key-taken", "Job 40 has its key `k` now"),
]
JOBS = [*WAITING, *RUNNING, *ENDED]


def _name(value: Any) -> str:
    return getattr(value, "__name__", "")


@pytest.mark.parametrize(("rule", "given", "code", "said"), JOBS, ids=_name)
def test_a_reason_of_a_job_says_what_and_what_next(rule: Any, given: JobFacts, code: str, said: str) -> None:
    reason = rule(given)

    assert reason is not None
    assert reason.code == code
    assert said in reason.text
    assert reason.text.endswith(".")
    assert reason.next


@pytest.mark.parametrize(("rule", "given", "code", "said"), JOBS, ids=_name)
def test_a_reason_is_found_among_all_that_are_asked(rule: Any, given: JobFacts, code: str, said: str) -> None:
    del said
    assert code in [each.code for each in reasons(given)], rule


@pytest.mark.parametrize(
    ("given", "codes"),
    [
        (facts(None, worker(), pause=pause(None)), ["paused"]),
        (facts(None, worker("a"), pause=pause(None)), ["paused", "unserved-queue"]),
        (facts(LATER, pause=pause(NOW + MINUTE)), ["not-due"]),
        (facts(replace(LATER, run_at=NOW)), ["no-worker"]),
        (facts(None, worker(runs=OTHER), ahead=Ahead(1, 0)), ["behind", "busy"]),
        (facts(None, worker(runs=OTHER), worker(stopping=True)), ["busy"]),
        (facts(job(queue=".47.mail")), ["reserved"]),
        (facts(RUNS, worker()), ["running"]),
        (facts(job(State.SUCCEEDED)), ["succeeded"]),
        (failed(Kind.SHELL, ending=NOT_FOUND, retries=2), ["not-found", "useless"]),
        (failed(ending=POISON, crashes=2), ["crashed-thrice"]),
        (failed(ending={"outcome": Outcome.TIMEOUT, "signal": SIGKILL}), ["timeout", "no-retry-left"]),
    ],
)
def test_all_that_is_in_the_way_is_told_in_its_order(given: JobFacts, codes: list[str]) -> None:
    if "useless" in codes:
        given = replace(given, job=replace(given.job, state=State.FAILED, failures=1))

    assert [each.code for each in reasons(given)] == codes


ROW = EntryRow(
    name="backup",
    table="/etc/my jobs.toml",
    schedule_text="0 3 * * *",
    zone_name="UTC",
    digest="1",
    since=NOW - 48 * HOUR,
    done_until=NOW - 24 * HOUR,
    anchor=NOW,
    boot_id="b",
    is_enabled=True,
    removed_at=None,
    paused_at=None,
    paused_until=None,
    failing_since=None,
    failed_runs=0,
    last_success_at=None,
)
REST = replace(ROW, paused_at=NOW - HOUR)


def tick(state: TickState, row: EntryRow = ROW, **more: Any) -> TickFacts:
    given = {name: more.pop(name) for name in ("job", "in_way_job") if name in more}
    common: dict[str, Any] = {"job_id": None, "moved_from": None, "reason": None, "in_way": None, "count": 1}
    it = Tick(
        entry="backup", at=NOW - HOUR, state=state, last=NOW - HOUR, decided_at=NOW, **{**common, **more}
    )
    return TickFacts(
        tick=it, row=row, now=NOW, zone=UTC, job=given.get("job"), in_way=given.get("in_way_job")
    )


TICKS: list[tuple[Any, TickFacts, str, str]] = [
    (ticks.ran, tick(TickState.RAN, job_id=7), "ran", "as job 7, which is no longer kept."),
    (
        ticks.ran,
        tick(TickState.RAN, job_id=7, job=job(State.FAILED, reason="exit 3", finished_at=NOW - MINUTE)),
        "ran",
        "`backup` ran for 2027-01-05 11:00 UTC as job 7, which failed 1m ago: exit 3.",
    ),
    (ticks.ran, tick(TickState.RAN, job_id=7, job=OTHER), "ran", "which is running."),
    (
        ticks.pending,
        tick(TickState.PENDING, in_way=3, in_way_job=OTHER),
        "pending",
        "waits for the end of job 3, which had then run for 1h and still runs.",
    ),
    (ticks.pending, tick(TickState.PENDING), "pending", "waits for the end of the ticks before it."),
    (
        ticks.stood_for,
        tick(TickState.MISSED, reason="served 90 s late, a later tick stands for it"),
        "stood-for",
        "was missed at 2027-01-05 11:00 UTC: served 90 s late",
    ),
    (ticks.missed, tick(TickState.MISSED, reason="no scheduler"), "missed", ": no scheduler."),
    (
        ticks.overlapped,
        tick(
            TickState.SKIPPED,
            in_way=3,
            reason="job 3 was in the way",
            in_way_job=replace(OTHER, state=State.SUCCEEDED, finished_at=NOW - MINUTE),
        ),
        "overlapped",
        ": job 3 was in the way, which had then run for 1h and succeeded 1m ago.",
    ),
    (ticks.skipped, tick(TickState.SKIPPED, reason="a newer tick"), "skipped", ": a newer tick."),
    (ticks.paused, tick(TickState.PAUSED), "paused", "for it was paused."),
    (ticks.paused, tick(TickState.PAUSED, REST), "paused", "for it was paused, and still is."),
    (ticks.disabled, tick(TickState.DISABLED), "disabled", "for it was disabled."),
    (
        ticks.moved,
        tick(TickState.RAN, job_id=7, moved_from=datetime(2027, 3, 28, 2, 30)),  # noqa: DTZ001 -- a clock on the wall
        "moved",
        "It was moved from 02:30",
    ),
    (
        ticks.late,
        tick(TickState.RAN, job_id=7, reason="made up 300 s after its time"),
        "late",
        "made up 300 s",
    ),
    (ticks.by_hand, tick(TickState.RAN, job_id=7, reason="triggered by a person"), "by-hand", "A person"),
]


@pytest.mark.parametrize(("rule", "given", "code", "said"), TICKS, ids=_name)
def test_a_tick_says_what_became_of_it(rule: Any, given: TickFacts, code: str, said: str) -> None:
    reason = rule(given)

    assert (reason.code, said in reason.text, bool(reason.next)) == (code, True, True), reason.text
    assert code in [each.code for each in ticks.of_tick(given)]


def gap(there: datetime | None, **row: Any) -> GapFacts:
    runs = [
        None if at is None else Occurrence(at=at, local=at) for at in (NOW - 9 * HOUR, there, NOW + 9 * HOUR)
    ]
    found = Neighbours(before=runs[0], there=runs[1], after=runs[2])
    return GapFacts(at=NOW, row=replace(ROW, **row), now=NOW, zone=UTC, found=found)


GAPS = [
    (ticks.unreadable_table, replace(gap(None), found=None), "unreadable-table", "or cannot be read."),
    (ticks.not_then, gap(None), "not-then", "before it 2027-01-05 03:00 UTC, after it 2027-01-05 21:00 UTC."),
    (ticks.to_come, gap(NOW + HOUR), "to-come", "is due at 2027-01-05 13:00 UTC, in 1h."),
    (ticks.too_new, gap(NOW, since=NOW), "too-new", "nothing before is made up."),
    (
        ticks.unserved,
        gap(NOW),
        "unserved",
        "no scheduler has served it yet; one did last at 2027-01-04 12:00 UTC.",
    ),
    (ticks.forgotten, gap(NOW, done_until=NOW), "forgotten", "is no longer kept."),
]


@pytest.mark.parametrize(("rule", "given", "code", "said"), GAPS, ids=_name)
def test_an_instant_without_a_tick_says_why(rule: Any, given: GapFacts, code: str, said: str) -> None:
    reason = rule(given)

    assert (reason.code, said in reason.text, bool(reason.next)) == (code, True, True), reason.text
    assert ticks.of_gap(given) == [reason]


def standing(row: EntryRow = ROW, **more: Any) -> EntryFacts:
    served = TableRow(path=row.table, pid=4711, started_at=NOW, problem=None)
    table = TableView(path=row.table, entries=(row,), scheduler=served, problem=None)
    return EntryFacts(
        **{"row": row, "table": table, "now": NOW, "zone": UTC, "entry": None, "next_at": NOW + HOUR, **more}
    )


UNSERVED = TableView(path=ROW.table, entries=(ROW,), scheduler=None, problem="line 3")
BROKEN = replace(UNSERVED, scheduler=TableRow(path=ROW.table, pid=1, started_at=NOW, problem="line 3"))
PENDING = tick(TickState.PENDING, in_way=3).tick
ENTRIES = [
    (
        entries.removed,
        standing(replace(ROW, removed_at=NOW - HOUR)),
        "removed",
        "removed from its table 1h ago",
    ),
    (entries.disabled, standing(replace(ROW, is_enabled=False)), "disabled", "is disabled in its table"),
    (entries.paused, standing(REST), "paused", "paused 1h ago, until somebody resumes it."),
    (
        entries.paused,
        standing(replace(REST, paused_until=NOW + HOUR)),
        "paused",
        "until 2027-01-05 13:00 UTC (in 1h).",
    ),
    (entries.no_scheduler, standing(table=UNSERVED), "no-scheduler", "No scheduler serves its table"),
    (entries.table_refused, standing(table=BROKEN), "table-refused", "change of its table was refused"),
    (entries.waits, standing(ticks=[PENDING]), "pending", "waits for the end of job 3."),
    (
        entries.failing,
        standing(replace(ROW, failing_since=NOW - HOUR, failed_runs=4)),
        "failing",
        "It has failed for 1h, 4 runs in a row.",
    ),
    (entries.by_hand_alone, standing(entry=entry(Special.MANUAL)), "manual", "no time of its own"),
    (entries.comes, standing(), "to-come", "It runs next at 2027-01-05 13:00 UTC, in 1h."),
    (entries.comes, standing(next_at=None), "unknown", "cannot be told"),
]


@pytest.mark.parametrize(("rule", "given", "code", "said"), ENTRIES, ids=_name)
def test_an_entry_says_how_it_stands(rule: Any, given: EntryFacts, code: str, said: str) -> None:
    reason = rule(given)

    assert (reason.code, said in reason.text, bool(reason.next)) == (code, True, True), reason.text
    assert code in [each.code for each in entries.of_entry(given)]


def test_a_command_that_is_to_be_typed_quotes_the_path_of_a_table() -> None:
    [reason] = entries.of_entry(standing(table=replace(UNSERVED, problem=None)))

    assert reason.next == "start one with `jobrun cron '/etc/my jobs.toml'`"


RULES: list[tuple[Sequence[Any], list[Any]]] = [
    (waiting.WAITING, WAITING),
    (running.RUNNING, RUNNING),
    (ended.ENDED, ENDED),
    (ended.AGAIN, ENDED),
    (ticks.TICK, TICKS),
    (ticks.ASIDE, TICKS),
    (ticks.GAP, GAPS),
    (entries.STANDING, ENTRIES),
]


@pytest.mark.parametrize(("rules", "cases"), RULES)
def test_every_rule_has_a_case_here(rules: Sequence[Any], cases: list[Any]) -> None:
    tried = {case[0] for case in cases}

    assert [rule.__name__ for rule in rules if rule not in tried] == []


def test_one_rule_more_is_one_more_in_its_list(monkeypatch: pytest.MonkeyPatch) -> None:
    full = Reason(code="limit", text="Limit `db` is full.", next="wait")
    monkeypatch.setattr(waiting, "WAITING", (*waiting.WAITING, lambda _: full))

    assert [each.code for each in reasons(facts())] == ["no-worker", "limit"]


def test_the_page_has_every_code() -> None:
    page = (Path(__file__).resolve().parents[2] / "man" / "jobrun.1").read_text(encoding="utf-8")
    told = page.partition(".Ss Reasons\n")[2].partition(".Ss Ticks\n")[0]
    known = {case[2] for cases in (JOBS, TICKS, GAPS, ENTRIES) for case in cases}

    listed = re.findall(r"(?m)^\.Cm (.+)", told)
    assert {word for line in listed for word in re.split(r"[ ,;.]+", line) if word} == known
