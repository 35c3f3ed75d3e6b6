"""No signal reaches a process but the one that was meant: not by a number that somebody else has by now."""

from __future__ import annotations

import ast
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import jobrun
from jobrun import procs
from jobrun.locks.records import Recorder
from jobrun.model import State
from tests.process.site import Site, is_alive, kill

PACKAGE = Path(jobrun.__file__).parent
WHY_SAFE = {
    "cli/top/session.py": "this process, by its own number",
    "procs.py": "`send`: held by a descriptor, then looked at again",
    "run/command.py": "`_ask_to_end`: the process group of a child that we have not reaped",
    "run/leftovers.py": "`_stop_fork_server`: a child that we have not reaped",
    "scheduler/courier.py": "a child that only its Popen reaps, which then sends no more",
    "supervisor/crew.py": "`_signal_worker`: a child that we have not reaped",
    "supervisor/stacks.py": "the children of the supervisor, which does not reap meanwhile",
    "worker/isolation.py": "`_ask_to_end`: a child that we have not reaped",
    "worker/calling.py": "`_ask`: a thread of this process",
}
_SENDS = {"kill", "killpg", "pidfd_send_signal", "pthread_kill", "tgkill"}

REUSE = """
import os, signal
from jobrun import procs

def child():
    pid = os.fork()
    if pid == 0:
        signal.pause()
    return pid

def end(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)

def comes_too_late(_pid):
    end(first)
    with open("/proc/sys/kernel/ns_last_pid", "w") as last:
        last.write(str(first - 1))
    assert child() == first, "the number was not given away again"
    return True

first = child()
procs.send([first], signal.SIGKILL, is_meant=comes_too_late)
print(os.waitpid(first, os.WNOHANG))
end(first)
"""


def test_signals_are_sent_in_places_that_are_known_to_be_safe() -> None:
    found = set()
    for path in PACKAGE.rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if _SENDS & {node.attr for node in nodes if isinstance(node, ast.Attribute)}:
            found.add(path.relative_to(PACKAGE).as_posix())

    assert found == WHY_SAFE.keys()


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None,
    reason="needs root and unshare (util-linux) for process numbers of its own",
)
def test_a_number_that_is_given_away_while_we_look_is_not_signalled() -> None:
    unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    done = subprocess.run(
        [*unshare, sys.executable, "-c", REUSE], capture_output=True, text=True, timeout=60, check=False
    )
    if "unshare failed" in done.stderr:
        pytest.skip("no namespace of process numbers is to be had here")

    assert (done.returncode, done.stdout) == (0, "(0, 0)\n"), done.stderr


@pytest.mark.parametrize(("is_meant", "lives"), [(True, False), (False, True)])
def test_what_is_not_the_process_that_is_meant_gets_no_signal(*, is_meant: bool, lives: bool) -> None:
    bystander = subprocess.Popen(["sleep", "600"])
    try:
        procs.send([bystander.pid], signal.SIGKILL, is_meant=lambda _: is_meant)
        if not lives:
            bystander.wait(10)
        assert is_alive(bystander.pid) is lives
    finally:
        bystander.kill()
        bystander.wait()


def test_a_tree_is_what_hangs_below_its_roots() -> None:
    bystander = subprocess.Popen(["sleep", "600"])
    tree = subprocess.Popen(
        ["sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert tree.stdout is not None
        below = int(tree.stdout.readline())
        found = procs.descendants([tree.pid])
        assert set(found) == {tree.pid, below}
        procs.send_below(found, signal.SIGKILL)
        tree.wait(10)
        with tree.stdout:
            assert tree.stdout.read() == "", "who held the pipe is gone"
        assert not is_alive(below)
        assert is_alive(bystander.pid)
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.process
@pytest.mark.parametrize("boot", ["an earlier one", procs.boot_id()])
def test_a_process_that_an_old_lock_file_names_is_nobodys_to_end(site: Site, boot: str) -> None:
    group = site.start(n=1)
    job_id = site.call("works", 600)
    site.runs(job_id)
    worker = site.job(job_id).worker
    assert worker is not None
    group.kill_all()
    bystander = subprocess.Popen(["sleep", "600"])
    fd = os.open(site.side / "locks" / worker, os.O_RDWR)
    ticks = procs.start_ticks(bystander.pid) or 0
    Recorder(fd, pid=bystander.pid, ticks=ticks, boot=boot).note(site.job(job_id).token or "")
    os.close(fd)

    try:
        site.start(n=1)
        assert site.wait(job_id).state is State.CRASHED
        assert is_alive(bystander.pid)
    finally:
        kill(bystander.pid)
        bystander.wait()
