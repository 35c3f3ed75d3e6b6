"""The `[alerts.NAME]` of a table: their keys, and what must fit together in each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from jobrun.alerts.words import Alert, Condition, Quantity, Severity
from jobrun.cron.words import Entry, Errand
from jobrun.errors import UsageError
from jobrun.model import Kind, NewJob
from jobrun.requests import check_name, check_target
from jobrun.table import values
from jobrun.table.problems import Problems, Spot
from jobrun.table.sections import read_keys
from jobrun.table.surroundings import Surrounder

CONDITIONS: dict[str, Callable[[Any], float]] = {
    Quantity.DEPTH: values.some,
    Quantity.WAIT: values.duration,
    Quantity.FAILURE_RATE: values.share,
    Quantity.NO_WORKER: values.yes,
    Quantity.MISSED: values.some,
    Quantity.SLOW: values.factor,
}
KEYS: dict[str, Callable[[Any], Any]] = {
    **CONDITIONS,
    "queue": values.text,
    "entry": values.text,
    "task": values.text,
    "over": values.span,
    "runs": values.some,
    "at_least": values.duration,
    "for": values.duration,
    "severity": values.choice(Severity),
    **values.WHAT_RUNS,
    "remind": values.span,
    "on_end": values.flag,
}
# Keys that mean something for some conditions only, and the fields of a condition that they fill.
PARTS: dict[str, tuple[str, frozenset[Quantity]]] = {
    "queue": ("queue", frozenset({Quantity.DEPTH, Quantity.WAIT, Quantity.NO_WORKER})),
    "entry": ("entry", frozenset({Quantity.FAILURE_RATE, Quantity.SLOW})),
    "task": ("task", frozenset({Quantity.FAILURE_RATE, Quantity.SLOW})),
    "over": ("over_s", frozenset({Quantity.FAILURE_RATE, Quantity.MISSED})),
    "runs": ("runs", frozenset({Quantity.FAILURE_RATE})),
    "at_least": ("at_least_s", frozenset({Quantity.SLOW})),
}
_FIELDS = {"severity": "severity", "for": "for_s", "remind": "remind_s", "on_end": "on_end"}


def read_alerts(said: Any, surrounder: Surrounder, problems: Problems) -> tuple[Alert, ...]:
    """Return the alerts of a table in the order of the file; what is wrong goes to `problems`."""
    if not isinstance(said, dict):
        hint = "begin each alert with [alerts.NAME]"
        problems.at().add("alerts", UsageError("must be a table", hint=hint))
        return ()
    read = [_alert(problems.at("alerts", name), name, keys, surrounder) for name, keys in said.items()]
    return tuple(alert for alert in read if alert is not None)


def remarks_on(alerts: Iterable[Alert], entries: Iterable[Entry], problems: Problems) -> Iterator[str]:
    """Yield what is allowed in alerts, but may not be what was meant."""
    names = {entry.name for entry in entries}
    for alert in alerts:
        place = ("alerts", alert.name)
        entry, errand = alert.condition.entry, alert.errand
        if entry is not None and entry not in names:
            yield problems.remark((*place, "entry"), f"this table has no entry `{entry}`")
        if errand is None:
            yield problems.remark(place, "tells nobody: it has no `shell`, `command` or `call`")
        elif errand.kind is Kind.CALL and alert.condition.quantity is Quantity.NO_WORKER:
            yield problems.remark((*place, "call"), "waits for a worker, and tells that there is none")


def _alert(spot: Spot, name: str, said: Any, surrounder: Surrounder) -> Alert | None:
    with spot.blame(""):
        check_name("name", name)
    own = read_keys(spot, said, KEYS)
    if not isinstance(said, dict):
        return None
    condition = _condition(spot, said, own)
    errand = _errand(spot, own)
    if condition is None or not spot.is_clean:
        return None
    if errand is not None:
        errand = replace(errand, surroundings=surrounder.surroundings(errand.kind, {}))
    given = {field: own[key] for key, field in _FIELDS.items() if key in own}
    return Alert(name=name, condition=condition, errand=errand, line=spot.line, **given)


def _condition(spot: Spot, said: Mapping[str, Any], own: Mapping[str, Any]) -> Condition | None:
    """Return the one condition of an alert, or None when something in it is wrong."""
    given = [key for key in CONDITIONS if key in said]
    if len(given) != 1:
        if given:
            spot.add("", UsageError(f"has both `{given[0]}` and `{given[1]}`", hint="keep one, or make two"))
        elif spot.is_clean:  # or one of them is misspelt, and told
            spot.add("", UsageError("has no condition", hint=f"one of {', '.join(CONDITIONS)} is needed"))
        return None
    quantity = Quantity(given[0])
    parts = {}
    for key, (field, fitting) in PARTS.items():
        if key not in own:
            continue
        parts[field] = own[key]
        if quantity not in fitting:
            words = " and ".join(f"`{each}`" for each in CONDITIONS if each in fitting)
            spot.add(key, UsageError(f"is for {words}, not for `{quantity}`"))
        with spot.blame(key):
            _check_part(key, own[key])
    if "entry" in own and "task" in own:
        spot.add("", UsageError("has both `entry` and `task`", hint="keep one"))
    if quantity not in own:
        return None
    return Condition(quantity=quantity, threshold=own[quantity], **parts)


def _check_part(key: str, value: Any) -> None:
    if key in ("queue", "entry"):
        check_name(key, value)
    elif key == "task":
        check_target(value)


def _errand(spot: Spot, own: Mapping[str, Any]) -> Errand | None:
    given = [key for key in values.WHAT_RUNS if key in own]
    if len(given) > 1:
        spot.add("", UsageError(f"has both `{given[0]}` and `{given[1]}`", hint="keep one"))
    if not given:
        return None
    errand: Errand = own[given[0]]
    with spot.blame(given[0]):
        values.check_job(NewJob(kind=errand.kind, task=errand.task, args=errand.args))
    return errand
