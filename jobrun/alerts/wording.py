"""Alerts in words: at what value one is due."""

from __future__ import annotations

from jobrun.alerts.words import Condition, Quantity
from jobrun.units import format_duration


def limit_in_words(condition: Condition) -> str:
    """Return at what value the condition begins to hold; nothing where there is but one.

    >>> limit_in_words(Condition(quantity=Quantity.FAILURE_RATE, threshold=0.2, over_s=7200))
    '20% in 2h'
    """
    threshold = condition.threshold
    match condition.quantity:
        case Quantity.NO_WORKER:
            return ""
        case Quantity.WAIT:
            return format_duration(threshold)
        case Quantity.MISSED:
            return f"{threshold:g} in {format_duration(condition.over_s)}"
        case Quantity.FAILURE_RATE:
            return f"{share_in_words(threshold)} in {format_duration(condition.over_s)}"
        case Quantity.SLOW:
            return f"{threshold:.3g} x usual"
    return f"{threshold:g}"


def share_in_words(share: float) -> str:
    """Return a part of a whole in hundredths.

    >>> share_in_words(2 / 3)
    '66.7%'
    """
    return f"{share * 100:.3g}%"
