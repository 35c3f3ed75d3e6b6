"""What became unusual is told, and what is ordinary noise is not."""

from __future__ import annotations

import random
from collections.abc import Callable
from statistics import median as true_median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobrun.ranks import chance_of_so_many, median, percentile
from jobrun.unusual import LEAST_BEFORE, LEAST_RECENT, Change, What, failing_more, shifted

Draw = Callable[[random.Random], int]
TRIALS = 300

# Durations as they come: even, skewed, of two kinds, with a few that are very long, all the same.
NOISE: dict[str, Draw] = {
    "even": lambda dice: dice.randint(900, 1100),
    "wide": lambda dice: dice.randint(1, 5000),
    "skewed": lambda dice: int(dice.lognormvariate(7, 1)),
    "two kinds": lambda dice: dice.choice([200, 9000]),
    "one in three": lambda dice: dice.choice([200, 200, 9000]),
    "outliers": lambda dice: dice.choice([1000] * 9 + [600_000]),
    "constant": lambda _: 1000,
}


def drawn(draw: Draw, seed: int) -> list[int]:
    dice = random.Random(seed)
    return [draw(dice) for _ in range(dice.choice([20, 25, 40, 100, 400]))]


@pytest.mark.parametrize("noise", NOISE)
def test_ordinary_noise_is_silent(noise: str) -> None:
    alarms = [seed for seed in range(TRIALS) if shifted(What.DURATION, drawn(NOISE[noise], seed), least=0)]

    assert len(alarms) <= 1, alarms


@pytest.mark.parametrize("rate", [0.0, 0.02, 0.2, 0.5, 0.9])
def test_failures_that_come_as_ever_are_silent(rate: float) -> None:
    alarms = [
        seed for seed in range(TRIALS) if failing_more(drawn(lambda dice: int(dice.random() < rate), seed))
    ]

    assert len(alarms) <= 2, alarms


@pytest.mark.parametrize("noise", ["even", "constant"])
@pytest.mark.parametrize("factor", [0.3, 2.0, 10.0])
@pytest.mark.parametrize("count", [25, 100, 30_000])
def test_a_shift_is_found(noise: str, factor: float, count: int) -> None:
    dice = random.Random(1)
    values = [NOISE[noise](dice) for _ in range(count)]
    recent = count // 5
    changed = [*values[:-recent], *(int(value * factor) for value in values[-recent:])]

    change = shifted(What.DURATION, changed, least=100)

    assert change is not None
    assert (change.recent, change.past) == (recent, count - recent)
    assert change.now == pytest.approx(change.was * factor, rel=0.2)


def test_a_shift_of_skewed_values_is_found() -> None:
    dice = random.Random(1)
    values = [NOISE["skewed"](dice) for _ in range(200)]

    assert (
        shifted(What.DURATION, [*values[:-40], *(each * 10 for each in values[-40:])], least=100) is not None
    )


def test_output_that_is_empty_all_at_once_is_found() -> None:
    assert shifted(What.OUTPUT, [*[5000, 5100, 5050] * 10, *[0] * 8], least=1024) == Change(
        what=What.OUTPUT, was=5050, now=0, recent=7, past=31
    )


@pytest.mark.parametrize(
    ("values", "least"),
    [
        ([10] * 80 + [30] * 20, 100),  # three times as long, and nobody cares
        ([1000] * 80 + [1400] * 20, 100),  # less than half longer
        ([1000] * 85 + [9000] * 2, 100),  # two are no fifth
        ([1000] * (LEAST_BEFORE - 1) + [9000] * LEAST_RECENT, 100),  # too few to know
        ([], 0),
    ],
)
def test_what_is_small_or_rare_is_silent(values: list[int], least: int) -> None:
    assert shifted(What.DURATION, values, least=least) is None


def test_more_failures_than_chance_gives_are_found() -> None:
    assert failing_more([0] * 76 + [1] * 4 + [0] * 10 + [1] * 10) == Change(
        what=What.FAILURES, was=4, now=10, recent=20, past=80
    )


def test_fewer_failures_are_no_trouble() -> None:
    assert failing_more([1] * 80 + [0] * 20) is None


@given(st.lists(st.integers(0, 10**9), max_size=200), st.integers(0, 10**6))
def test_the_order_of_what_is_the_same_before_and_after_says_nothing(values: list[int], least: int) -> None:
    """Rotate what repeats: both parts have the same values, whatever these are."""
    assert shifted(What.DURATION, sorted(values) * 5, least=least) is None
    assert failing_more([value % 2 for value in values] * 5) is None


@given(st.lists(st.integers(0, 10**9), min_size=1), st.integers(1, 100))
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(
    values: list[int], percent: int
) -> None:
    found = percentile(sorted(values), percent)

    def covers(value: int) -> bool:
        return 100 * sum(each <= value for each in values) >= percent * len(values)

    assert covers(found)
    assert not any(covers(value) for value in values if value < found)


@given(st.lists(st.integers(), min_size=1).filter(lambda values: len(values) % 2 == 1))
def test_the_median_of_an_odd_number_is_the_one_in_the_middle(values: list[int]) -> None:
    assert median(values) == true_median(values)


@given(st.data())
def test_the_chance_is_that_of_drawing_without_putting_back(data: st.DataObject) -> None:
    of = data.draw(st.integers(2, 12))
    among, drawn_ = data.draw(st.integers(0, of)), data.draw(st.integers(1, of))
    hits = data.draw(st.integers(0, min(among, drawn_)))
    masks = [mask for mask in range(2**of) if mask.bit_count() == drawn_]
    wanted = sum((mask & (2**among - 1)).bit_count() >= hits for mask in masks) / len(masks)

    found = chance_of_so_many(hits, drawn=drawn_, among=among, of=of)

    if hits * of <= drawn_ * among:
        assert found == 1.0, "no more than is to be expected"
    else:
        assert found == pytest.approx(wanted)
