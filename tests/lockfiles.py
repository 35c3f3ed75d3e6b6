"""What lock files say, as workers write it."""

from __future__ import annotations

from jobrun.locks.records import Recorder
from jobrun.procs import boot_id


def write_record(
    fd: int, *begun: str, pid: int = 1, ticks: int = 1, cpu_s: float = 0.0, began: float = 0.0
) -> None:
    """Let a holder have begun some attempts, the last one `began` seconds after the boot."""
    recorder = Recorder(fd, pid=pid, ticks=ticks, boot=boot_id())
    for token in begun:
        recorder.note(token, cpu_s=cpu_s, began=began)
