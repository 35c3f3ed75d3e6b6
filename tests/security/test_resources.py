"""What one user's jobs may use: as many at once as there are workers, and no more than the group's own limits."""

from __future__ import annotations

import json
import resource
from collections import Counter

import pytest

from jobrun.model import Kind, NewJob, State
from tests.process.site import Site

pytestmark = pytest.mark.process


def test_no_more_jobs_run_at_once_than_there_are_workers(site: Site) -> None:
    ids = site.add(*[NewJob(kind=Kind.CALL, task="disasters:works", args=(0.02,))] * 30)
    site.burst(n=3)

    running, most = 0, 0
    for line in site.effects_path.read_text().splitlines():
        running += {"S": 1, "E": -1}[line[0]]
        most = max(most, running)
    assert 1 <= most <= 3
    assert Counter(site.job(job_id).state for job_id in ids) == {State.SUCCEEDED: 30}


@pytest.mark.parametrize("name", ["RLIMIT_NPROC", "RLIMIT_AS", "RLIMIT_FSIZE"])
def test_the_limits_that_a_group_is_started_with_hold_for_its_jobs(site: Site, name: str) -> None:
    which = getattr(resource, name)
    before = resource.getrlimit(which)
    most = 1 << 33
    if before[1] != resource.RLIM_INFINITY and before[1] < most:
        most = before[1]
    (site.folder / "tasks" / "limits.py").write_text(
        f"import resource\ndef soft(): return resource.getrlimit(resource.{name})[0]\n"
    )
    job_id = site.call("limits:soft")
    resource.setrlimit(which, (most, before[1]))  # inherited
    try:
        site.burst(n=1)
    finally:
        resource.setrlimit(which, before)

    assert json.loads(site.job(job_id).result or "") == most
