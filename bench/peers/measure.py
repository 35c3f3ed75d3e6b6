"""Time one peer: asking for jobs, running them, and how soon an idle worker takes one up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.peers import RECORD, ROOT
from bench.peers.catalogue import Peer
from bench.peers.servers import SERVERS
from bench.peers.usage import cpu_s

LIMIT_S = 180.0
WARM_UP = 20  # jobs that show that workers are up
STOP_S = 10.0
MEMORY = Path("/dev/shm")


class Broken(Exception):
    """A peer did not do the work; the message says what it said last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Jobs a second: asked for, from the first body to the last, and from the start of the workers.

    `bulk` is asked for in calls of many, None for a peer that has no such call.

    `cpu_us` is the CPU time of a job while jobs are run: of the workers and, where there is one, the server.
    """

    enqueue: float
    bulk: float | None
    drain: float
    whole: float
    cpu_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Milliseconds until the first line of a job, sorted: from the call that asked for it, and from its return.

    A job may begin before the call returns. `rate` is how many were asked for a second.
    """

    called: list[float]
    answered: list[float]
    rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A folder, a tally and a server that were never used before."""

    peer: Peer
    python: Path
    folder: Path
    tally: Path
    server_pid: int | None
    variables: dict[str, str]

    def client(self, *words: str) -> Any:
        """Run the peer's client to its end and return what it tells."""
        command = [os.fspath(self.python), "-m", "bench.peers.client", self.peer.module, *words]
        try:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=self.variables,
                capture_output=True,
                text=True,
                check=False,
                timeout=LIMIT_S,
            )
        except subprocess.TimeoutExpired:
            raise Broken(f"`{words[0]}` was not done in {LIMIT_S:.0f} s") from None
        if done.returncode:
            raise Broken(f"`{words[0]}` ended with {done.returncode}: {_last_line(done.stderr)}")
        return json.loads(done.stdout.splitlines()[-1])

    def begun(self) -> list[tuple[int, int]]:
        """Return when each job began and when it was asked for, in nanoseconds, in order."""
        return sorted(RECORD.iter_unpack(self.tally.read_bytes()))


def describe(peer: Peer, python: Path, top: Path) -> dict[str, Any]:
    with site(peer, python, top) as place:
        told: dict[str, Any] = place.client("describe")
        return told


def speed(peer: Peer, python: Path, top: Path, count: int) -> Speed:
    """Ask for so many jobs, then start two workers, and wait until the last job has begun."""
    with site(peer, python, top) as place:
        told = place.client("describe")
        enqueue, bulk = _ask(place, count, has_bulk=told["bulk"])
        commands = told["commands"]
        start_ns = time.monotonic_ns()
        with workers(place, commands) as running:
            wait_for(place, 1, running)
            before, early = _cpu_s(place, running), _count(place)
            wait_for(place, count, running)
            used = _cpu_s(place, running) - before
        times = [at for at, _ in place.begun()][:count]
    return Speed(
        enqueue=enqueue,
        bulk=bulk,
        drain=(count - 1) * 1e9 / (times[-1] - times[0]),
        whole=count * 1e9 / (times[-1] - start_ns),
        cpu_us=used * 1e6 / max(count - early, 1),
    )


