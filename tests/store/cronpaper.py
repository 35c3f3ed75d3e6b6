"""What a job file should hold of cron tables, workers and monitors, in dicts; as `paper` for jobs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from tests.store.paper import Row

SUCCESSES, FAILURES = {"succeeded"}, {"failed", "crashed", "expired"}


class CronPaper:
    """The entries, what became of their ticks, the workers, and what monitors are to be told."""

    def __init__(self) -> None:
        self.entries: dict[str, Row] = {}
        self.last_runs: dict[tuple[str, bool], int] = {}  # ids by entry and whether they succeeded
        self.ticks: dict[tuple[str, int], Row] = {}
        self.workers: dict[str, Row] = {}
        self.pings: list[int] = []  # of which jobs, in the order in which they are told

    def load(self, table: Mapping[str, tuple[str, str]], *, boot_id: str, now: int) -> tuple[Any, ...]:
        """Make the entries those of a table (name: digest, digest of its times); return what that changed."""
        here = {name for name, row in self.entries.items() if row["removed_at"] is None}
        added, changed = [], []
        for name, (digest, schedule) in table.items():
            fresh = {"since": now, "digest": digest, "schedule_digest": schedule}
            restart = {"done_until": now, "anchor": now, "boot_id": boot_id}
            if name not in here:
                added.append(name)
                rest = self.entries.get(name, {"paused_at": None, "paused_until": None})
                luck = {"failing_since": None, "failed_runs": 0, "last_success_at": None, "removed_at": None}
                self.entries[name] = {**rest, **luck, **fresh, **restart}
            elif self.entries[name]["digest"] != digest:
                changed.append(name)
                if self.entries[name]["schedule_digest"] != schedule:
                    fresh |= restart
                self.entries[name].update(fresh)
        removed = sorted(here - table.keys())
        for name in removed:
            self.entries[name]["removed_at"] = now
            for tick in self.pending(name).values():
                tick.update(state="skipped", reason="its entry was removed while it waited", decided_at=now)
        return tuple(added), tuple(changed), tuple(removed)

    def pause(self, name: str, *, until: int | None, now: int) -> bool:
        row = self.entries.get(name)
        if row is None or row["removed_at"] is not None:
            return False
        ends = row["paused_until"]
        if row["paused_at"] is None or (ends is not None and ends <= now):
            row["paused_at"] = now
        row["paused_until"] = until
        return True

    def resume(self, name: str, *, now: int) -> bool:
        row = self.entries.get(name)
        if row is None or row["removed_at"] is not None:
            return False
        if row["paused_at"] is not None:
            ends = row["paused_until"]
            row["paused_until"] = now if ends is None else min(ends, now)
        return True

    def rewind(self, *, now: int) -> None:
        for row in self.entries.values():
            row["done_until"], row["since"] = min(row["done_until"], now), min(row["since"], now)

    def note_last_run(self, name: str, state: str, job_id: int) -> None:
        if state in SUCCESSES | FAILURES:
            self.last_runs[name, state in SUCCESSES] = job_id

    def settled(self, name: str, state: str, *, now: int) -> str | None:
        """Count the end of a job; return the turn of the luck of its entry."""
        row = self.entries.get(name)
        if row is None or state not in SUCCESSES | FAILURES:
            return None
        was_failing = row["failed_runs"] > 0
        if state in SUCCESSES:
            row.update(failing_since=None, failed_runs=0, last_success_at=now)
            return "recovered" if was_failing else None
        row["failed_runs"] += 1
        if was_failing:
            return None
        row["failing_since"] = now
        return "failed"

    def pending(self, name: str) -> dict[int, Row]:
        """Return the ticks of an entry that wait, the oldest first."""
        return {
            at: row
            for (entry, at), row in sorted(self.ticks.items())
            if entry == name and row["state"] == "pending"
        }

    def is_open(self, name: str, at: int, state: str) -> bool:
        """Say whether a tick may be decided so."""
        row = self.ticks.get((name, at))
        if row is not None:
            return row["state"] == "missed" and state in {"ran", "pending"}
        spans = ((at_, row["last"]) for (entry, at_), row in self.ticks.items() if entry == name and at_ < at)
        return state in {"ran", "pending", "skipped"} or not any(last >= at for _, last in spans)

    def forget_ticks(self, *, before: int, limit: int) -> int:
        old = [
            key for key, row in self.ticks.items() if row["state"] != "pending" and row["decided_at"] < before
        ]
        assert len(old) <= limit
        for key in old:
            del self.ticks[key]
        return len(old)

    def leave(self, name: str, busy: Collection[str | None]) -> bool:
        if name not in busy:
            self.workers.pop(name, None)
        return name not in self.workers
