"""What `doctor` looks at: one small function for each subject, and rules from facts to findings."""

from __future__ import annotations

from collections.abc import Iterator

from jobrun.actions.checkup.clocks import look_at_clock, look_at_zones
from jobrun.actions.checkup.house import look_at_tables, look_at_workers
from jobrun.actions.checkup.kept import look_at_retention
from jobrun.actions.checkup.place import (
    look_at_file,
    look_at_file_system,
    look_at_modes,
    look_at_room,
    look_at_wal,
    look_through,
)
from jobrun.actions.checkup.software import look_at_libraries, look_at_sqlite
from jobrun.actions.checkup.units import look_at_units
from jobrun.actions.checkup.words import Check, Finding, Grade, Patient, problem
from jobrun.errors import JobrunError

__all__ = ["CHECKS", "Check", "Finding", "Grade", "Patient", "examine"]

CHECKS = (
    Check("job file", look_at_file),
    Check("permissions", look_at_modes),
    Check("file system", look_at_file_system),
    Check("free space", look_at_room),
    Check("WAL", look_at_wal),
    Check("integrity", look_through),
    Check("SQLite", look_at_sqlite),
    Check("clock", look_at_clock),
    Check("time zones", look_at_zones),
    Check("workers", look_at_workers),
    Check("tables", look_at_tables),
    Check("retention", look_at_retention),
    Check("units", look_at_units),
    Check("versions", look_at_libraries),
)


def examine(patient: Patient) -> Iterator[tuple[str, Finding]]:
    """Yield all that is found, with the name of its check; a check that fails is a finding itself."""
    for check in CHECKS:
        try:
            for finding in check.look(patient):
                yield check.name, finding
        except (JobrunError, OSError) as error:
            yield check.name, problem(f"cannot be looked at: {error}", getattr(error, "hint", None))