def _ask(place: Site, count: int, *, has_bulk: bool) -> tuple[float, float | None]:
    """Ask for jobs one by one, and for most in calls of many if there is such a call; return both rates."""
    singles = max(count // 4, min(count // 2, 1_000)) if has_bulk else count
    enqueue = singles / place.client("enqueue", str(singles))["seconds"]
    if not has_bulk:
        return enqueue, None
    return enqueue, (count - singles) / place.client("bulk", str(count - singles))["seconds"]


def drain(peer: Peer, python: Path, top: Path, count: int) -> float:
    """Return how many jobs a second two workers run, from the first body to the last; all are there before."""
    with site(peer, python, top) as place:
        place.client("bulk", str(count))
        with workers(place, place.client("describe")["commands"]) as running:
            wait_for(place, count, running)
        times = [at for at, _ in place.begun()]
    return (count - 1) * 1e9 / (times[-1] - times[0])


def pick_up(peer: Peer, python: Path, top: Path, count: int) -> Waits:
    """Ask for one job after the other; workers are idle between."""
    return _waits(peer, python, top, count, "pace", str(count))


def steady(peer: Peer, python: Path, top: Path, count: int, rate: float) -> Waits:
    """Ask for so many jobs at a rate."""
    return _waits(peer, python, top, count, "steady", str(count), str(round(rate)))


def _waits(peer: Peer, python: Path, top: Path, count: int, *words: str) -> Waits:
    with site(peer, python, top) as place:
        place.client("enqueue", str(WARM_UP))
        with workers(place, place.client("describe")["commands"]) as running:
            wait_for(place, WARM_UP, running)
            told = place.client(*words)
            wait_for(place, WARM_UP + count, running)
        answered = dict(told["asked"])
        pairs = [(at, sent) for at, sent in place.begun() if sent]
    return Waits(
        called=sorted((at - sent) / 1e6 for at, sent in pairs),
        answered=sorted((at - answered[sent]) / 1e6 for at, sent in pairs),
        rate=count / told["seconds"],
    )


@contextmanager
def site(peer: Peer, python: Path, top: Path) -> Iterator[Site]:
    """Make a place that was never used, with a server if the peer needs one, and remove it."""
    memory = MEMORY if os.access(MEMORY, os.W_OK) else top
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=top)))
        folder.chmod(0o711)  # PostgreSQL, as another user, has its own folder in there
        tally = stack.enter_context(tempfile.NamedTemporaryFile(dir=memory, prefix="jobrun-bench-"))
        server = stack.enter_context(SERVERS[peer.server](folder)) if peer.server else None
        variables = os.environ | {
            "BENCH_FOLDER": os.fspath(folder),
            "BENCH_TALLY": tally.name,
            "BENCH_URL": server.url if server else "",
            "BENCH_VARIANT": peer.variant,
            "PYTHONPATH": os.fspath(ROOT),
        }
        yield Site(
            peer=peer,
            python=python,
            folder=folder,
            tally=Path(tally.name),
            server_pid=server.pid if server else None,
            variables=variables,
        )


@contextmanager
def workers(place: Site, commands: Sequence[Sequence[str]]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run the peer's workers, and end them with all that they started."""
    running: list[subprocess.Popen[bytes]] = []
    with (place.folder / "workers.log").open("w") as log:
        try:
            for words in commands:
                command = subprocess.Popen(
                    words,
                    cwd=place.folder,
                    env=place.variables,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
                running.append(command)
            yield running
        finally:
            _stop(running)


def _stop(running: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in running:
        process.terminate()
    end = time.monotonic() + STOP_S
    for process in running:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(end - time.monotonic(), 0))
        with suppress(ProcessLookupError):  # what is left of its session
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(place: Site, count: int, running: Sequence[subprocess.Popen[bytes]]) -> None:
    """Wait until so many jobs have begun."""
    end = time.monotonic() + LIMIT_S
    while (begun := _count(place)) < count:
        ended = [process for process in running if process.poll() is not None]
        if ended or time.monotonic() > end:
            what = f"a worker ended with {ended[0].returncode}" if ended else f"{LIMIT_S:.0f} s are over"
            said = _last_line((place.folder / "workers.log").read_text(errors="replace"))
            raise Broken(f"{begun} of {count} jobs began, then {what}: {said}")
        time.sleep(0.005)


def _count(place: Site) -> int:
    return place.tally.stat().st_size // RECORD.size


def _cpu_s(place: Site, running: Sequence[subprocess.Popen[bytes]]) -> float:
    server = [place.server_pid] if place.server_pid else []
    return cpu_s([*(process.pid for process in running), *server])


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
