"""What every store promises; a second kind of store would bring one more fixture and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import Any

import pytest

from jobrun.bell import Tone, listening
from jobrun.errors import NotDone, UsageError
from jobrun.lifecycle import settle
from jobrun.model import (
    Ending,
    ErrorInfo,
    Job,
    JobFilter,
    Kind,
    NewJob,
    Outcome,
    Output,
    State,
    Surroundings,
    WorkerRow,
)
from jobrun.paths import side_dir
from jobrun.queues import reserved_queue
from jobrun.store import Store
from jobrun.store.endings import Settling
from jobrun.store.insertion import Row
from jobrun.store.many import AT_ONCE
from jobrun.units import from_ms
from tests import claims

_TOKENS = count(1)


def at(seconds: float) -> datetime:
    """The clock of these tests: so many seconds after its start."""
    return from_ms(1_800_000_000_000 + round(seconds * 1000))


FIRST, SECOND, THIRD = at(0), at(1), at(2)


def call(task: str = "app:work", **options: Any) -> NewJob:
    return NewJob(kind=Kind.CALL, task=task, **options)


def add(store: Store, *jobs: NewJob, now: datetime = FIRST) -> list[int]:
    return [added.id for added in store.intake.add(jobs or [call()], now=now)]


def claim(store: Store, *workers: str, queues: Sequence[str] = (), now: datetime = SECOND) -> list[Job]:
    names = workers or ("w1",)
    return claims.claim(store, *names, queues=queues, now=now, new_token=lambda: f"token{next(_TOKENS)}")


def finish(
    store: Store, job: Job, outcome: Outcome = Outcome.OK, *, now: datetime = THIRD, **facts: Any
) -> bool:
    ending = Ending(outcome=outcome, **facts)
    return store.endings.settle(job, ending, settle(job, ending, now, 0.5), now=now, pid=4711)


def got(store: Store, job_id: int) -> Job:
    job = store.ledger.get(job_id)
    assert job is not None
    return job


def state(store: Store, job_id: int) -> State:
    return got(store, job_id).state


def ended(store: Store, outcome: Outcome = Outcome.ERROR, **options: Any) -> int:
    """Add a job, run it, and let it end."""
    [job_id] = add(store, call(**options))
    [job] = claim(store)
    assert job.id == job_id
    assert finish(store, job, outcome)
    return job_id


def row(name: str, *, group_pid: int = 100, number: int = 1) -> WorkerRow:
    return WorkerRow(
        name=name,
        number=number,
        pid=200,
        group_pid=group_pid,
        queues=("a",),
        started_at=at(0),
        stopping_at=None,
    )


def test_a_job_due_now_is_ready_and_one_due_later_is_scheduled(store: Store) -> None:
    now, later = store.intake.add([call(), call(run_at=at(60))], now=at(0))

    assert (now.state, now.run_at) == (State.READY, at(0))
    assert (later.state, later.run_at) == (State.SCHEDULED, at(60))


def test_a_job_whose_time_has_passed_already_is_ready(store: Store) -> None:
    [added] = store.intake.add([call(run_at=at(-60))], now=at(0))

    assert (added.state, added.run_at) == (State.READY, at(-60))


def test_jobs_get_rising_ids_in_the_order_they_were_asked_for(store: Store) -> None:
    ids = add(store, *(call(f"app:f{n}") for n in range(5)))

    assert ids == sorted(ids)
    assert [got(store, job_id).task for job_id in ids] == [f"app:f{n}" for n in range(5)]


@pytest.mark.parametrize("count", [1, 3, AT_ONCE[0] - 1, AT_ONCE[0], 3 * AT_ONCE[0] + 6])
def test_however_many_jobs_come_at_once_each_is_kept_as_if_it_came_alone(store: Store, count: int) -> None:
    jobs: list[NewJob | Row] = [
        (
            call(f"app:f{n}", args=(n,), run_at=at(n % 2), name=None if n % 3 else f"n{n}")
            if n % 5 == 4
            else {"task": f"app:f{n}", **({"priority": n, "tags": '["t"]'} if n % 3 else {"args": f"[{n}]"})}
        )
        for n in range(count)
    ]

    together = store.intake.add(jobs, now=FIRST)
    alone = [added for job in jobs for added in store.intake.add([job], now=FIRST)]

    assert [added.id for added in together] == list(range(1, count + 1))
    assert [replace(added, id=0) for added in together] == [replace(added, id=0) for added in alone]
    kept = [replace(got(store, added.id), id=0) for added in together]
    assert kept == [replace(got(store, added.id), id=0) for added in alone]
    assert [job.task for job in kept] == [f"app:f{n}" for n in range(count)]


def test_a_job_is_kept_as_it_was_asked_for(store: Store) -> None:
    asked = call(
        args=("a", 2, None, {"ü": [1.5]}),
        kwargs={"x": "\ud800"},
        queue="mail",
        priority=-3,
        expires_at=at(90),
        retries=2,
        backoff_s=1.5,
        max_backoff_s=9.0,
        timeout_s=0.25,
        key="k",
        tags=("t", "u"),
        name="n",
    )

    job = got(store, add(store, asked)[0])

    names = ["kind", "task", "args", "kwargs", "queue", "priority", "expires_at", "retries", "backoff_s"]
    names += ["max_backoff_s", "timeout_s", "key", "tags", "name", "on_crash"]
    assert {name: getattr(job, name) for name in names} == {name: getattr(asked, name) for name in names}
    assert (job.created_at, job.attempt, job.failures, job.started_at) == (at(0), 0, 0, None)


def test_an_id_is_never_used_twice_even_after_a_purge(store: Store) -> None:
    job_id = ended(store, Outcome.OK)
    store.orders.purge([job_id])

    assert add(store)[0] > job_id


def test_a_key_that_a_live_job_has_makes_no_second_job(store: Store) -> None:
    first, second = store.intake.add([call(key="k"), call(key="k", run_at=at(60))], now=at(0))

    assert (second.id, second.is_new, second.state) == (first.id, False, State.READY)
    assert store.ledger.count(JobFilter()) == 1


@pytest.mark.parametrize("where", [State.SCHEDULED, State.READY, State.RUNNING])
def test_a_key_is_taken_while_its_job_lives(store: Store, where: State) -> None:
    [job_id] = add(store, call(key="k", run_at=at(60) if where is State.SCHEDULED else None))
    if where is State.RUNNING:
        claim(store)
    assert state(store, job_id) is where

    assert store.intake.add([call(key="k")], now=at(1))[0].id == job_id


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.ERROR, Outcome.CRASHED, Outcome.CANCELLED])
def test_a_key_is_free_again_once_its_job_has_ended(store: Store, outcome: Outcome) -> None:
    ended(store, outcome, key="k")

    assert store.intake.add([call(key="k")], now=at(3))[0].is_new


def test_jobs_that_cannot_all_be_added_are_not_added_at_all(store: Store) -> None:
    with pytest.raises(OverflowError):
        add(store, call(), call(priority=1 << 70))

    assert store.ledger.count(JobFilter()) == 0


def test_a_directory_that_is_not_utf_8_is_kept(store: Store) -> None:
    around = Surroundings(cwd="/caf\udce9", umask=0o22, environment={"A": "\udcff"})
    [job_id] = add(store, NewJob(kind=Kind.SHELL, task="true", surroundings=around))

    [job] = claim(store)

    assert (job.id, job.cwd) == (job_id, "/caf\udce9")
    assert store.ledger.environment(job.environment or "") == {"A": "\udcff"}


def test_equal_environments_are_kept_once(store: Store) -> None:
    around = [
        Surroundings(cwd="/", umask=0o22, environment=env) for env in ({"A": "1"}, {"A": "1"}, {"A": "2"})
    ]
    ids = add(store, *(NewJob(kind=Kind.SHELL, task="true", surroundings=each) for each in around))

    digests = [got(store, job_id).environment or "" for job_id in ids]

    assert digests[0] == digests[1] != digests[2]
    assert [store.ledger.environment(digest) for digest in digests] == [{"A": "1"}, {"A": "1"}, {"A": "2"}]


def test_the_more_urgent_job_runs_first_and_among_equals_the_older(store: Store) -> None:
    low, high, also_high = add(store, call(priority=-1), call(priority=5), call(priority=5))

    assert [job.id for job in claim(store, "w1", "w2", "w3")] == [high, also_high, low]


def test_queues_share_one_order_of_urgency(store: Store) -> None:
    old_a, b, new_a = add(store, call(queue="a"), call(queue="b", priority=1), call(queue="a", priority=1))

    assert [job.id for job in claim(store, "w1", "w2", "w3", queues=["a", "b"])] == [b, new_a, old_a]


def test_however_queues_are_mixed_the_most_urgent_job_of_all_runs_first(store: Store) -> None:
    wanted = [("a", 5), ("b", 3), ("b", 3), ("a", 0), ("b", -1)]
    ids = add(store, *(call(queue=queue, priority=priority) for queue, priority in wanted))

    for queues in (("a", "b"), ("b", "a")):
        claimed = claim(store, "w1", "w2", queues=queues)
        assert [job.id for job in claimed] == [ids.pop(0), ids.pop(0)]
    assert [job.id for job in claim(store, queues=("b", "a"))] == ids


def test_a_worker_gets_jobs_of_its_queues_alone(store: Store) -> None:
    other, wanted = add(store, call(queue="other"), call(queue="wanted"))

    assert [job.id for job in claim(store, "w1", "w2", queues=["wanted"])] == [wanted]
    assert state(store, other) is State.READY


def test_no_queue_named_means_all_of_them(store: Store) -> None:
    ids = add(store, call(queue="a"), call(queue="b"))

    assert [job.id for job in claim(store, "w1", "w2")] == ids


def test_each_worker_gets_one_job_under_a_token_of_its_own(store: Store) -> None:
    add(store, call(), call(), call())

    first, second = claim(store, "w1", "w2", now=at(7))

    assert (first.worker, second.worker) == ("w1", "w2")
    assert first.token != second.token
    assert (first.state, first.attempt, first.started_at) == (State.RUNNING, 1, at(7))


def test_what_is_claimed_is_what_is_kept(store: Store) -> None:
    add(store)

    [job] = claim(store)

    assert job == got(store, job.id) == store.endings.running(["w1"])[0]


def test_a_running_job_is_not_claimed_again(store: Store) -> None:
    add(store)
    claim(store)

    assert claim(store, "w2") == []


def test_a_job_that_waits_can_be_kept_for_one_group_until_an_instant(store: Store) -> None:
    [kept, running] = add(store, call(queue="mail"), call(queue="now", deadline_s=1.5))
    claim(store, queues=("now",))
    reserved = reserved_queue("mail", 4711)

    assert store.endings.keep_for(kept, reserved, expires_at=SECOND)
    assert not store.endings.keep_for(running, reserved, expires_at=SECOND)

    assert (got(store, kept).queue, got(store, running).queue) == (reserved, "now")
    assert store.queue.expire(now=FIRST) == []
    assert store.queue.expire(now=SECOND) == [kept]


def test_a_job_is_kept_for_nobody_beyond_its_deadline(store: Store) -> None:
    [job_id] = add(store, call(deadline_s=1.0))

    store.endings.keep_for(job_id, reserved_queue("default", 4711), expires_at=THIRD)

    assert got(store, job_id).expires_at == SECOND


def test_a_job_that_will_not_run_is_written_down_with_its_key_beside_the_one_that_has_it(
    store: Store,
) -> None:
    [holder] = add(store, call(key="k"))

    skipped = got(store, store.intake.skip(call(key="k", name="n"), "busy", now=SECOND))

    assert (skipped.state, skipped.reason, skipped.key, skipped.name) == (State.SKIPPED, "busy", "k", "n")
    assert (skipped.created_at, skipped.finished_at, skipped.attempt) == (SECOND, SECOND, 0)
    assert got(store, holder).state is State.READY


def test_a_job_that_is_reserved_is_claimed_by_its_group_alone_and_is_in_its_queue_then(store: Store) -> None:
    reserved = reserved_queue("mail.out", 4711)
    add(store, call(queue=reserved))

    assert not store.queue.outlook([], now=SECOND).is_ready
    assert claim(store) == claim(store, queues=("mail.out",)) == []
    [job] = claim(store, queues=(reserved,))

    assert job.queue == got(store, job.id).queue == "mail.out"


def test_a_scheduled_job_is_not_claimed_before_it_is_promoted(store: Store) -> None:
    [job_id] = add(store, call(run_at=at(60)))

    assert claim(store, now=at(59)) == []
    assert store.queue.promote(now=at(59)) == 0
    assert store.queue.promote(now=at(60)) == 1
    assert [job.id for job in claim(store, now=at(60))] == [job_id]


def test_what_is_due_is_promoted_a_few_at_a_time_and_nothing_else_is(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobrun.store.queue.PROMOTED_AT_ONCE", 2)
    _, second, first, third = ids = add(store, *(call(run_at=at(second)) for second in (90, 61, 60, 62)))

    assert [store.queue.promote(now=at(62)), {i for i in ids if state(store, i) is State.READY}] == [
        2,
        {first, second},
    ]
    assert [store.queue.promote(now=at(62)) for _ in range(2)] == [1, 0]
    assert {i for i in ids if state(store, i) is State.READY} == {first, second, third}


def test_what_was_not_started_in_time_ends_a_few_at_a_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobrun.store.queue.PROMOTED_AT_ONCE", 2)
    ids = add(store, *(call(expires_at=at(10)) for _ in range(3)))

    batches = [store.queue.expire(now=at(10)) for _ in range(3)]

    assert [len(batch) for batch in batches] == [2, 1, 0]
    assert sorted(batches[0] + batches[1]) == ids


def test_the_next_due_instant_is_that_of_the_earliest_scheduled_job(store: Store) -> None:
    assert store.queue.next_due() is None

    add(store, call(run_at=at(90)), call(run_at=at(60)), call())

    assert store.queue.next_due() == at(60)


def test_whether_something_is_ready_is_told_by_queue(store: Store) -> None:
    add(store, call(queue="a"), call(queue="b", run_at=at(60)))

    assert [
        store.queue.outlook(queues, now=SECOND).is_ready for queues in ([], ["a"], ["b"], ["b", "a"])
    ] == [
        True,
        True,
        False,
        True,
    ]


def test_the_next_look_is_worth_it_when_a_job_falls_due_or_one_before_a_ready_one_is_too_late(
    store: Store,
) -> None:
    assert store.queue.outlook([], now=SECOND).next_at is None
    add(store, call(run_at=at(60), expires_at=at(90)), call(run_at=at(70), expires_at=at(50)))
    outlook = store.queue.outlook([], now=SECOND)
    assert (outlook.due_at, outlook.expires_at, outlook.next_at) == (at(60), at(50), at(60))
    add(store, call(expires_at=at(40)))

    assert store.queue.outlook([], now=SECOND).next_at == at(40)
    store.queue.expire(now=at(40))
    add(store, call(expires_at=at(80)))
    store.queue.expire(now=at(50))
    assert store.queue.outlook([], now=SECOND).next_at == at(60)


def test_what_is_too_late_keeps_no_other_job_waiting(store: Store) -> None:
    _, job_id = add(store, call(expires_at=at(10), priority=1), call())

    assert [job.id for job in claim(store, "w1", "w2", now=at(10))] == [job_id]


def test_a_job_that_runs_again_has_no_reason_to_wait_any_more(store: Store) -> None:
    [job_id] = add(store, call(retries=1))
    finish(store, claim(store)[0], Outcome.ERROR, retry_in_s=0.0)
    assert got(store, job_id).reason == "retry 1 of 1: error"

    claim(store)

    assert got(store, job_id).reason is None


def test_whoever_waits_for_work_hears_of_a_job_that_waits_again_and_of_no_other_end(store: Store) -> None:
    add(store, call(), call())
    over, again = claim(store, "w1", "w2")

    with listening(side_dir(store.path), Tone.WORK) as ear:
        finish(store, over)
        assert not ear.drain()
        finish(store, again, Outcome.INTERRUPTED)
        assert ear.drain()


def test_a_job_not_started_in_time_is_never_started(store: Store) -> None:
    [job_id] = add(store, call(expires_at=at(10)))

    assert claim(store, now=at(10)) == []
    assert state(store, job_id) is State.READY


def test_however_many_jobs_expire_at_once_none_of_them_is_started(store: Store) -> None:
    add(store, *(call(expires_at=at(10)) for _ in range(2500)))

    assert claim(store, now=at(11)) == []


def test_a_job_expires_while_it_is_scheduled_too(store: Store) -> None:
    [job_id] = add(store, call(run_at=at(60), expires_at=at(10)))

    assert store.queue.expire(now=at(9)) == []
    assert store.queue.expire(now=at(10)) == [job_id]
    assert (state(store, job_id), got(store, job_id).finished_at) == (State.EXPIRED, at(10))


def test_a_job_that_runs_does_not_expire(store: Store) -> None:
    [job_id] = add(store, call(expires_at=at(10)))
    claim(store)

    assert store.queue.expire(now=at(20)) == []
    assert state(store, job_id) is State.RUNNING


def test_an_ending_that_comes_too_late_is_told_from_that_of_the_attempt_after_it(store: Store) -> None:
    add(store)
    [late] = claim(store)
    finish(store, late, Outcome.INTERRUPTED)
    [job] = claim(store)
    ending = Ending(outcome=Outcome.OK)

    ends = [Settling(each, ending, settle(each, ending, THIRD, 0.5), None) for each in (late, job)]
    ended_here = store.endings.settle_all(ends, now=THIRD)

    assert ended_here == [False, True]
    outcomes = [attempt.ending.outcome for attempt in store.ledger.attempts(job.id)]
    assert outcomes == [Outcome.INTERRUPTED, Outcome.OK]


def test_an_attempt_whose_number_was_given_again_is_told_from_the_one_that_has_it_now(store: Store) -> None:
    add(store)
    [first] = claim(store)
    finish(store, first, Outcome.INTERRUPTED, has_begun=False)
    [second] = claim(store)
    ending = Ending(outcome=Outcome.OK)
    ends = [
        Settling(each, ending, settle(each, ending, THIRD, 0.5), None) for each in (first, second, second)
    ]

    assert store.endings.settle_all(ends, now=THIRD) == [False, True, False]

    [attempt] = store.ledger.attempts(second.id)
    assert attempt.token == second.token


def test_a_claim_that_nobody_began_is_undone_unless_another_has_followed(store: Store) -> None:
    add(store, call("app:f"), call("app:g"))
    first, second = (claim(store)[0] for _ in range(2))
    taken_back = Ending(outcome=Outcome.INTERRUPTED, has_begun=False)
    ends = [
        Settling(each, taken_back, settle(each, taken_back, SECOND, 0.5), None)
        for each in (replace(first, token="that of another"), second)
    ]

    assert store.endings.settle_all(ends, now=SECOND) == [False, True]

    assert got(store, first.id) == first
    undone = got(store, second.id)
    assert (undone.state, undone.attempt, undone.started_at, undone.token) == (State.READY, 0, None, None)
    assert store.ledger.attempts(second.id) == []
    assert claim(store)[0].attempt == 1


def test_what_is_undone_shows_again_when_the_attempt_before_it_began(store: Store) -> None:
    others = add(store, call("app:other", retries=9), call("app:work", retries=9))
    for second in (10, 20, 30):
        store.queue.promote(now=at(second))
        for place, job in enumerate(claim(store, "w1", "w2", now=at(second))):
            if second < 30:
                began_at = at(second + place)
                finish(store, job, Outcome.ERROR, now=at(second + 2), began_at=began_at, retry_in_s=1.0)
            else:
                finish(store, job, Outcome.INTERRUPTED, now=at(31), has_begun=False)

    undone = [got(store, job_id) for job_id in others]
    assert [(job.attempt, job.started_at) for job in undone] == [(2, at(20)), (2, at(21))]


def test_a_death_is_counted_in_the_file_and_the_attempt_began_when_its_worker_says(store: Store) -> None:
    add(store, call(retries=1))
    [job] = claim(store, now=at(1))
    finish(store, job, Outcome.CRASHED, now=at(3), began_at=at(2), cause="SIGKILL")

    after = got(store, job.id)
    assert (after.failures, after.crashes, after.started_at) == (1, 1, at(2))
    assert after.reason == "retry 1 of 1: SIGKILL"

    store.queue.promote(now=at(60))
    [job] = claim(store, now=at(60))
    finish(store, job, Outcome.ERROR, now=at(61))
    assert (got(store, job.id).crashes, got(store, job.id).started_at) == (0, at(60))
    assert [attempt.started_at for attempt in store.ledger.attempts(job.id)] == [at(2), at(60)]


def test_an_ending_frees_the_worker_and_is_kept_with_its_attempt(store: Store) -> None:
    add(store)
    [job] = claim(store)

    finish(
        store,
        job,
        Outcome.ERROR,
        exit_code=3,
        cause="exit 3",
        note="left 1 process",
        error=ErrorInfo(type="E", message="m", traceback="tb"),
        cpu_s=1.25,
        peak_rss=4096,
        output=Output(head=b"\xff\0out", tail=b"end", size=99),
    )

    [attempt] = store.ledger.attempts(job.id)
    assert (attempt.number, attempt.token, attempt.worker, attempt.pid) == (1, job.token, "w1", 4711)
    assert (attempt.started_at, attempt.finished_at) == (at(1), at(2))
    assert (attempt.ending.outcome, attempt.ending.cause, attempt.ending.cpu_s) == (
        Outcome.ERROR,
        "exit 3",
        1.25,
    )
    assert attempt.ending.error == ErrorInfo(type="E", message="m", traceback="tb")
    assert attempt.ending.output == Output(head=b"\xff\0out", tail=b"end", size=99)
    after = got(store, job.id)
    assert (after.state, after.exit_code, after.token, after.worker) == (State.FAILED, 3, None, None)


def test_a_result_is_kept_with_its_job(store: Store) -> None:
    add(store)
    [job] = claim(store)

    finish(store, job, result='{"n":1}')

    assert (state(store, job.id), got(store, job.id).result) == (State.SUCCEEDED, '{"n":1}')


def test_a_void_token_changes_nothing(store: Store) -> None:
    add(store, call(retries=1))
    [first] = claim(store)
    finish(store, first, Outcome.CRASHED)
    store.queue.promote(now=at(60))
    [second] = claim(store, "w2", now=at(60))

    assert not finish(store, first, Outcome.OK, now=at(61))
    assert got(store, second.id) == second
    assert len(store.ledger.attempts(second.id)) == 1


def test_an_ending_without_the_token_of_the_attempt_changes_nothing(store: Store) -> None:
    add(store)
    [job] = claim(store)

    assert not finish(store, replace(job, token="guessed"))
    assert got(store, job.id) == job


def test_an_ending_counts_once(store: Store) -> None:
    add(store)
    [job] = claim(store)

    assert finish(store, job, Outcome.OK)
    assert not finish(store, job, Outcome.ERROR)
    assert state(store, job.id) is State.SUCCEEDED


def test_attempts_are_numbered_without_gaps_over_retries_of_both_kinds(store: Store) -> None:
    [job_id] = add(store, call(retries=1))
    for second in (10, 100):
        store.queue.promote(now=at(second))
        finish(store, claim(store, now=at(second))[0], Outcome.ERROR, now=at(second + 1))
    store.orders.retry([job_id], now=at(200))
    finish(store, claim(store, now=at(200))[0], Outcome.OK, now=at(201))

    assert [attempt.number for attempt in store.ledger.attempts(job_id)] == [1, 2, 3]
    assert (got(store, job_id).attempt, state(store, job_id)) == (3, State.SUCCEEDED)


def test_text_that_no_file_can_keep_is_kept_escaped(store: Store) -> None:
    add(store)
    [job] = claim(store)

    finish(store, job, Outcome.ERROR, cause="a\0b\ud800")

    assert store.ledger.attempts(job.id)[0].ending.cause == "a\\x00b\\ud800"


@pytest.mark.parametrize("run_at", [None, at(60)])
def test_a_waiting_job_is_cancelled_at_once(store: Store, run_at: datetime | None) -> None:
    [job_id] = add(store, call(run_at=run_at))

    job = store.orders.cancel(job_id, now=at(1))

    assert job is not None
    assert (job.state, job.finished_at, job.attempt) == (State.CANCELLED, at(1), 0)
    assert claim(store, now=at(99)) == []


def test_a_running_job_is_asked_to_end_and_the_first_asking_counts(store: Store) -> None:
    add(store)
    [job] = claim(store)

    store.orders.cancel(job.id, now=at(3))
    asked = store.orders.cancel(job.id, now=at(4))

    assert asked is not None
    assert (asked.state, asked.cancel_at) == (State.RUNNING, at(3))
    assert store.endings.to_cancel() == {job.token: at(3)}


def test_a_cancel_that_came_after_a_job_was_read_is_seen(store: Store) -> None:
    add(store, call(), call())
    first, second = claim(store, "w1", "w2")
    store.orders.cancel(first.id, now=at(3))

    assert store.endings.to_cancel() == {first.token: at(3)}
    assert second.token is not None


def test_a_job_that_has_ended_cannot_be_cancelled(store: Store) -> None:
    job_id = ended(store, Outcome.OK)
    before = got(store, job_id)

    assert store.orders.cancel(job_id, now=at(9)) == before


def test_cancelling_a_job_that_nobody_knows_says_so(store: Store) -> None:
    assert store.orders.cancel(999, now=at(0)) is None


@pytest.mark.parametrize("outcome", [Outcome.ERROR, Outcome.TIMEOUT, Outcome.CRASHED, Outcome.CANCELLED])
def test_a_retry_by_a_person_begins_the_counts_anew(store: Store, outcome: Outcome) -> None:
    job_id = ended(store, outcome)

    assert store.orders.retry([job_id], now=at(9)) == [job_id]
    job = got(store, job_id)
    assert (job.state, job.run_at, job.failures, job.crashes, job.attempt) == (State.READY, at(9), 0, 0, 1)
    assert (job.finished_at, job.cancel_at) == (None, None)


def test_an_expired_job_may_be_retried_and_does_not_expire_again(store: Store) -> None:
    [job_id] = add(store, call(expires_at=at(10)))
    store.queue.expire(now=at(10))

    store.orders.retry([job_id], now=at(20))

    assert [job.id for job in claim(store, now=at(21))] == [job_id]


def test_what_succeeded_runs_or_waits_is_not_retried(store: Store) -> None:
    done = ended(store, Outcome.OK)
    running, waiting = add(store, call(), call())
    claim(store)

    assert store.orders.retry([done, running, waiting, 999], now=at(9)) == []
    assert [state(store, job_id) for job_id in (done, running, waiting)] == [
        State.SUCCEEDED,
        State.RUNNING,
        State.READY,
    ]


def test_a_retry_whose_key_is_taken_changes_nothing_and_names_the_holder(store: Store) -> None:
    other = ended(store)
    job_id = ended(store, key="k")
    [holder] = add(store, call(key="k"))

    with pytest.raises(NotDone, match=f"job {holder} has its key `k`"):
        store.orders.retry([other, job_id], now=at(9))

    assert [state(store, one) for one in (other, job_id)] == [State.FAILED, State.FAILED]


def test_two_ended_jobs_of_one_key_cannot_both_wait_again(store: Store) -> None:
    first, second = ended(store, key="k"), ended(store, key="k")

    with pytest.raises(NotDone, match=f"job {second} cannot wait again: job {first} has its key `k`"):
        store.orders.retry([second, first], now=at(9))

    assert [state(store, one) for one in (first, second)] == [State.FAILED, State.FAILED]


def expired(store: Store, **options: Any) -> int:
    [job_id] = add(store, call(expires_at=at(1), **options))
    assert store.queue.expire(now=at(1)) == [job_id]
    return job_id


def crashed(store: Store, **options: Any) -> int:
    return ended(store, Outcome.CRASHED, **options)


def cancelled(store: Store, **options: Any) -> int:
    return ended(store, Outcome.CANCELLED, **options)


@pytest.mark.parametrize("end", [crashed, cancelled, expired])
def test_whatever_its_end_a_job_cannot_wait_again_beside_one_with_its_key(
    store: Store, end: Callable[..., int]
) -> None:
    first, second, free = (end(store, key=key) for key in ("k", "k", "free"))

    with pytest.raises(NotDone, match="key `k`"):
        store.orders.retry([first, second], now=at(9))
    assert store.orders.retry([free, first], now=at(9)) == [first, free]
    with pytest.raises(NotDone, match=f"job {first} has its key `k`"):
        store.orders.retry([second], now=at(9))


def test_of_two_ended_jobs_of_one_key_that_which_failed_may_wait_again(store: Store) -> None:
    done = ended(store, Outcome.OK, key="k")
    failed = ended(store, Outcome.ERROR, key="k")

    assert store.orders.retry([done, failed], now=at(9)) == [failed]


def test_a_taken_key_of_a_job_that_is_not_to_be_retried_hinders_nobody(store: Store) -> None:
    done, failed = ended(store, Outcome.OK, key="k"), ended(store)
    add(store, call(key="k"))

    assert store.orders.retry([done, failed], now=at(9)) == [failed]


def test_only_what_has_ended_is_removed_and_its_attempts_with_it(store: Store) -> None:
    done = ended(store, Outcome.OK)
    running, waiting = add(store, call(), call())
    claim(store)

    assert store.orders.purge([done, running, waiting, 999]) == 1
    assert store.ledger.get(done) is None
    assert store.ledger.attempts(done) == []
    assert [state(store, job_id) for job_id in (running, waiting)] == [State.RUNNING, State.READY]


def test_an_environment_is_forgotten_with_the_last_job_that_needs_it(store: Store) -> None:
    around = Surroundings(cwd="/", umask=0o22, environment={"SECRET": "x"})
    first, second = add(store, *(NewJob(kind=Kind.SHELL, task="true", surroundings=around) for _ in range(2)))
    digest = got(store, first).environment or ""
    for job_id in (first, second):
        store.orders.cancel(job_id, now=at(1))

    store.orders.purge([first])
    assert store.ledger.environment(digest) == {"SECRET": "x"}
    store.orders.purge([second])
    assert store.ledger.environment(digest) == {}


def test_environments_of_others_neither_keep_one_nor_go_with_it(store: Store) -> None:
    jobs = [
        NewJob(
            kind=Kind.SHELL,
            task="true",
            surroundings=Surroundings(cwd="/", umask=0o22, environment={"NAME": name}),
        )
        for name in ("a", "b")
    ]
    gone, kept = (got(store, job_id) for job_id in add(store, *jobs))
    store.orders.cancel(gone.id, now=at(1))

    store.orders.purge([gone.id])

    assert store.ledger.environment(gone.environment or "") == {}
    assert store.ledger.environment(kept.environment or "") == {"NAME": "b"}


def test_retries_alone_are_brought_forward_and_not_before_now(store: Store) -> None:
    [timed] = add(store, call(run_at=at(500)))
    done = ended(store, Outcome.OK)
    far, near, overdue = add(store, *(call(retries=1) for _ in range(3)))
    for job, wait_s in zip(claim(store, "w1", "w2", "w3"), (298, 148, 88), strict=True):
        finish(store, job, Outcome.ERROR, now=at(2), retry_in_s=wait_s)
    [gone] = add(store, call(retries=1))
    finish(store, claim(store)[0], Outcome.ERROR, now=at(2), retry_in_s=298)
    store.orders.cancel(gone, now=at(3))
    before = [got(store, job_id).run_at for job_id in (timed, done, overdue, gone)]

    assert store.queue.bring_forward(100, now=at(100)) == 2

    assert [got(store, job_id).run_at for job_id in (far, near)] == [at(200), at(100)]
    assert [got(store, job_id).run_at for job_id in (timed, done, overdue, gone)] == before


def test_the_counts_add_up_to_what_was_added_less_what_was_purged(store: Store) -> None:
    ids = [
        ended(store, outcome) for outcome in (Outcome.OK, Outcome.ERROR, Outcome.CRASHED, Outcome.CANCELLED)
    ]
    ids += add(store, call(), call(run_at=at(60)), call(run_at=at(60), expires_at=at(5)))
    claim(store)
    store.queue.expire(now=at(5))
    store.orders.purge(ids[:1])

    counts = store.ledger.counts()

    assert set(counts) == set(State)
    assert sum(counts.values()) == store.ledger.count(JobFilter()) == len(ids) - 1
    assert {where: n for where, n in counts.items() if n} == {
        State.SCHEDULED: 1,
        State.RUNNING: 1,
        State.FAILED: 1,
        State.CRASHED: 1,
        State.CANCELLED: 1,
        State.EXPIRED: 1,
    }


def test_pages_of_a_list_follow_each_other_without_gap_or_repeat(store: Store) -> None:
    ids = add(store, *(call() for _ in range(5)))

    first = store.ledger.select(JobFilter(), limit=3)
    second = store.ledger.select(JobFilter(), limit=3, after_id=first[-1].id)

    assert [job.id for job in first + second] == ids[::-1]


@pytest.mark.parametrize(
    ("which", "found"),
    [
        (JobFilter(queue="b"), [2]),
        (JobFilter(task="app:f*"), [1, 3]),
        (JobFilter(name="n"), [3]),
        (JobFilter(tag="t"), [2]),
        (JobFilter(ids=(1, 3, 99)), [1, 3]),
        (JobFilter(ids=()), []),
        (JobFilter(states=frozenset({State.SCHEDULED})), [3]),
        (JobFilter(states=frozenset({State.SCHEDULED, State.READY}), queue="a"), [1, 3]),
        (JobFilter(since=at(0), before=at(1)), [1, 2, 3]),
        (JobFilter(before=at(0)), []),
    ],
)
def test_every_part_of_a_filter_must_hold(store: Store, which: JobFilter, found: list[int]) -> None:
    add(
        store,
        call("app:f", queue="a"),
        call("app:g", queue="b", tags=("t", "tt")),
        call("app:ff", queue="a", name="n", run_at=at(60)),
    )

    assert [job.id for job in store.ledger.select(which, limit=9, newest_first=False)] == found
    assert store.ledger.count(which) == len(found)


def test_workers_are_shown_by_group_and_place_until_they_leave(store: Store) -> None:
    rows = [row("w3", group_pid=200), row("w2", number=2), row("w1")]
    for each in rows:
        store.workers.join(each)
        store.workers.join(each)

    assert [worker.name for worker in store.workers.all()] == ["w1", "w2", "w3"]
    assert store.workers.get("w2") == rows[1]
    store.workers.leave("w2")
    assert store.workers.get("w2") is None


def test_a_shutdown_is_noted_for_one_group_and_once(store: Store) -> None:
    store.workers.join(row("w1"))
    store.workers.join(row("w2"))  # of another group, whose supervisor has the same pid in its container

    store.workers.stopping(["w1"], now=at(1))
    store.workers.stopping(["w1"], now=at(2))

    assert [worker.stopping_at for worker in store.workers.all()] == [at(1), None]


def test_a_worker_whose_job_is_not_settled_stays_on_the_list(store: Store) -> None:
    store.workers.join(row("w1"))
    add(store)
    [job] = claim(store)

    store.workers.leave("w1")
    assert store.workers.get("w1") is not None
    finish(store, job)
    store.workers.leave("w1")
    assert store.workers.get("w1") is None


def test_a_group_of_changes_is_committed_whole_or_not_at_all(store: Store) -> None:
    add(store)
    [job] = claim(store)

    with contextlib.suppress(ZeroDivisionError), store.group():
        finish(store, job)
        add(store)
        _ = 1 / 0

    assert state(store, job.id) is State.RUNNING
    assert store.ledger.count(JobFilter()) == 1


def test_of_a_group_of_changes_one_may_be_given_up(store: Store) -> None:
    with store.group():
        add(store)
        with pytest.raises(UsageError, match="cannot be kept"), store.savepoint():
            add(store, call("app:g"), call(priority=2**70))
        with contextlib.suppress(ZeroDivisionError), store.savepoint():
            add(store)
            _ = 1 / 0
        add(store)

    assert store.ledger.count(JobFilter()) == 2
