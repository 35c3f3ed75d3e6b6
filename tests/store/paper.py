"""What a job file should hold, in dicts: the same rules once more, from the manual and not from the code.

Rows are as the tables have them, so that whole tables can be compared. Instants are milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from jobrun.model import Ending, Job, NewJob, Outcome

Row = dict[str, Any]

LIVE = {"scheduled", "ready", "running"}
WAITING = {"scheduled", "ready"}
RETRIABLE = {"failed", "crashed", "cancelled", "expired"}
SPREAD = 0.5  # that the dice of the store show, too
MOST_CRASHES = 3


class Paper:
    """The jobs and their attempts."""

    def __init__(self) -> None:
        self.jobs: dict[int, Row] = {}
        self.attempts: dict[tuple[int, int], Row] = {}
        self.pauses: dict[str, int | None] = {}  # queue -> until
        self.added = 0  # all that were ever added; ids are never used again
        self.purged = 0

    def holder(self, key: str | None) -> int | None:
        """Return the live job that has a key."""
        live = [
            i
            for i, row in self.jobs.items()
            if key is not None and row["key"] == key and row["state"] in LIVE
        ]
        assert len(live) <= 1
        return live[0] if live else None

    def add(self, new: NewJob, environment: str | None, *, now: int) -> tuple[int, bool]:
        """Return the id of a job that was asked for, and whether it is new."""
        if (held := self.holder(new.key)) is not None:
            return held, False
        run_at = now if new.run_at is None else _ms(new.run_at)
        deadline_at = None if new.deadline_s is None else run_at + round(new.deadline_s * 1000)
        ends = [end for end in (_ms(new.expires_at), deadline_at) if end is not None]
        self.added += 1
        self.jobs[self.added] = {
            "state": "scheduled" if run_at > now else "ready",
            "queue": new.queue,
            "priority": new.priority,
            "key": new.key,
            "name": new.name,
            "entry": new.entry,
            "scheduled_for": _ms(new.scheduled_for),
            "run_at": run_at,
            "expires_at": min(ends, default=None),
            "deadline_at": deadline_at,
            "created_at": now,
            "retries": new.retries,
            "on_crash": str(new.on_crash),
            "environment": environment,
            "attempt": 0,
            "failures": 0,
            "crashes": 0,
            **dict.fromkeys(
                ("started_at", "finished_at", "cancel_at", "token", "worker", "reason", "result")
            ),
        }
        return self.added, True

    def promote(self, *, now: int) -> int:
        due = [row for row in self.jobs.values() if row["state"] == "scheduled" and row["run_at"] <= now]
        for row in due:
            row["state"] = "ready"
        return len(due)

    def late(self, *, now: int) -> list[int]:
        """Return those that were not started in time."""
        return [
            i
            for i, row in self.jobs.items()
            if row["state"] in WAITING and row["expires_at"] is not None and row["expires_at"] <= now
        ]

    def expire(self, *, now: int) -> list[int]:
        late = self.late(now=now)
        for i in late:
            self.jobs[i].update(state="expired", finished_at=now, reason="not started in time")
        return late

    def pause(self, queue: str, *, until: int | None) -> None:
        self.pauses[queue] = until

    def resume(self, queue: str, *, now: int) -> bool:
        """Say whether there was a pause to end."""
        was_paused = queue in self.paused(now=now)
        self.pauses.pop(queue, None)
        return was_paused

    def paused(self, *, now: int) -> list[str]:
        return sorted(queue for queue, until in self.pauses.items() if until is None or until > now)

    def claimable(self, queues: Sequence[str], *, now: int) -> list[int]:
        """Return the ready jobs that may begin, the most urgent first."""
        mine = [
            i
            for i, row in self.jobs.items()
            if row["state"] == "ready"
            and row["queue"] not in self.paused(now=now)
            and (row["queue"] in queues if queues else not row["queue"].startswith("."))
        ]
        return sorted(mine, key=lambda i: (-self.jobs[i]["priority"], i))

    def claim(
        self, workers: Sequence[str], queues: Sequence[str], *, limit: int, token: str, now: int
    ) -> list[int]:
        """Give the most urgent jobs to workers, one after the other; those that are too late are passed over."""
        free, late = list(workers), set(self.late(now=now))
        claimed = []
        for i in self.claimable(queues, now=now)[:limit]:
            if i in late:
                continue
            if not free:
                break
            row = self.jobs[i]
            if row["queue"].startswith("."):
                row["queue"] = row["queue"].split(".", 2)[2]
            row.update(state="running", worker=free.pop(0), token=f"{token}-{i}", started_at=now, reason=None)
            row["attempt"] += 1
            claimed.append(i)
        return claimed

    def runs(self, run: Job) -> bool:
        """Say whether this very attempt runs."""
        row = self.jobs.get(run.id)
        return row is not None and (row["token"], row["attempt"]) == (run.token, run.attempt)

    def end(self, run: Job, ending: Ending, *, now: int) -> str | None:
        """End an attempt unless it was ended; return the state that its job is in then."""
        if not self.runs(run):
            return None
        row = self.jobs[run.id]
        if ending.has_begun:
            begun = row["started_at"] if ending.began_at is None else _ms(ending.began_at)
            self.attempts[run.id, run.attempt] = {
                "token": run.token,
                "worker": run.worker,
                "started_at": begun,
                "finished_at": now,
                "outcome": str(ending.outcome),
                "cause": ending.cause,
            }
            row.update(_after(row, ending, now), started_at=begun, result=ending.result)
        else:
            before = self.attempts.get((run.id, run.attempt - 1))
            is_over = row["cancel_at"] is not None
            row.update(state="cancelled" if is_over else "ready", attempt=run.attempt - 1)
            row["reason"] = "cancelled before it ran" if is_over else None
            row["started_at"] = None if before is None else before["started_at"]
        row.update(token=None, worker=None, finished_at=None if row["state"] in LIVE else now)
        return str(row["state"])

    def cancel(self, job_id: int, *, now: int) -> None:
        row = self.jobs[job_id]
        if row["state"] in WAITING:
            row.update(state="cancelled", cancel_at=now, finished_at=now, reason="cancelled before it ran")
        elif row["state"] == "running" and row["cancel_at"] is None:
            row["cancel_at"] = now

    def retriable(self, ids: Iterable[int]) -> list[int]:
        return sorted(i for i in set(ids) if i in self.jobs and self.jobs[i]["state"] in RETRIABLE)

    def retry(self, ids: Iterable[int], *, now: int) -> None:
        afresh = dict.fromkeys(("finished_at", "cancel_at", "expires_at", "deadline_at"))
        for i in ids:
            self.jobs[i].update(state="ready", run_at=now, failures=0, crashes=0, **afresh)
            self.jobs[i]["reason"] = "retried by a person"

    def purge(self, ids: Collection[int]) -> int:
        """Forget ended jobs with all that is known of them; return how many."""
        ended = [i for i in ids if i in self.jobs and self.jobs[i]["state"] not in LIVE]
        for i in ended:
            del self.jobs[i]
        self.attempts = {which: row for which, row in self.attempts.items() if which[0] in self.jobs}
        self.purged += len(ended)
        return len(ended)

    def where(self, holds: Callable[[Row], bool]) -> list[int]:
        return [i for i, row in self.jobs.items() if holds(row)]


def _after(row: Row, ending: Ending, now: int) -> Row:
    """Return what of a job is new once an attempt of it has ended that was begun."""
    if ending.outcome is Outcome.OK and not ending.is_skip:
        return _is("succeeded", row, None)
    if row["cancel_at"] is not None or ending.outcome is Outcome.CANCELLED:
        return _is("cancelled", row, "cancelled while it ran")
    if ending.outcome is Outcome.OK:
        return _is("skipped", row, ending.cause)
    if ending.outcome is Outcome.INTERRUPTED:
        return {**_is("ready", row, ending.cause), "crashes": row["crashes"], "run_at": now}
    return _after_failure(row, ending, now)


def _after_failure(row: Row, ending: Ending, now: int) -> Row:
    has_crashed = ending.outcome is Outcome.CRASHED
    failures, crashes = row["failures"] + 1, row["crashes"] + 1 if has_crashed else 0
    counted = {"failures": failures, "crashes": crashes}
    state, reason = "failed", ending.cause
    if has_crashed and row["on_crash"] != "fail":
        state = "crashed"
        if crashes >= MOST_CRASHES:
            return {**counted, "state": state, "reason": f"poison: its worker died {crashes} times in a row"}
    is_last = failures > row["retries"] or ending.is_permanent
    if is_last or (has_crashed and row["on_crash"] != "retry"):
        return {**counted, "state": state, "reason": reason}
    wait = ending.retry_in_s
    if wait is None:
        wait = min(10 * 2 ** (failures - 1), 600) * SPREAD
    run_at = now + round(wait * 1000)
    cause = ending.cause or ending.outcome
    if row["deadline_at"] is not None and run_at >= row["deadline_at"]:
        reason = f"its deadline leaves no time for a retry: {cause}"
        return {**counted, "state": "failed", "reason": reason}
    reason = f"retry {failures} of {row['retries']}: {cause}"
    return {**counted, "state": "scheduled" if wait else "ready", "run_at": run_at, "reason": reason}


def _is(state: str, row: Row, reason: str | None) -> Row:
    return {"state": state, "failures": row["failures"], "crashes": 0, "reason": reason}


def _ms(instant: Any) -> Any:
    return None if instant is None else round(instant.timestamp() * 1000)
