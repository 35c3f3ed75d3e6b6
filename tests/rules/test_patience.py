"""How long a process waits while its job file takes nothing, and how often it says so."""

from __future__ import annotations

from jobrun.patience import Patience


def test_tries_come_soon_enough_for_what_waits() -> None:
    patience = Patience()

    waits = []
    for now in (0.0, 10.0, 20.0):
        patience.begin(now)
        waits.append(patience.left_s(now))

    assert waits == [1.0, 2.0, 2.0]
    patience.end()
    assert patience.left_s(20.0) == 0.0


def test_what_lasts_is_said_once_a_minute() -> None:
    patience = Patience()

    assert [now for now in range(0, 150, 2) if patience.begin(now)] == [0, 60, 120]


def test_what_comes_and_goes_is_said_every_ten_seconds_at_most() -> None:
    patience = Patience()

    said = []
    for now in range(0, 40, 2):
        if patience.begin(now):
            said.append(now)
        patience.end()

    assert said == [0, 10, 20, 30]
