"""Telling systemd how the service fares: the protocol of sd_notify(3)."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import MutableMapping

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

    def __init__(self, address: str) -> None:
        """Remember where it listens; an address of any other family is nobody's."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._is_heard = address.startswith(("/", "@"))

    def ready(self, status: str) -> None:
        """Say that the service works: from here on."""
        self._send("READY=1", _status(status))

    def stopping(self, within_s: float) -> None:
        """Say that the end begins, and have systemd wait so long for it, whatever its unit says."""
        self._send("STOPPING=1")
        self._send(f"EXTEND_TIMEOUT_USEC={within_s * 1e6:.0f}")  # only now is there a timeout to extend

    def _send(self, *assignments: str) -> None:
        if not self._is_heard:
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as end,
        ):
            end.settimeout(_PATIENCE_S)
            end.sendto("\n".join(assignments).encode(errors="replace"), self._address)


def take(environ: MutableMapping[str, str]) -> Notifier:
    """Return the way to systemd, and take out of the environment what jobs must not inherit."""
    address = environ.get("NOTIFY_SOCKET", "")
    for name in _OURS & environ.keys():
        del environ[name]
    return Notifier(address)


def _status(text: str) -> str:
    return "STATUS=" + " ".join(text.splitlines())
