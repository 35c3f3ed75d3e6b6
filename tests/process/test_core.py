"""Core files: jobs may leave them as the group was told; what holds the job file leaves none."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest

from tests.process.site import Site

pytestmark = pytest.mark.process


def _core_limit(pid: int) -> str:
    [line] = [line for line in Path(f"/proc/{pid}/limits").read_text().splitlines() if "core file" in line]
    return line.split()[4]  # the soft one


def test_jobs_may_leave_the_cores_that_the_group_was_started_with(site: Site) -> None:
    before = resource.getrlimit(resource.RLIMIT_CORE)
    wanted = 1 << 20 if before[1] == resource.RLIM_INFINITY else before[1]
    resource.setrlimit(resource.RLIMIT_CORE, (wanted, before[1]))  # inherited
    try:
        group = site.start(n=1)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)

    called = site.wait(site.call("core_limits"))
    shell = site.shell("ulimit -c")
    site.wait(shell)

    assert json.loads(called.result or "") == [wanted, before[1]]
    assert int(site.last(shell).ending.output.head) * 512 == wanted
    assert [_core_limit(pid) for pid in (group.pid, group.dispatcher())] == ["0", "0"]
