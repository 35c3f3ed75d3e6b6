"""The straight way of `enqueue`: plain words into a job file that is there.

Without typing, dataclasses, re, json and pathlib, whose import takes longer than all that is done here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from jobrun.bell import Tone
from jobrun.cli.answers import answer_with, echo_due_now, echo_held, remark_held, uninterrupted
from jobrun.cli.plain import Plain, plain
from jobrun.durability import FULL
from jobrun.places import default_file
from jobrun.store.database import Database
from jobrun.store.insertion import Row, holder, insert, whole
from jobrun.store.opening import PATIENCE_S, open_database


def run(words: Sequence[str], named: str | None) -> bool:
    """Answer the words after `enqueue`; False, and nothing is done, if they or the job file need a closer look."""
    asked = plain(words)
    if asked is None:
        return False
    path = named or default_file(os.environ, is_root=os.geteuid() == 0)
    if os.path.normpath(path) != path or not os.path.lexists(path):
        return False
    with uninterrupted():
        database = open_database(path, busy_s=PATIENCE_S, durability=asked[3] or FULL)
        try:
            _add(database, asked)
        finally:
            database.close()
    return True


def _add(database: Database, asked: Plain) -> None:
    own, shown, is_quiet, _ = asked
    row = whole(own, time.time_ns() // 1_000_000)
    key = own.get("key")
    with database.write(Tone.WORK):
        held = None if key is None else holder(database, key)
        if held is None and row["kind"] != "call":
            row.update(_surroundings(database))
        job_id = insert(database, row) if held is None else held[0]
    if held is not None:
        remark_held(job_id)
        answer = echo_held(job_id, held[1], shown)
    else:
        answer = echo_due_now(job_id, shown, row["queue"])
    answer_with(str(job_id) if is_quiet else answer, f"job {job_id} is queued all the same")


def _surroundings(database: Database) -> Row:
    from jobrun.cli import around  # noqa: PLC0415 -- calls have none
    from jobrun.store.environments import json_text, keep_environment  # noqa: PLC0415 -- hashlib takes 4 ms

    return {
        "cwd": json_text(around.directory()),
        "umask": around.umask(),
        "environment": keep_environment(database, around.environment()),
    }
