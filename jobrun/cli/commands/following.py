"""logs and wait: what a job printed, what it prints, and how it ends."""

from __future__ import annotations

import sys

import typer

from jobrun.actions import looking, output, waiting
from jobrun.cli import jsonout, jsonviews, options, render
from jobrun.cli.place import opened
from jobrun.cli.printing import Printer, tell_change
from jobrun.cli.waiting import own_errors, tell_if_idle, told_code
from jobrun.errors import UsageError

ON_TERMINAL = 20  # lines that a terminal gets unless told otherwise


def logs(  # noqa: PLR0913 -- each option is a parameter
    ctx: typer.Context,
    *,
    job_id: options.AJobId,
    follow: options.Follow = False,
    attempt: options.AttemptNumber = None,
    lines: options.Lines = None,
    full: options.Full = False,
    raw: options.Raw = False,
    as_json: options.AsJson = False,
) -> int:
    """Show what a job printed.

    Its last attempt, unless told otherwise.
    A terminal gets the last 20 lines (-n and --full change that), a pipe everything that is kept.
    """
    if full and lines:
        raise UsageError("--full and -n exclude each other")
    if as_json and (follow or raw):
        raise UsageError(f"--json and {'-f' if follow else '--raw'} exclude each other")
    if follow and attempt:
        raise UsageError("-f follows the attempts to come, so it takes no --attempt")
    printer = Printer(raw=raw)
    if follow:
        with opened(ctx) as store:
            tell_if_idle(store, [job_id])
            output.follow(store, job_id, printer, tell=tell_change, lines=lines)
        return 0
    with opened(ctx) as store:
        job = looking.get(store, job_id)
        data = output.output_of(store, job, attempt=attempt)
    if as_json:
        told = jsonviews.log_object(job, attempt, data if lines is None else output.last_lines(data, lines))
        render.line(jsonout.dump(told))
        return 0
    shown = lines or (ON_TERMINAL if sys.stdout.isatty() and not full else None)
    kept = data if shown is None else output.last_lines(data, shown)
    printer(kept)
    printer.end_line()
    if not data:
        render.remark(f"job {job_id} has printed nothing" if job.attempt else f"job {job_id} has not run yet")
    elif len(kept) < len(data) and not lines:
        render.remark(f"the last {shown} of {len(data.splitlines())} lines; --full shows all that is kept")
    return 0


def wait(
    ctx: typer.Context,
    *,
    ids: options.JobIds,
    timeout: options.WaitTime = None,
    as_json: options.AsJson = False,
) -> int:
    """Wait until jobs have ended.

    The exit code of one job is its own, 128+n by signal n; of several it is 1 if any failed. 124 says
    that the time ran out, 125 that jobrun itself failed.
    """
    with own_errors(), opened(ctx) as store:
        tell_if_idle(store, ids)
        jobs = waiting.wait(store, ids, timeout_s=timeout)
    if as_json:
        render.line(jsonout.array([jsonout.job_object(job) for job in jobs]))
        return waiting.exit_code(jobs)
    return told_code(jobs)
