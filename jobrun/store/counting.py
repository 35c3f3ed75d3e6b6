"""The tallies of a job file: triggers count what ends, so that what is purged still counts."""

from __future__ import annotations

from jobrun.measures import STEPS_MS


def _up_to(duration: str) -> str:
    """Return SQL that finds the step a duration belongs to."""
    whens = " ".join(f"WHEN {duration} <= {step} THEN {step}" for step in STEPS_MS)
    return f"CASE {whens} ELSE 0 END"


_WORK = (
    "CASE WHEN {0}.entry IS NOT NULL THEN {0}.entry WHEN {0}.kind = 'call' THEN {0}.task ELSE {0}.kind END"
)


def work_of(table: str) -> str:
    """Return SQL for the work that a row of jobs counts as, with the name that `jobs` has there."""
    return _WORK.format(table)


TALLIES = f"""
-- How many jobs ended how, since the file has been there: what is purged still counts. `work` is the entry
-- of a table, the task of a call, or the kind of what a person asked for, so that there are few.
CREATE TABLE job_tally (
    queue TEXT    NOT NULL,
    work  TEXT    NOT NULL,
    state TEXT    NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (queue, work, state)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER jobs_tally AFTER UPDATE OF state ON jobs
WHEN NEW.finished_at IS NOT NULL AND OLD.finished_at IS NULL
BEGIN
    INSERT INTO job_tally (queue, work, state, count)
    VALUES (NEW.queue, {work_of("NEW")}, NEW.state, 1)
    ON CONFLICT DO UPDATE SET count = count + 1;
END;

-- How many attempts ended how, and how long they took.
CREATE TABLE attempt_tally (
    work     TEXT    NOT NULL,
    outcome  TEXT    NOT NULL,
    up_to    INTEGER NOT NULL,                         -- milliseconds; 0: longer than all
    count    INTEGER NOT NULL,
    total_ms INTEGER NOT NULL,
    PRIMARY KEY (work, outcome, up_to)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER attempts_tally AFTER INSERT ON attempts
BEGIN
    INSERT INTO attempt_tally (work, outcome, up_to, count, total_ms)
    SELECT {work_of("jobs")}, NEW.outcome,
           {_up_to("NEW.finished_at - NEW.started_at")},
           1, max(NEW.finished_at - NEW.started_at, 0)
      FROM jobs
     WHERE id = NEW.job_id
    ON CONFLICT DO UPDATE SET count = count + 1, total_ms = total_ms + excluded.total_ms;
END;

-- How many ticks were decided how; those too many to count are one. A tick that was missed and ran after all
-- counts as both.
CREATE TABLE tick_tally (
    entry TEXT    NOT NULL,
    state TEXT    NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (entry, state)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER ticks_tally_new AFTER INSERT ON ticks
WHEN NEW.state <> 'pending'
BEGIN
    INSERT INTO tick_tally (entry, state, count) VALUES (NEW.entry, NEW.state, coalesce(NEW.count, 1))
    ON CONFLICT DO UPDATE SET count = count + excluded.count;
END;

CREATE TRIGGER ticks_tally_changed AFTER UPDATE OF state ON ticks
WHEN NEW.state <> 'pending' AND NEW.state <> OLD.state
BEGIN
    INSERT INTO tick_tally (entry, state, count) VALUES (NEW.entry, NEW.state, coalesce(NEW.count, 1))
    ON CONFLICT DO UPDATE SET count = count + excluded.count;
END;
"""  # noqa: S608 -- fixed text
