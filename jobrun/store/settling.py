"""What becomes of an export once it is read: no job runs in it any more, and what is counted agrees with it."""

from __future__ import annotations

import sqlite3

from jobrun.store.counting import work_of

CAUSE = "it ran elsewhere when it was exported"


def settle_all(connection: sqlite3.Connection, *, at: int, runs_again: bool) -> int:
    """End all attempts that run, at an instant in milliseconds; return how many there were.

    Their jobs wait again, or are parked as crashed for a person: who knows whether they still run there.
    """
    arguments = {"at": at, "outcome": "interrupted" if runs_again else "crashed", "cause": CAUSE}
    connection.execute(_RECORD, arguments)
    return connection.execute(_AGAIN if runs_again else _PARK, arguments).rowcount


def drop_triggers(connection: sqlite3.Connection) -> list[str]:
    """Let rows be put in without being counted; return the statements that undo that."""
    found = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for name, _ in found:
        connection.execute(f"DROP TRIGGER {name}")
    return [sql for _, sql in found]


def leave_reserved_queues(connection: sqlite3.Connection) -> None:
    """Let jobs that only one process might have taken wait for all others."""
    connection.execute(
        """
        UPDATE jobs
           SET queue = substr(queue, instr(substr(queue, 2), '.') + 2)
         WHERE queue LIKE '.%' AND state IN ('scheduled', 'ready')
        """
    )


def tally(connection: sqlite3.Connection) -> None:
    """Count the jobs and the last runs of an export that does not tell of them."""
    connection.execute(_TALLY)
    connection.execute(_LAST_RUNS)


_RECORD = """
    INSERT INTO attempts (job_id, number, token, worker, started_at, finished_at, outcome, cause, output_size,
                          output_head, output_tail)
    SELECT id, attempt, token, worker, coalesce(started_at, :at), max(:at, coalesce(started_at, :at)), :outcome,
           :cause, 0, x'', x''
      FROM jobs
     WHERE state = 'running'
"""
_PARK = """
    UPDATE jobs
       SET state = 'crashed', token = NULL, worker = NULL, failures = failures + 1, crashes = crashes + 1,
           finished_at = :at, reason = :cause
     WHERE state = 'running'
"""
_AGAIN = """
    UPDATE jobs
       SET state = iif(cancel_at IS NULL, 'ready', 'cancelled'), token = NULL, worker = NULL,
           finished_at = iif(cancel_at IS NULL, NULL, :at), reason = :cause
     WHERE state = 'running'
"""
_TALLY = f"""
    INSERT INTO job_tally (queue, work, state, count)
    SELECT queue, {work_of("jobs")} AS work, state, count(*)
      FROM jobs
     WHERE finished_at IS NOT NULL
     GROUP BY 1, 2, 3
"""  # noqa: S608 -- fixed text
_LAST_RUNS = """
    INSERT INTO last_runs (entry, is_success, job_id)
    SELECT entry, state = 'succeeded', max(id)
      FROM jobs
     WHERE entry IS NOT NULL AND state IN ('succeeded', 'failed', 'crashed', 'expired')
     GROUP BY 1, 2
"""
