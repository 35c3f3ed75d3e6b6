"""What jobs do to their workers. Each notes its start and its end in the ledger: `S id attempt`, `E id attempt`."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import ctypes
import decimal
import functools
import locale
import os
import resource
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import jobrun
from jobrun.errors import Stopped

LONG_S = 600.0
VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE")


def note(what: str) -> None:
    """Append one line to the ledger, in one write, on a descriptor of its own."""
    fd = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    os.write(fd, f"{what} {os.environ['JOBRUN_ID']} {os.environ['JOBRUN_ATTEMPT']}\n".encode())
    os.close(fd)


def attempt() -> int:
    return int(os.environ["JOBRUN_ATTEMPT"])


# -- well-behaved


def short() -> None:
    note("S")
    note("E")


def echo(value: Any = None) -> Any:
    return value


def works(seconds: float) -> None:
    note("S")
    time.sleep(seconds)
    note("E")


def until(path: str) -> None:
    """Run until a file appears."""
    note("S")
    while not Path(path).exists():
        time.sleep(0.005)
    note("E")


def worker_pid() -> int:
    return os.getpid()


# -- told to stop


def cleans_up() -> None:
    note("S")
    try:
        time.sleep(LONG_S)
    except Stopped as stop:
        note(type(stop).__name__)
        raise


async def cleans_up_async() -> None:
    note("S")
    try:
        await asyncio.sleep(LONG_S)
    finally:
        note("cleaned")


def ignores_stops() -> None:
    note("S")
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(LONG_S)


def finishes_all_the_same() -> str:
    note("S")
    with contextlib.suppress(Stopped):
        time.sleep(LONG_S)
    return "finished"


def stops_itself() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def ignores_term_and_alarm() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.alarm(int(LONG_S))
    ignores_stops()


def hides_and_hangs() -> None:
    """Leave the session, give up the parent's death signal, and hang."""
    note("S")
    if os.fork() == 0:
        os.setsid()
        ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(LONG_S)
        os._exit(0)
    ignores_stops()


# -- dies


def dies_until(number: int, signum: int = signal.SIGKILL) -> None:
    """Die in every attempt before `number`."""
    note("S")
    if attempt() < number:
        os.kill(os.getpid(), signum)
    note("E")


def dies_by(signum: int) -> None:
    os.kill(os.getpid(), signum)


def signals_itself(signum: int) -> list[int]:
    """Send a signal to this process, with a handler of its own; return what that saw."""
    seen: list[int] = []
    signal.signal(signum, lambda number, _frame: seen.append(number))
    os.kill(os.getpid(), signum)
    return seen


def becomes_another(uid: int) -> None:
    os.write(1, b"so long")  # which has to be collected
    os.setgid(uid)
    os.setuid(uid)


def waits_as_another(uid: int) -> None:
    note("S")
    becomes_another(uid)
    time.sleep(LONG_S)


