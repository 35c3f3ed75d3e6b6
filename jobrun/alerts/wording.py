"""Alerts in words: what a condition asks for, and what was found."""

from __future__ import annotations

from jobrun.alerts.words import Condition, Quantity, Reading
from jobrun.units import format_duration, plural

_PREFIXED = frozenset({Quantity.DEPTH, Quantity.WAIT, Quantity.FAILURE_RATE})  # the others say it themselves


def value_in_words(quantity: Quantity, value: float) -> str:
    """Return a measured value, or a threshold, as people say it.

    >>> [value_in_words(Quantity.DEPTH, 3), value_in_words(Quantity.WAIT, 90), value_in_words(Quantity.SLOW, 2.5)]
    ['3 ready', '1m 30s', '2.5 times the usual']
    """
    match quantity:
        case Quantity.DEPTH:
            return f"{value:g} ready"
        case Quantity.WAIT:
            return format_duration(value)
        case Quantity.FAILURE_RATE:
            return f"{value * 100:.3g}%"
        case Quantity.NO_WORKER:
            return "no worker"
        case Quantity.MISSED:
            return f"{plural(round(value), 'tick')} missed"
        case Quantity.SLOW:
            return f"{value:.3g} times the usual"


def found_in_words(condition: Condition, reading: Reading) -> str:
    """Return what was measured, and of what.

    >>> mail = Condition(quantity=Quantity.DEPTH, threshold=3, queue="mail")
    >>> found_in_words(mail, Reading(value=4, text="4 ready"))
    'depth of mail: 4 ready'
    """
    if condition.quantity not in _PREFIXED:
        return reading.text
    return f"{subject(condition)}: {reading.text}"


def subject(condition: Condition) -> str:
    """Return what is measured, and of what.

    >>> subject(Condition(quantity=Quantity.FAILURE_RATE, threshold=0.2, entry="backup"))
    'failure rate of backup'
    """
    what = condition.quantity.replace("_", " ")
    whom = condition.queue or condition.entry or condition.task
    joint = "for" if condition.quantity is Quantity.NO_WORKER else "of"
    return f"{what} {joint} {whom}" if whom else what


def limit_in_words(condition: Condition) -> str:
    """Return at what value the condition begins to hold; nothing where there is but one.

    >>> limit_in_words(Condition(quantity=Quantity.FAILURE_RATE, threshold=0.2, over_s=7200))
    '20% in 2h'
    """
    match condition.quantity:
        case Quantity.NO_WORKER:
            return ""
        case Quantity.MISSED:
            return f"{condition.threshold:g} in {format_duration(condition.over_s)}"
        case Quantity.FAILURE_RATE:
            said = value_in_words(condition.quantity, condition.threshold)
            return f"{said} in {format_duration(condition.over_s)}"
    return value_in_words(condition.quantity, condition.threshold)
