"""A task that is short, unless it is asked to hang."""

from __future__ import annotations

import time

from bench.peers import body


def work(sent_ns: int = 0, hold_s: float = 0.0) -> None:
    body.work(sent_ns)
    if hold_s:
        time.sleep(hold_s)
