"""The short form of each drill; `./install.sh chaos` runs the long ones."""

from __future__ import annotations

import pytest

from tests.chaos.drills import DRILLS
from tests.chaos.rounds import run

SEED = 1


@pytest.mark.process
@pytest.mark.parametrize("name", [name for name, drill in DRILLS.items() if drill.share])
def test_a_short_round_of_every_drill_holds(name: str) -> None:
    found = run(name, SEED, DRILLS[name].short_s)

    if found.cannot:
        pytest.skip(found.cannot)
    assert found.faults == [], f"replay: {found.replay}"
    assert found.counts, "nothing was tried"