def leaves_another_behind(uid: int) -> None:
    """Leave a process of another user in a session of its own, that dies with nobody."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.setsid()
        becomes_another(uid)
        ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
        os.write(writer, b"!")
        time.sleep(LONG_S)
    os.read(reader, 1)
    os.close(reader)
    os.close(writer)


def aborts() -> NoReturn:
    os.abort()


def leaves(code: int) -> NoReturn:
    os._exit(code)


def kills_its_session() -> None:
    os.killpg(0, signal.SIGKILL)


def kills_its_supervisor() -> None:
    note("S")
    if attempt() == 1:
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(LONG_S)
    note("E")


# -- exits and raises


def exits(*code: Any) -> NoReturn:
    sys.exit(*code)


class OwnExit(SystemExit):
    pass


class OwnBase(BaseException):
    pass


class NoText(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


_RAISED: dict[str, Any] = {
    "KeyboardInterrupt": KeyboardInterrupt,
    "GeneratorExit": GeneratorExit,
    "OwnBase": OwnBase,
    "OwnExit": lambda: OwnExit(7),
    "huge": lambda: ValueError("x" * 50_000_000),
    "odd": lambda: ValueError(object(), b"\xff", None),
    "NoText": NoText,
    "Retry": lambda: jobrun.Retry("later"),
    "Retry now": lambda: jobrun.Retry("at once", in_s=0),
    "Permanent": lambda: jobrun.Permanent("never"),
}


def raises(what: str) -> NoReturn:
    error = _RAISED[what]()
    raise error


def raises_until(number: int, what: str) -> None:
    if attempt() < number:
        raises(what)


def recurses(depth: int = 0) -> int:
    return recurses(depth + 1) + 1


def raises_a_long_chain() -> NoReturn:
    error: BaseException = ValueError("first")
    for number in range(10_000):
        later = ValueError(number)
        later.__cause__ = error
        error = later
    raise error


def raises_a_cycle() -> NoReturn:
    first, second = ValueError("first"), ValueError("second")
    first.__context__, second.__context__ = second, first
    raise first


def wants_memory() -> None:
    bytearray(1 << 62)


def reads_input() -> str:
    return input()


def opens_the_terminal() -> None:
    os.close(os.open("/dev/tty", os.O_RDWR))


# -- returns what is no result


class NoRepr:
    def __repr__(self) -> str:
        raise ValueError("no repr")


class SlowRepr:
    def __repr__(self) -> str:
        time.sleep(LONG_S)
        return ""


def _circle() -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


_RETURNED: dict[str, Any] = {
    "set": lambda: {1, 2},
    "bytes": lambda: b"\xff",
    "object": object,
    "NaN": lambda: float("nan"),
    "huge": lambda: "x" * 10_000_000,
    "circle": _circle,
    "NoRepr": NoRepr,
    "SlowRepr": SlowRepr,
}


def returns(what: str) -> Any:
    return _RETURNED[what]()


def long_text(size: int) -> str:
    return "x" * size


def long_text_after(size: int, path: str) -> str:
    until(path)
    return "x" * size


def length(text: str) -> int:
    return len(text)


# -- prints


def says(text: str) -> None:
    print(text)  # noqa: T201 -- it is what this does


kept: list[bytes] = []


def grows(mebibytes: int) -> None:
    """Leave the worker with so much more memory."""
    kept.append(b"x" * (mebibytes << 20))


def lives_in() -> list[int]:
    """Return this process, its session, its parent, and how much of what jobs left is here, in bytes."""
    return [os.getpid(), os.getsid(0), os.getppid(), sum(map(len, kept))]


def prints_without_end() -> None:
    note("S")
    while True:
        print("x" * 1000)  # noqa: T201 -- it is what this does


def prints_and_waits(path: str) -> None:
    print("here I am")  # noqa: T201 -- it is what this does
    until(path)


def prints_much() -> None:
    sys.stdout.write("begin\n" + "x" * 1_000_000 + "\nend")


def prints_a_long_line(mebibytes: int) -> None:
    for _ in range(mebibytes):
        os.write(1, b"x" * (1 << 20))


def prints_bytes() -> None:
    os.write(1, b"\xff\x00\x1b[31m")


def closes_standard_descriptors() -> None:
    os.write(1, b"before")
    for fd in (0, 1, 2):
        os.close(fd)


def closes_input() -> None:
    os.close(0)


def moves_standard_descriptors() -> None:
    os.write(1, b"before")
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.write(1, b"lost")


def replaces_streams() -> None:
    sys.stdout.close()
    sys.stderr = None


def closes_all_descriptors() -> None:
    os.closerange(3, 1 << 16)


# -- forks


def returns_twice() -> int:
    note("S")
    os.fork()
    return os.getpid()


def raises_twice() -> NoReturn:
    os.fork()
    raise ValueError("both")


def forks(how: str, *args: Any) -> int:
    """Do something in a fork, and return how that ended."""
    if (pid := os.fork()) == 0:
        return int(bool(globals()[how](*args)))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def forks_and_signals(signum: int) -> int:
    if (pid := os.fork()) == 0:
        time.sleep(LONG_S)
    os.kill(pid, signum)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def uses_a_fork_server(*, leave: bool) -> list[int]:
    import multiprocessing  # noqa: PLC0415 -- only here

    context = multiprocessing.get_context("forkserver")
    if leave:
        context.Process(target=time.sleep, args=[LONG_S], daemon=True).start()
    with context.Pool(1) as pool:
        return [*pool.map(abs, [-1, -2]), os.getpid()]


def ends_a_pool() -> None:
    import multiprocessing  # noqa: PLC0415 -- only here

    pool = multiprocessing.get_context("fork").Pool(2)
    pool.apply_async(time.sleep, [LONG_S])
    pool.terminate()
    pool.join()


def leaves_a_daemon() -> None:
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(writer, b"!")
            time.sleep(LONG_S)
        os._exit(0)
    os.waitpid(child, 0)
    os.read(reader, 1)
    os.close(reader)
    os.close(writer)


def becomes_a_program(line: str) -> NoReturn:
    os.execv("/bin/sh", ["sh", "-c", line])


def dies_beside_a_daemon() -> None:
    leaves_a_daemon()
    os._exit(3)


def leaves_a_thread(path: str) -> None:
    def wait() -> None:
        while not Path(path).exists():
            time.sleep(0.005)

    threading.Thread(target=wait, daemon=True).start()


def uses_a_pool() -> list[int]:
    import multiprocessing  # noqa: PLC0415 -- only here

    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(abs, [-1, -2])


def runs_a_program(code: int) -> int:
    import subprocess  # noqa: PLC0415 -- only here

    return subprocess.run(["/bin/sh", "-c", f"exit {code}"], check=False).returncode


# -- changes its worker


def leaves_a_mess() -> int:
    os.chdir("/")
    os.umask(0o777)
    os.environ["LEFT_BEHIND"] = "yes"
    del os.environ["LANG"]
    os.environ["PATH"] = "/nowhere"
    sys.path.insert(0, "/nowhere")
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGUSR1, signal.SIGRTMIN + 5):
        signal.signal(signum, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGRTMIN + 5])
    signal.alarm(1)
    decimal.getcontext().prec = 3
    locale.setlocale(locale.LC_ALL, "C")
    sys.setrecursionlimit(5000)
    VARIABLE.set("left behind")
    closes_standard_descriptors()
    return os.getpid()


def surroundings() -> dict[str, Any]:
    """Return what a job finds."""
    umask = os.umask(0)
    os.umask(umask)
    signums = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGUSR1, signal.SIGRTMIN + 5)
    ours = {name for name in os.environ if name.startswith("JOBRUN_")}
    return {
        "pid": os.getpid(),
        "cwd": str(Path.cwd()),
        "umask": umask,
        "environment": {name: value for name, value in os.environ.items() if name not in ours},
        "path": sys.path,
        "handlers": [str(signal.getsignal(signum)).split(" at ")[0] for signum in signums],
        "mask": sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ()))),
        "alarm": signal.alarm(0),
        "decimal": decimal.getcontext().prec,
        "locale": locale.setlocale(locale.LC_ALL),
        "recursion": sys.getrecursionlimit(),
        "variable": VARIABLE.get(None),
        "descriptors": [os.readlink(f"/proc/self/fd/{fd}") for fd in (0, 1, 2)],
    }


def open_files() -> list[str]:
    return [os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]


def core_limits() -> tuple[int, int]:
    return resource.getrlimit(resource.RLIMIT_CORE)


# -- the job file


def opens_and_closes_the_job_file(times: int) -> None:
    note("S")
    for _ in range(times):
        for ending in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                Path(os.environ["JOBRUN_DB"] + ending).read_bytes()
    note("E")


def removes_the_job_file() -> None:
    Path(os.environ["JOBRUN_DB"]).unlink()


def enqueues_together(count: int) -> list[int]:
    return jobrun.enqueue_many([("disasters:short", [], {})] * count)


def enqueues_one_by_one(count: int) -> list[int]:
    return [jobrun.enqueue("disasters:short") for _ in range(count)]


def enqueues_elsewhere(count: int, *, together: bool) -> int:
    """Enqueue for a queue that nobody works for; return the number of different ids."""
    elsewhere = jobrun.options(queue="elsewhere")
    if together:
        return len(set(jobrun.enqueue_many([elsewhere.job("disasters:short") for _ in range(count)])))
    return len({elsewhere.enqueue("disasters:short") for _ in range(count)})


def enqueues_from_threads(count: int) -> list[int]:
    with ThreadPoolExecutor(5) as pool:
        return list(pool.map(jobrun.enqueue, ["disasters:short"] * count))


def enqueues_nonsense() -> None:
    jobrun.enqueue("no target")


def enqueues_after(path: str) -> int:
    until(path)
    return jobrun.enqueue("disasters:short")


# -- what is no plain function


class AClass:
    def method(self) -> None:
        pass

    @staticmethod
    def static() -> str:
        return "static"


CONSTANT = 5


def generator() -> Any:
    yield 1


async def coroutine(value: int) -> int:
    await asyncio.sleep(0)
    return value


def returns_a_generator() -> Any:
    return (number for number in range(3))


no_name = lambda: "lambda"  # noqa: E731 -- it is what this is


partial = functools.partial(abs, -5)


def takes_two(_one: int, _two: int) -> None:
    pass


def raises_type_error_inside() -> None:
    takes_two(1)  # type: ignore[call-arg]
