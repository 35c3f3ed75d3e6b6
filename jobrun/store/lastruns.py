"""The tables, continued: which runs of an entry are never forgotten by themselves."""

LAST_RUNS = """
-- The last job of an entry that succeeded, and the last that did not: they are kept, however old.
CREATE TABLE last_runs (
    entry      TEXT    NOT NULL,
    is_success INTEGER NOT NULL CHECK (is_success IN (0, 1)),
    job_id     INTEGER NOT NULL,                       -- it may be purged by a person, or run again
    PRIMARY KEY (entry, is_success)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER jobs_last_run AFTER UPDATE OF state ON jobs
WHEN NEW.entry IS NOT NULL AND NEW.finished_at IS NOT NULL AND OLD.finished_at IS NULL
 AND NEW.state IN ('succeeded', 'failed', 'crashed', 'expired')
BEGIN
    INSERT INTO last_runs (entry, is_success, job_id)
    VALUES (NEW.entry, NEW.state = 'succeeded', NEW.id)
    ON CONFLICT DO UPDATE SET job_id = excluded.job_id;
END;
"""
