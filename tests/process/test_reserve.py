"""Short jobs are handed out ahead of time; whoever dies or hangs then, none is lost, and none runs twice unseen."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest

from jobrun.model import Kind, NewJob, Outcome, State
from tests.process.site import Group, Site, eventually, kill

pytestmark = pytest.mark.process


def add(site: Site, count: int, *, retries: int = 0) -> list[int]:
    new = NewJob(kind=Kind.CALL, task="disasters:works", args=(0,), retries=retries, backoff_s=0.0)
    return site.add(*[new] * count)


def ended(site: Site) -> int:
    return site.effects().total() // 2


def most_held(site: Site) -> int:
    """Return how many jobs a worker holds that holds most."""
    held = Counter(job.worker for job in site.store.endings.running())
    return max(held.values(), default=0)


def test_short_jobs_are_held_in_reserve(site: Site) -> None:
    site.start()
    ids = add(site, 2000)

    eventually(lambda: most_held(site) > 3)

    assert {site.wait(job_id).state for job_id in ids[-50:]} == {State.SUCCEEDED}
    assert site.effects() == Counter(f"{what} {job_id} 1" for what in "SE" for job_id in ids)


def test_a_job_that_hangs_holds_back_nobody(site: Site) -> None:
    group = site.start()
    first = add(site, 300)
    hangs = site.call("works", 600)
    behind = add(site, 300)

    for job_id in [*first, *behind]:
        site.wait(job_id)

    assert site.job(hangs).state is State.RUNNING
    assert site.effects()[f"S {hangs} 1"] == 1
    group.stop()


def kill_a_worker(group: Group, dice: random.Random) -> None:
    kill(dice.choice(group.workers()))


def kill_the_dispatcher(group: Group, _dice: random.Random) -> None:
    kill(group.dispatcher())


@pytest.mark.parametrize("harm", [kill_a_worker, kill_the_dispatcher])
def test_no_short_job_is_lost_or_run_twice_unseen(
    site: Site, harm: Callable[[Group, random.Random], None]
) -> None:
    dice = random.Random(4)
    group = site.start()
    ids = add(site, 3000, retries=100)

    for goal in range(200, 2000, 200):
        eventually(lambda goal=goal: ended(site) >= goal)  # type: ignore[misc]
        harm(group, dice)

    judge(site, ids)


def test_after_the_death_of_a_whole_group_what_lay_in_reserve_runs_and_what_ran_is_told(site: Site) -> None:
    ids = add(site, 3000, retries=100)
    for goal in (300, 900, 1500):
        group = site.start()
        eventually(lambda goal=goal: ended(site) >= goal)  # type: ignore[misc]
        group.kill_all()

    site.burst()

    judge(site, ids)


def judge(site: Site, ids: list[int]) -> None:
    """Hold what the jobs did against what the job file says they did."""
    effects = site.effects
    eventually(lambda: site.store.ledger.counts()[State.SUCCEEDED] == len(ids), within_s=60)
    begun = {(line.split()[1], line.split()[2]) for line in effects() if line.startswith("S ")}
    assert max(effects().values()) == 1, "an attempt ran twice"
    rows = site.store._database.rows("SELECT job_id, number, outcome FROM attempts")
    outcomes = {(str(job_id), str(number)): outcome for job_id, number, outcome in rows}
    assert begun <= outcomes.keys(), "an effect without an attempt"
    without = Counter(outcomes[attempt] for attempt in outcomes.keys() - begun)
    assert without.keys() <= {Outcome.INTERRUPTED, Outcome.CRASHED}
    assert without[Outcome.CRASHED] <= 12, (
        "more than one for each dead worker, between its note and its effect"
    )
    for attempt in begun:
        assert outcomes[attempt] in {Outcome.OK, Outcome.CRASHED}, attempt
    assert {attempt[0] for attempt in begun} == {str(job_id) for job_id in ids}
