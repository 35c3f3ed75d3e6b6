"""doctor: whether the host, the job file and all around them are well."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from jobrun.actions.checkup import Finding, Grade, Patient, examine
from jobrun.cli import jsonout, options, render
from jobrun.cli.place import job_file, utc_now
from jobrun.errors import JobrunError
from jobrun.store import Store, open_store
from jobrun.units import plural

BUDGET_S = 3.0  # for reading through the job file

Full = Annotated[bool, typer.Option("--full", help="Read all of the job file, however long that takes.")]


def doctor(ctx: typer.Context, *, full: Full = False, as_json: options.AsJson = False) -> int:
    """Look whether all is well: the job file, SQLite, clock, workers, tables, retention, units.

    Each finding is ok, a warning or a problem, with what to do. Exit code: 0, 1 for a warning, 2 for a problem.
    """
    path, found = job_file(ctx), list[tuple[str, Finding]]()
    with ExitStack() as closing:
        store, fault = _opened(path)
        if store is not None:
            closing.enter_context(store)
        patient = Patient(
            path=path,
            named_by=_named_by(ctx),
            store=store,
            fault=fault,
            now=utc_now(),
            environ=os.environ,
            budget_s=None if full else BUDGET_S,
        )
        for name, finding in examine(patient):
            found.append((name, finding))
            if not as_json:
                render.finding(finding.grade.name.lower(), name, finding.said, finding.todo)
    if as_json:
        render.line(jsonout.dump(_object(found)))
    else:
        _sum_up(found)
    return int(_worst(found))


def _opened(path: Path) -> tuple[Store | None, JobrunError | None]:
    try:
        return open_store(path), None
    except JobrunError as error:
        return None, error


def _named_by(ctx: typer.Context) -> str:
    if ctx.obj is not None:
        return "--db"
    return "JOBRUN_DB" if os.environ.get("JOBRUN_DB") else "default"


def _worst(found: list[tuple[str, Finding]]) -> Grade:
    return max((finding.grade for _, finding in found), default=Grade.OK)


def _object(found: list[tuple[str, Finding]]) -> dict[str, object]:
    return {
        "grade": _worst(found).name.lower(),
        "findings": [
            {
                "check": name,
                "grade": finding.grade.name.lower(),
                "finding": finding.said,
                "todo": finding.todo,
            }
            for name, finding in found
        ],
    }


def _sum_up(found: list[tuple[str, Finding]]) -> None:
    counts = {grade: sum(finding.grade is grade for _, finding in found) for grade in Grade}
    if not (counts[Grade.PROBLEM] or counts[Grade.WARNING]):
        render.remark("all is well")
        return
    told = [
        plural(counts[grade], grade.name.lower()) for grade in (Grade.PROBLEM, Grade.WARNING) if counts[grade]
    ]
    render.remark(", ".join(told))
