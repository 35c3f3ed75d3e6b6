from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from jobrun import procs
from tests.process.site import eventually, is_alive, kill

# In a namespace of pids of its own the next pid can be chosen (pid_namespaces(7)).
REUSE = """
    import os, signal, subprocess, sys
    from pathlib import Path
    from jobrun import procs

    sleeper = ["sleep", "600"]
    shell = subprocess.Popen(["sh", "-c", "sleep 600 & read end; kill $!; wait; read end"], stdin=subprocess.PIPE)
    while len(found := procs.descendants([shell.pid])) < 2:
        pass
    gone = next(pid for pid, parent in found.items() if parent == shell.pid)
    shell.stdin.write(b"\\n")
    shell.stdin.flush()
    while procs.start_ticks(gone) is not None:
        pass
    Path("/proc/sys/kernel/ns_last_pid").write_text(str(gone - 1))
    stranger = subprocess.Popen(sleeper, start_new_session=True)
    assert stranger.pid == gone, (stranger.pid, gone)
    procs.send_below({gone: found[gone]}, signal.SIGTERM)
    stranger.send_signal(signal.SIGUSR1)
    assert stranger.wait() == -signal.SIGUSR1, stranger.returncode
    shell.kill()
"""


@pytest.mark.process
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for a namespace of pids")
def test_a_pid_that_went_to_another_process_after_it_was_listed_gets_no_signal() -> None:
    subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", textwrap.dedent(REUSE)],
        check=True,
        timeout=30,
    )


def test_a_signal_reaches_all_that_were_found_though_the_end_of_the_first_makes_orphans_of_the_others() -> (
    None
):
    shell = subprocess.Popen(["sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE)
    assert shell.stdout is not None
    sleeper = int(shell.stdout.readline())
    try:
        assert procs.descendants([shell.pid]) == {shell.pid: os.getpid(), sleeper: shell.pid}
        procs.send_below(procs.descendants([shell.pid]), signal.SIGTERM)
        assert shell.wait(30) == -signal.SIGTERM
        eventually(lambda: not is_alive(sleeper))
    finally:
        kill(sleeper)
        shell.stdout.close()


def test_a_stopped_process_is_woken_to_hear_that_it_is_to_end() -> None:
    sleeper = subprocess.Popen(["sleep", "600"])
    sleeper.send_signal(signal.SIGSTOP)

    procs.send_below(procs.descendants([sleeper.pid]), signal.SIGTERM)

    assert sleeper.wait(30) == -signal.SIGTERM


def test_one_that_is_not_meant_gets_no_signal() -> None:
    sleeper = subprocess.Popen(["sleep", "600"])

    procs.send([sleeper.pid], signal.SIGTERM, is_meant=lambda _pid: False)

    sleeper.kill()
    assert sleeper.wait(30) == -signal.SIGKILL
