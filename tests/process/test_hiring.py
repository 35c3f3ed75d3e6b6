"""Workers that cannot be started, and workers that are replaced between two jobs."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable

import pytest

from jobrun.model import State
from jobrun.supervisor.hiring import CANNOT_WORK, TRIES
from tests.process.site import DEADLINE_S, Site

pytestmark = pytest.mark.process

TOO_FEW = 9  # descriptors: the supervisor raises that limit, and a worker gets it back as it was


def few_descriptors(soft: int) -> Callable[[], None]:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_burst_in_which_no_worker_can_be_started_ends_and_says_why(site: Site) -> None:
    job_id = site.shell("true")

    done = subprocess.run(
        [sys.executable, "-m", "jobrun", "--db", site.path, "worker", "--burst", "-n", "2"],
        env=site.environment(),
        cwd=site.folder,
        preexec_fn=few_descriptors(TOO_FEW),
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )

    assert (done.returncode, site.job(job_id).state) == (CANNOT_WORK, State.READY)
    said = [line for line in done.stderr.splitlines() if "worker 1" in line]
    assert [line.rpartition("; ")[2] for line in said] == [
        *(f"replaced in {0.1 * 2**n:g} s" for n in range(TRIES - 1)),
        "not replaced",
    ]
    assert done.stderr.endswith(
        f"jobrun: no worker can be started: exit 71, {TRIES} times in a row\n"
        "hint: the lines above say why; all jobs wait\n"
    )
