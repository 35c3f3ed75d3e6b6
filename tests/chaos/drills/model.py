"""L2: the store against its paper, with other seeds and for longer than in the tests."""

from __future__ import annotations

import sys
import traceback

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from tests.chaos.trial import Drill, Trial
from tests.store.wholemachine import StoreMachine

STEPS = 100  # of one life
LIVES = 5  # between looks at the clock


def _run(trial: Trial) -> None:
    """Run lives of the machine; the drawn ones depend on the seed alone, their number on the clock."""
    while not trial.faults:
        _lives(trial)
        if trial.is_over:
            return


def _lives(trial: Trial) -> None:
    class Counting(StoreMachine):
        @invariant()
        def is_counted(self) -> None:
            trial.count("steps")

        def teardown(self) -> None:
            trial.count("lives")
            super().teardown()

    machine = seed(trial.dice.getrandbits(64))(Counting)
    how = settings(
        max_examples=LIVES,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(machine, settings=how, _min_steps=STEPS)  # else most lives are short
    except BaseException as error:  # noqa: BLE001 -- whatever it is, the sequence that led there is in the log
        traceback.print_exception(error, file=sys.stdout)
        what = traceback.format_exception_only(error)[0].splitlines()[0]
        [*_, place] = traceback.extract_tb(error.__traceback__)
        trial.fault(f"{what} at {place.name}:{place.lineno}; the sequence is in drill.log")


DRILL = Drill(
    level="L2",
    says="the whole store against dicts, step by step",
    run=_run,
    short_s=3.0,
    long_s=45.0,
)
