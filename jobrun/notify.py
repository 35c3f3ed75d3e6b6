"""Telling systemd how the service fares: the protocol of sd_notify(3)."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping, MutableMapping

# About this process alone (systemd.exec(5)): a job that spoke for the service could end it.
_OURS = frozenset({
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "SYSTEMD_EXEC_PID",
})  # fmt: skip
_PATIENCE_S = 5.0  # systemd is seldom slow, and a lost READY=1 would end the service


class Notifier:
    """The way to the service manager; without one, and when it fails, nothing happens."""

    def __init__(self, address: str, watchdog_s: float | None = None) -> None:
        """Remember where it listens; an address of any other family is nobody's.

        `watchdog_s`: after so long without a word from us it ends the service.
        """
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.is_heard = address.startswith(("/", "@"))
        self.watchdog_s = watchdog_s if self.is_heard else None

    def ready(self, status: str) -> None:
        """Say that the service works: from here on, or again after a reload."""
        self._send("READY=1", f"MAINPID={os.getpid()}", _status(status))

    def status(self, status: str) -> None:
        """Say in a line what the service does."""
        self._send(_status(status))

    def reloading(self) -> None:
        """Say that a reload begins; `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def alive(self) -> None:
        """Feed the watchdog; whoever calls this has proof."""
        self._send("WATCHDOG=1")

    def stopping(self, within_s: float) -> None:
        """Say that the end begins, and have systemd wait so long for it, whatever its unit says."""
        self._send("STOPPING=1")
        self._send(f"EXTEND_TIMEOUT_USEC={within_s * 1e6:.0f}")  # only now is there a timeout to extend

    def _send(self, *assignments: str) -> None:
        if not self.is_heard:
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as end,
        ):
            end.settimeout(_PATIENCE_S)
            end.sendto("\n".join(assignments).encode(errors="replace"), self._address)


def take(environ: MutableMapping[str, str]) -> Notifier:
    """Return the way to systemd, and take out of the environment what jobs must not inherit."""
    address, watchdog_s = environ.get("NOTIFY_SOCKET", ""), _watchdog_s(environ)
    for name in _OURS & environ.keys():
        del environ[name]
    return Notifier(address, watchdog_s)


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    """Return how long the watchdog waits, if it watches this process (sd_watchdog_enabled(3))."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    text = environ.get("WATCHDOG_USEC", "")
    return int(text) / 1e6 if text.isascii() and text.isdigit() and int(text) else None


def _status(text: str) -> str:
    return "STATUS=" + " ".join(text.splitlines())
