"""A group has as many descriptors as its workers need, or says at the start that it cannot."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable

import pytest

from jobrun.model import State
from jobrun.supervisor import room
from tests.process.site import DEADLINE_S, Site

MANY = 12
BELOW = room.OWN + 10  # what this many workers cannot do with
PRINTS = 'echo "S $JOBRUN_ID $JOBRUN_ATTEMPT $(ulimit -S -n)" >> "$LEDGER"'


def limited(soft: int, hard: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def burst(site: Site, limit: Callable[[], None]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jobrun", "--db", site.path, "worker", "--burst", "-n", str(MANY)],
        env=site.environment(),
        cwd=site.folder,
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )


@pytest.mark.process
def test_a_group_raises_its_soft_limit_and_jobs_find_the_one_they_had(site: Site) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    line, call = site.shell(PRINTS), site.call("resource:getrlimit", resource.RLIMIT_NOFILE)

    done = burst(site, limited(BELOW, hard))

    assert (done.returncode, done.stderr) == (0, "")
    assert site.effects()[f"S {line} 1 {BELOW}"] == 1
    assert site.job(call).result == f"[{BELOW},{hard}]"


@pytest.mark.process
def test_more_workers_than_descriptors_allow_are_refused_before_anything_begins(site: Site) -> None:
    job = site.shell(PRINTS)

    done = burst(site, limited(BELOW, BELOW))

    assert done.returncode == 4
    assert done.stderr == (
        f"jobrun: too few file descriptors: {MANY} workers need {room.OWN + room.EACH * MANY}, "
        f"and the limit is {BELOW}\nhint: raise `ulimit -n`, or start 2 at most\n"
    )
    assert site.job(job).state is State.READY


def test_a_limit_that_is_high_enough_stays_as_it_is() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)

    assert room.make_room(1) == before[0]

    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before
