"""When an alert is told: once when it begins to fire, again as often as asked, and when it is over.

    quiet --holds for `for`--> fires --every `remind`--> fires --does not hold for `for`--> quiet
              told: firing              told: reminder                told: over

A condition that comes and goes within `for` changes nothing in either direction.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from jobrun.alerts.words import Alert, Condition, Event, Latch, Reading


def holds(condition: Condition, reading: Reading) -> bool:
    """Say whether what was measured reaches the threshold."""
    return reading.value is not None and reading.value >= condition.threshold


def judged(alert: Alert, latch: Latch, *, is_held: bool, now: datetime) -> tuple[Latch, Event | None]:
    """Return the latch after a look at the condition, and what is to be told of it.

    >>> from datetime import UTC, timedelta
    >>> from jobrun.alerts.words import Quantity
    >>> alert = Alert(name="a", condition=Condition(quantity=Quantity.DEPTH, threshold=9), for_s=60)
    >>> latch, now = Latch(), datetime(2027, 1, 1, tzinfo=UTC)
    >>> for minute, is_held in enumerate((True, True, True, False, False, False)):
    ...     latch, event = judged(alert, latch, is_held=is_held, now=now + timedelta(minutes=minute))
    ...     print(minute, event)
    0 None
    1 firing
    2 None
    3 None
    4 over
    5 None
    """
    latch = _not_later(latch, now)
    return _held(alert, latch, now) if is_held else _calm(alert, latch, now)


def _held(alert: Alert, latch: Latch, now: datetime) -> tuple[Latch, Event | None]:
    latch = replace(latch, holds_since=latch.holds_since or now, calm_since=None)
    assert latch.holds_since is not None
    if latch.told_at is None:
        if _seconds(latch.holds_since, now) < alert.for_s:
            return latch, None
        return replace(latch, told_at=now, tells=1), Event.FIRING
    last_at = latch.reminded_at or latch.told_at
    if alert.remind_s is None or _seconds(last_at, now) < alert.remind_s:
        return latch, None
    return replace(latch, reminded_at=now, tells=latch.tells + 1), Event.REMINDER


def _calm(alert: Alert, latch: Latch, now: datetime) -> tuple[Latch, Event | None]:
    if latch.told_at is None:
        return Latch(), None
    latch = replace(latch, calm_since=latch.calm_since or now)
    assert latch.calm_since is not None
    if _seconds(latch.calm_since, now) < alert.for_s:
        return latch, None
    return Latch(), Event.OVER if alert.on_end else None


def _not_later(latch: Latch, now: datetime) -> Latch:
    """Return the latch with nothing in it after now: the clock was set back, and what waits would wait as long."""

    def cut(instant: datetime | None) -> datetime | None:
        return None if instant is None else min(instant, now)

    return replace(
        latch,
        holds_since=cut(latch.holds_since),
        calm_since=cut(latch.calm_since),
        told_at=cut(latch.told_at),
        reminded_at=cut(latch.reminded_at),
    )


def _seconds(since: datetime, now: datetime) -> float:
    return (now - since).total_seconds()
