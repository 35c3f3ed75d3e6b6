"""A warm worker is put back as it was, and a job's streams go to its own file."""

from __future__ import annotations

import gc
import locale
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from jobrun.run.tidy import baseline, put_back, put_back_limits
from jobrun.signals import NUDGE
from jobrun.store.opening import make_side_folders
from jobrun.worker.stage import Stage

TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)


def in_child(act: Callable[[], None]) -> None:
    """Do something in a fork, since it changes the whole process; fail as it fails."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        said = ""
        try:
            act()
        except BaseException:  # noqa: BLE001 -- told to the test
            said = traceback.format_exc()
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as end:
        said = end.read()
    os.waitpid(pid, 0)
    assert said == ""


def keep(signum: int, frame: object) -> None: ...


def change_directory() -> None:
    os.chdir("/")


def lose_directory() -> None:
    os.mkdir("gone")  # noqa: PTH102 -- relative, and short
    os.chdir("gone")
    os.rmdir("../gone")  # noqa: PTH106


def change_umask() -> None:
    os.umask(0o777)


def change_import_path() -> None:
    sys.path[:] = ["/nowhere"]


def replace_import_path() -> None:
    sys.path = []


def ignore_signals() -> None:
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, NUDGE):
        signal.signal(signum, signal.SIG_IGN)


def block_signals() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


def set_alarms() -> None:
    for timer in TIMERS:
        signal.setitimer(timer, 3600)


def lower_limits() -> None:
    for which in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE, resource.RLIMIT_CPU):
        resource.setrlimit(which, (60, resource.getrlimit(which)[1]))


def change_locale() -> None:
    locale.setlocale(locale.LC_ALL, "C" if locale.setlocale(locale.LC_CTYPE) != "C" else "C.UTF-8")


def set_up_the_interpreter() -> None:
    sys.setrecursionlimit(150_000)
    gc.disable()


def state() -> dict[str, object]:
    umask = os.umask(0)
    os.umask(umask)
    return {
        "cwd": os.stat(".").st_ino,  # noqa: PTH116
        "umask": umask,
        "path": list(sys.path),
        "handlers": [
            signal.getsignal(signum) for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, NUDGE)
        ],
        "mask": signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        "locale": locale.setlocale(locale.LC_ALL),
        "interpreter": (sys.getrecursionlimit(), gc.isenabled()),
        "alarms": [signal.getitimer(timer) for timer in TIMERS],
        "limits": [resource.getrlimit(which) for which in (resource.RLIMIT_NOFILE, resource.RLIMIT_CPU)],
    }


@pytest.mark.parametrize(
    "harm",
    [
        change_directory,
        lose_directory,
        change_umask,
        change_import_path,
        replace_import_path,
        ignore_signals,
        block_signals,
        set_alarms,
        lower_limits,
        change_locale,
        set_up_the_interpreter,
    ],
)
def test_what_a_call_changed_is_put_back(
    harm: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def act() -> None:
        signal.signal(signal.SIGTERM, keep)
        signal.signal(NUDGE, keep)
        before, kept = state(), baseline()
        harm()
        put_back(kept)
        put_back_limits(kept)
        assert state() == before

    in_child(act)


def close_output() -> None:
    os.close(1)
    os.close(2)


def close_input() -> None:
    os.close(0)


def swap_output() -> None:
    os.dup2(os.open("/dev/null", os.O_WRONLY), 1)


def close_streams() -> None:
    sys.stdout.close()
    sys.stderr.close()


def replace_streams() -> None:
    sys.stdout = sys.stderr = None


@pytest.mark.parametrize("harm", [close_output, close_input, swap_output, close_streams, replace_streams])
def test_the_next_call_prints_and_reads_as_if_nothing_had_been(
    tmp_path: Path, harm: Callable[[], None]
) -> None:
    (tmp_path / "jobs.db").touch()
    make_side_folders(tmp_path / "jobs.db")
    logs = tmp_path / "jobs.db.d" / "logs"

    def act() -> None:
        stage = Stage(logs, "w1")
        print("first")  # noqa: T201
        harm()
        first = stage.collect()
        print("second")  # noqa: T201
        os.write(2, b"third\n")
        live = (logs / "w1").read_bytes()
        second = stage.collect()
        assert first.head == b"first\n"
        assert second.head == live == b"second\nthird\n"
        assert sys.stdin.read() == ""
        assert os.read(0, 1) == b""
        assert [path.name for path in logs.iterdir()] == ["w1"]

    in_child(act)


def test_what_escaped_writes_into_an_old_file(tmp_path: Path) -> None:
    (tmp_path / "jobs.db").touch()
    make_side_folders(tmp_path / "jobs.db")
    logs = tmp_path / "jobs.db.d" / "logs"

    def act() -> None:
        stage = Stage(logs, "w1")
        escaped = os.dup(1)
        stage.collect()
        stage.renew()
        os.write(escaped, b"late")
        print("mine")  # noqa: T201
        assert stage.collect().head == b"mine\n"

    in_child(act)
