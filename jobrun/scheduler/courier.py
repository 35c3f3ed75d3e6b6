"""The messenger as its owner sees it: started when there is something to post, and never waited for."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

HUNG_S = 30.0  # a request without a result for so long: its server, or the messenger itself, is stuck
IDLE_S = 10.0  # a messenger with nothing to do for so long is let go
FLUSH_S = 0.05  # before another try to hand over what did not fit into the pipe
_PROGRAM = (sys.executable, "-P", "-m", "jobrun.messenger")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a request: posted when there is no error."""

    id: int
    error: str | None = None
    limit: int | None = None  # bytes of a body that the server keeps, if it says so


class Courier:
    """Requests under way, and the messenger that has them."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Start nothing yet."""
        self.under_way: dict[int, float] = {}  # since when
        self._monotonic = monotonic
        self._process: subprocess.Popen[bytes] | None = None
        self._unsent = bytearray()
        self._heard = bytearray()
        self._used_at = 0.0

    def fds(self) -> list[int]:
        """Return what becomes readable when `results` has something to return."""
        return [] if self._process is None else [_reader(self._process)]

    def post(self, request_id: int, url: str, body: str) -> None:
        """Have a text posted. Raises OSError when no messenger can be started."""
        if self._process is None:
            self._process = _start()
        line = json.dumps({"id": request_id, "url": url, "body": body}) + "\n"
        self._unsent += line.encode()
        self._used_at = self.under_way[request_id] = self._monotonic()
        self._flush(self._process)

    def results(self) -> list[Result]:
        """Return what became known since the last look.

        A request that is no longer under way and has no result may be posted again: its messenger
        was ended for the sake of another.
        """
        process, now = self._process, self._monotonic()
        if process is None:
            return []
        self._flush(process)
        results, is_gone = self._read(process)
        if results:
            self._used_at = now
        stuck = [each for each, since in self.under_way.items() if now - since >= HUNG_S]
        lost = list(self.under_way) if is_gone else stuck
        why = "the messenger ended" if is_gone else f"no answer within {HUNG_S:.0f} s"
        if lost or is_gone or (not self.under_way and now - self._used_at >= IDLE_S):
            self.close()
        return [*results, *(Result(id=each, error=why) for each in lost)]

    def wait_s(self) -> float | None:
        """Return in how many seconds `results` is to be called though nothing is readable."""
        if self._process is None:
            return None
        if self._unsent:
            return FLUSH_S
        until = min(self.under_way.values()) + HUNG_S if self.under_way else self._used_at + IDLE_S
        return max(until - self._monotonic(), 0.0)

    def finish(self, patience_s: float) -> list[Result]:
        """Wait for what is under way, and return the results that came in time."""
        results = []
        end_at = time.monotonic() + patience_s
        while self.under_way and (left_s := end_at - time.monotonic()) > 0:
            select.select(self.fds(), [], [], min(left_s, FLUSH_S))
            results += self.results()
        return results

    def close(self) -> None:
        """End the messenger; whatever was under way is so no more."""
        process, self._process = self._process, None
        self.under_way.clear()
        self._unsent.clear()
        self._heard.clear()
        if process is not None:
            with process:  # which closes its pipes and reaps it
                process.kill()

    def _flush(self, process: subprocess.Popen[bytes]) -> None:
        """Hand over what fits into the pipe; that nobody reads any more is noticed by reading."""
        assert process.stdin is not None
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            while self._unsent:
                del self._unsent[: os.write(process.stdin.fileno(), self._unsent)]

    def _read(self, process: subprocess.Popen[bytes]) -> tuple[list[Result], bool]:
        """Return the results that have come, and whether none will come any more."""
        is_gone = False
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(_reader(process), 65536):
                self._heard += chunk
            is_gone = True
        *lines, rest = self._heard.split(b"\n")
        self._heard = rest
        results = [_result(line) for line in lines]
        for result in results:
            self.under_way.pop(result.id, None)
        return results, is_gone


def _start() -> subprocess.Popen[bytes]:
    process = subprocess.Popen(_PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        os.set_blocking(pipe.fileno(), False)
    return process


def _reader(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    return process.stdout.fileno()


def _result(line: bytes | bytearray) -> Result:
    found = json.loads(line)
    if "error" in found:
        return Result(id=found["id"], error=found["error"])
    status = found["status"]
    error = None if 200 <= status < 300 else f"HTTP status {status}"
    return Result(id=found["id"], error=error, limit=found.get("limit"))
