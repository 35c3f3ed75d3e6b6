"""Forking a process that runs one of our loops, and nothing of its parent's."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from jobrun import procs
from jobrun.log import Log
from jobrun.signals import print_stacks_on_quit, stand_apart
from jobrun.trouble import AGAIN, around_us

BUG = 70  # EX_SOFTWARE of sysexits(3)


def fork(main: Callable[[], int], *, let_go: Callable[[], None], stacks_fd: int) -> int:
    """Fork a child that runs `main` and ends with the code it returns; return the child's pid.

    The child dies with its parent, leads a session of its own, and calls `let_go` first to close
    what belongs to its siblings.
    """
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        procs.die_with(parent)
        stand_apart()
        let_go()
        print_stacks_on_quit(stacks_fd)
        _end_process(main())
    except BaseException as error:  # noqa: BLE001 -- nothing of the parent's stack may run in the child
        trouble = around_us(error)
        if trouble is None:
            sys.excepthook(*sys.exc_info())
            _end_process(BUG)
        Log("fork", stacks_fd).say("cannot-start", "; ".join(filter(None, [trouble.message, trouble.hint])))
        _end_process(AGAIN)


def _end_process(code: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)
