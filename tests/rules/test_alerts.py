"""When an alert is told: once, again if asked, and when it is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobrun.alerts.latch import holds, judged
from jobrun.alerts.telling import VARIABLES, event_of, key_prefix, telling, template_of
from jobrun.alerts.words import Alert, AlertRow, Condition, Event, Latch, Quantity, Reading
from jobrun.cron.words import Errand
from jobrun.model import Kind, NewJob, Surroundings
from jobrun.requests import MAX_PRIORITY, check

NOW = datetime(2027, 1, 5, 12, tzinfo=UTC)
DEPTH = Condition(quantity=Quantity.DEPTH, threshold=100)


def alert(**options: Any) -> Alert:
    return Alert(**{"name": "backlog", "condition": DEPTH, **options})


def events(of: Alert, looks: str, *, every_s: float = 60.0) -> str:
    """Return what is told at looks, one every minute, at which the condition holds (`x`) or does not (`.`)."""
    latch, found = Latch(), ""
    for number, look in enumerate(looks):
        now = NOW + timedelta(seconds=number * every_s)
        latch, event = judged(of, latch, is_held=look == "x", now=now)
        found += "-" if event is None else event[0]
    return found


@pytest.mark.parametrize(
    ("options", "looks", "told"),
    [
        ({}, ".xx.x", "-f-of"),
        ({"for_s": 120}, "xxxxx", "--f--"),
        ({"for_s": 120}, "xx.xx.xx", "--------"),  # it never held for long enough
        ({"for_s": 120}, "xxx.xx....", "--f-----o-"),  # nor was it gone for long enough, at first
        ({"remind_s": 120}, "xxxxxx.", "f-r-r-o"),
        ({"for_s": 60, "remind_s": 120}, "xxxxxx..", "-f-r-r-o"),
        ({"on_end": False}, "x.x.", "f-f-"),
        ({"remind_s": 30}, "xx.", "fro"),
    ],
)
def test_an_alert_is_told_once_reminded_and_told_when_over(
    options: dict[str, Any], looks: str, told: str
) -> None:
    assert events(alert(**options), looks) == told


def test_a_reminder_that_is_due_while_the_condition_is_gone_waits_for_its_return() -> None:
    assert events(alert(for_s=120, remind_s=60), "xxx.xx") == "--f-rr"


@given(
    st.lists(st.booleans(), max_size=40),
    st.sampled_from([0.0, 60.0, 150.0]),
    st.sampled_from([None, 60.0, 200.0]),
)
def test_what_is_told_alternates_and_nothing_is_over_that_was_not_told(
    looks: list[bool], for_s: float, remind_s: float | None
) -> None:
    told = events(alert(for_s=for_s, remind_s=remind_s), "".join(".x"[each] for each in looks))
    turns = told.replace("-", "").replace("r", "")

    assert "fofofofofofofofofofofofofofofofofofofofofofofo".startswith(turns)
    assert remind_s is not None or "r" not in told


def test_the_state_of_the_latch_tells_all_that_a_restart_needs() -> None:
    latch, event = judged(alert(for_s=60), Latch(), is_held=True, now=NOW)
    assert (latch, event) == (Latch(holds_since=NOW), None)

    latch, event = judged(alert(for_s=60), latch, is_held=True, now=NOW + timedelta(minutes=1))
    assert event is Event.FIRING
    assert latch == Latch(holds_since=NOW, told_at=NOW + timedelta(minutes=1), tells=1)

    _, event = judged(alert(for_s=60), latch, is_held=True, now=NOW + timedelta(days=9))
    assert event is None


def test_a_clock_that_is_set_back_keeps_no_reminder_waiting_for_longer_than_it_is_asked_for() -> None:
    ahead = NOW + timedelta(days=365)
    latch = Latch(holds_since=ahead, told_at=ahead, tells=1)
    latch, first = judged(alert(remind_s=60), latch, is_held=True, now=NOW)

    _, second = judged(alert(remind_s=60), latch, is_held=True, now=NOW + timedelta(seconds=60))

    assert (first, second) == (None, Event.REMINDER)


@pytest.mark.parametrize(("value", "is_held"), [(None, False), (99, False), (100, True), (101, True)])
def test_a_condition_holds_at_its_threshold_and_above(value: float | None, *, is_held: bool) -> None:
    assert holds(DEPTH, Reading(value=value, text="")) is is_held


def row(kind: Kind = Kind.SHELL) -> AlertRow:
    around = Surroundings(cwd="/", umask=None, environment={"TO": "ann"})
    errand = Errand(kind=kind, task="app:tell" if kind is Kind.CALL else "page", surroundings=around)
    template = template_of(alert(errand=errand))
    return AlertRow(alert=alert(), table="/etc/jobs.toml", digest="d", template=template)


def told(kind: Kind = Kind.SHELL) -> tuple[dict[str, Any], NewJob]:
    event = event_of(row(kind), Event.FIRING, Reading(value=0.25, text="1 of 4"), since=NOW, host="web1")
    job = telling(row(kind), event, now=NOW)
    assert job is not None
    return event, job


def test_what_is_told_is_in_the_environment_and_on_standard_input() -> None:
    event, job = told()

    assert job.surroundings is not None
    assert job.surroundings.environment == {
        "TO": "ann",
        "JOBRUN_ALERT_NAME": "backlog",
        "JOBRUN_ALERT_STATE": "firing",
        "JOBRUN_ALERT_SEVERITY": "warning",
        "JOBRUN_ALERT_SINCE": "2027-01-05T12:00:00.000Z",
        "JOBRUN_ALERT_VALUE": "0.25",
        "JOBRUN_ALERT_THRESHOLD": "100",
        "JOBRUN_ALERT_CONDITION": "depth",
        "JOBRUN_ALERT_QUEUE": "",
        "JOBRUN_ALERT_ENTRY": "",
        "JOBRUN_ALERT_TASK": "",
        "JOBRUN_ALERT_TEXT": "warning: backlog firing: 1 of 4 (limit 100)",
    }
    assert f'"host": "{event["host"]}"' in (job.terms.stdin or "")
    assert set(VARIABLES) <= set(event)


def test_a_call_gets_what_is_told_as_its_argument() -> None:
    event, job = told(Kind.CALL)

    assert job.args == (event,)
    assert job.terms.stdin is None


def test_what_tells_is_a_job_that_goes_before_all_others_and_may_be_asked_for() -> None:
    _, job = told()

    assert (job.priority, job.queue, job.tags) == (MAX_PRIORITY, "default", ("alert",))
    assert job.key is not None
    assert job.key.startswith(key_prefix("/etc/jobs.toml"))
    check(job, now=NOW)


def test_nobody_is_told_of_an_alert_that_names_nobody() -> None:
    silent = AlertRow(alert=alert(), table="/t", digest="d", template=template_of(alert()))
    event = event_of(silent, Event.FIRING, Reading(value=1, text=""), since=NOW, host="h")

    assert telling(silent, event, now=NOW) is None
