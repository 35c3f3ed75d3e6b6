"""What a monitor sees of real processes: well, killed, and well again."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from jobrun.model import State
from tests.process.site import Site, eventually

pytestmark = pytest.mark.process

TABLE = "[health]\nwarn_failed = 0\n[jobs.bad]\nshell = 'exit 3'\nevery = '1s'\n"


def health(site: Site) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jobrun", "--db", str(site.path), "health"],
        env=site.environment(),
        cwd=site.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_scheduler_passes_on_what_its_table_calls_well(site: Site) -> None:
    site.table(TABLE)
    site.cron()

    told = eventually(lambda: (found := health(site)).returncode == 1 and found.stdout)

    assert re.match(
        r"WARNING - \d+ failed or crashed \(more than 0\), .*1 worker, 1 scheduler \| ", str(told)
    )


def test_a_group_that_is_killed_is_critical_and_another_mends_it(site: Site) -> None:
    job = site.shell("sleep 600")
    group = site.start(n=1)
    eventually(lambda: site.job(job).state is State.RUNNING)
    busy = health(site)

    group.kill_all()
    killed = health(site)
    site.start(n=1)
    assert site.wait(job).state is State.CRASHED
    mended = health(site)

    assert (busy.returncode, killed.returncode, mended.returncode) == (0, 2, 0)
    assert busy.stdout.startswith("OK - 0 ready, 1 running, 1 worker | ")
    assert killed.stdout.startswith("CRITICAL - 1 job left behind by dead workers, 0 ready, ")
    assert mended.stdout.startswith("OK - 0 ready, 1 worker, 1 failed or crashed | ")
