"""A disk that answers with an error: the store is opened anew, and nothing that was finished is lost."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from jobrun.model import State
from tests.process.site import DEADLINE_S, Site

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace"),
]

LINE = 'echo "S $JOBRUN_ID $JOBRUN_ATTEMPT" >> "$LEDGER"'


def burst(site: Site, fault: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run a group of which each process meets a fault; return what became of it, and which faults there were."""
    trace = site.folder / "trace"
    call = fault.partition(":")[0]
    words = [sys.executable, "-m", "jobrun", "--db", str(site.path), "worker", "--burst", "-n", "1"]
    faults = ["-e", f"trace={call}", "-e", f"inject={fault}"]
    done = subprocess.run(
        ["strace", "-f", "-qq", "--seccomp-bpf", "-o", str(trace), *faults, *words],
        env=site.environment(),
        cwd=site.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=3 * DEADLINE_S,
    )
    return done, trace.read_text()


def test_a_commit_that_fails_once_costs_no_job_and_no_group(site: Site) -> None:
    jobs = [site.shell(LINE) for _ in range(4)]

    done, trace = burst(site, "fdatasync:error=EIO:when=6")

    assert "(INJECTED)" in trace
    assert done.returncode == 0, done.stderr
    assert [site.job(job).state for job in jobs] == [State.SUCCEEDED] * 4
    assert site.effects() == {f"S {job} 1": 1 for job in jobs}
    assert "Traceback" not in done.stderr


def test_a_disk_that_stays_broken_ends_the_group_with_4(site: Site) -> None:
    job = site.shell(LINE)

    done, _ = burst(site, "fdatasync:error=EIO:when=1+")

    assert done.returncode == 4
    assert "Traceback" not in done.stderr
    assert "cannot be read or written" in done.stderr
    site.burst()
    assert site.job(job).state is State.SUCCEEDED
    for stray in site.strays():  # of workers of whom nothing could be written down; swept after a day
        (site.side / stray).unlink()
