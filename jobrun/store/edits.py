"""Changes of jobs that wait, by people, each with a record of it."""

from __future__ import annotations

from dataclasses import replace

from jobrun.bell import Tone
from jobrun.errors import NotDone, UsageError
from jobrun.model import Edit, Job, NewJob, State
from jobrun.store.database import Database
from jobrun.store.insertion import holder
from jobrun.store.intake import Intake
from jobrun.store.rows import JOB_WITH_LAST_ATTEMPT, compact, instant, job_of, storable
from jobrun.units import to_ms

WAITING = frozenset({State.SCHEDULED, State.READY})
_CHANGED = (
    "state", "queue", "priority", "run_at", "expires_at", "deadline_at", "task", "args", "kwargs", "retries",
    "backoff_ms", "max_backoff_ms", "timeout_ms", "on_crash", "key", "name", "tags", "terms", "cwd", "umask",
)  # fmt: skip
_UPDATE = f"""
    UPDATE jobs
       SET {", ".join(f"{column} = :{column}" for column in _CHANGED)}
     WHERE id = :id AND state IN ('scheduled', 'ready') AND attempt = :attempt
"""  # noqa: S608 -- fixed text


class Edits:
    """What was changed about jobs before they began."""

    def __init__(self, database: Database, intake: Intake) -> None:
        self._db = database
        self._intake = intake

    def of(self, job_id: int) -> list[Edit]:
        """Return the changes of a job, the oldest first."""
        rows = self._db.rows("SELECT at, by, changes FROM edits WHERE job_id = ? ORDER BY id", (job_id,))
        return [Edit(at=instant(row["at"]), by=row["by"], changes=row["changes"]) for row in rows]

    def make(self, job: Job, new: NewJob, edit: Edit) -> None:
        """Let a job that waits be another, if it is still as it was read.

        Raises `NotDone` when it is not, `UsageError` when another live job has the key. The environment and
        the entry of the job stay.
        """
        with self._db.write(Tone.WORK, Tone.DONE):
            self._check_is_as_read(job)
            held = holder(self._db, new.key) if new.key is not None else None
            if held is not None and held[0] != job.id:
                raise UsageError(f"job {held[0]} has the key `{new.key}`", hint="choose another key")
            around = new.surroundings
            row = self._intake.row_of(replace(new, surroundings=None), to_ms(edit.at))
            if around is not None:
                row |= {"cwd": compact(around.cwd), "umask": around.umask}
            arguments = {name: row[name] for name in _CHANGED}
            changed = self._db.change(_UPDATE, {**arguments, "id": job.id, "attempt": job.attempt})
            assert changed == 1, "it was just seen to wait"
            self._db.change(
                "INSERT INTO edits (job_id, at, by, changes) VALUES (?, ?, ?, ?)",
                (job.id, to_ms(edit.at), storable(edit.by), storable(edit.changes)),
            )

    def _check_is_as_read(self, job: Job) -> None:
        row = self._db.row(f"{JOB_WITH_LAST_ATTEMPT} WHERE jobs.id = :id", {"id": job.id})
        now = None if row is None else job_of(row)
        if now is None:
            raise NotDone(f"job {job.id} was removed meanwhile; nothing was changed")
        if now.state is State.RUNNING or (now.state in WAITING and now.attempt != job.attempt):
            raise NotDone(f"job {job.id} began meanwhile; nothing was changed")
        if now.state not in WAITING:
            raise NotDone(f"job {job.id} was {now.state} meanwhile; nothing was changed")
        if replace(now, state=job.state) != job:  # that it fell due changes nothing else
            raise NotDone(f"somebody else changed job {job.id} meanwhile; nothing was changed")
