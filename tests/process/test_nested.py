"""Jobs that use jobrun themselves: they enqueue without end, or start workers of their own."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jobrun.model import State
from tests.process.site import Group, Site, children_of, eventually

pytestmark = pytest.mark.process

MANY = 300  # by hand: 100,000
AT_ONCE = 10_000
MOST_MEMORY = 160 << 20  # bytes


def _peak(pid: int) -> int:
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmHWM" in line]
    return int(line.split()[1]) * 1024


def _members(group: Group) -> set[int]:
    return {group.pid, *children_of(group.pid)}


@pytest.mark.parametrize(("count", "together"), [(MANY, False), (AT_ONCE, True)])
def test_a_job_that_enqueues_in_a_loop_is_one_of_many_writers(
    site: Site, count: int, *, together: bool
) -> None:
    group = site.start("-Q", "default")
    group.workers()
    greedy = site.call("enqueues_elsewhere", count, kwargs={"together": together})
    calm = [site.call("short") for _ in range(20)]

    assert all(site.wait(job_id).state is State.SUCCEEDED for job_id in [*calm, greedy])
    assert site.job(greedy).result == str(count)
    assert site.store.ledger.counts()[State.READY] == count
    assert max(map(_peak, _members(group))) < MOST_MEMORY


def _worker_line(*options: str) -> str:
    words = [
        sys.executable,
        "-m",
        "jobrun",
        "--db",
        "$JOBRUN_DB",
        "worker",
        "-n1",
        "--grace",
        "0.3s",
        *options,
    ]
    return " ".join(f'"{word}"' for word in words)


def test_a_job_may_start_a_group_of_its_own(site: Site) -> None:
    site.start("-Q", "default", n=1)
    inner = [site.call("short", queue="inner") for _ in range(3)]

    outer = site.wait(site.shell(_worker_line("--burst", "-Q", "inner", "--path", "tasks")))

    assert (outer.state, outer.note) == (State.SUCCEEDED, None)
    assert site.effects() == Counter(f"{what} {job_id} 1" for what in "SE" for job_id in inner)


def test_a_group_that_a_job_started_ends_with_that_job(site: Site) -> None:
    group = site.start("-Q", "default", n=1)
    group.workers()
    before = set(site.alive())
    inner = site.call("works", 600, queue="inner")
    outer = site.shell(_worker_line("-Q", "inner", "--path", "tasks"))
    site.runs(inner)

    site.store.orders.cancel(outer, now=datetime.now(UTC))

    assert site.wait(outer).state is State.CANCELLED
    eventually(lambda: set(site.alive()) == before)
    assert site.wait(inner, {State.CRASHED, State.READY}).attempt == 1
