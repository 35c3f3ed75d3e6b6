"""`jobrun enqueue`: what a person sees of asking for a job."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from jobrun.cli.answers import answer_with, echo_due_now, echo_held, remark, remark_held, uninterrupted
from jobrun.cli.asking import Caller
from jobrun.cli.caller import here, zone_to_show
from jobrun.cli.plain import MAX_SHOWN
from jobrun.cli.safe import safe_line
from jobrun.cli.veil import veiled
from jobrun.cli.words import Request, parse
from jobrun.errors import UNCHANGED, JobrunError, NotDone
from jobrun.model import Added, Kind, NewJob, State
from jobrun.paths import default_path
from jobrun.store import Store, open_store
from jobrun.units import format_duration


def run(words: Sequence[str], db: Path | None) -> int:
    """Answer the words after `enqueue`, and return the exit code. Raises `JobrunError`."""
    if _asks_for_help(words):
        from jobrun.cli.helppage import help_page  # noqa: PLC0415 -- only here

        sys.stdout.write(help_page())
        return 0
    caller = here()
    request = parse(words, caller)
    path = db or default_path(os.environ, is_root=os.geteuid() == 0)
    if request.job is None:
        return _add_batch(request, path, caller)
    if request.check:
        from jobrun.cli.checking import check_call  # noqa: PLC0415 -- only asked for

        check_call(request.job)
    added = _add(request, request.job, path, caller)
    if not request.wait and not request.follow:
        return 0
    from jobrun.cli.waiting import wait_and_exit  # noqa: PLC0415 -- most callers do not wait

    return wait_and_exit(path, added.id, follow=request.follow)


def describe(job: NewJob) -> str:
    """Return what a job does, in one line as a person would write it."""
    text = safe_line(_call(job) if job.kind is Kind.CALL else job.task)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def _asks_for_help(words: Sequence[str]) -> bool:
    """Say whether --help stands before `--`; as a value of an option it would be refused anyway."""
    before = words[: words.index("--")] if "--" in words else words
    return "--help" in before or "-h" in before


def _add(request: Request, job: NewJob, path: Path, caller: Caller) -> Added:
    with uninterrupted(), open_store(path, create=True, durability=request.durability) as store:
        tell_created(store)
        [added] = store.intake.add([job], now=caller.now)
        if request.json:
            from jobrun.cli.jsonout import dump, job_object  # noqa: PLC0415 -- for programs alone

            stored = store.ledger.get(added.id)
            answer = "null" if stored is None else dump(job_object(stored))
        elif request.quiet:
            answer = str(added.id)
        else:
            answer = _echo(job, added, caller)
        if not added.is_new:
            remark_held(added.id)
        elif job.run_at is not None and job.run_at < caller.now:
            remark(safe_line(f"{_instant(job)} is in the past: runs now"))
        answer_with(answer, f"job {added.id} is queued all the same")
    return added


def _add_batch(request: Request, path: Path, caller: Caller) -> int:
    from jobrun.cli import batch  # noqa: PLC0415 -- one job does not need it

    assert request.batch is not None
    jobs = batch.parse(batch.read_lines(request.batch), request.defaults, caller)
    if not jobs:
        raise NotDone(f"`{request.batch}` asks for no job")
    added: list[Added] = []
    with uninterrupted(), open_store(path, create=True, durability=request.durability) as store:
        tell_created(store)
        for start in range(0, len(jobs), batch.CHUNK):
            try:
                added += store.intake.add(jobs[start : start + batch.CHUNK], now=caller.now)
            except JobrunError as error:
                queued = f"only the first {len(added)} of" if added else "none of"
                end = f"{queued} {len(jobs)} jobs {'are' if added else 'was'} queued"
                error.message = f"{error.message.removesuffix(UNCHANGED)}: {end}"
                raise
        answer_with(_batch_echo(request, added, store), f"all {len(added)} jobs are queued")
    return 0


def _batch_echo(request: Request, added: Sequence[Added], store: Store) -> str:
    if request.quiet:
        return "\n".join(str(each.id) for each in added)
    if request.json:
        from jobrun.cli.jsonout import array, job_object  # noqa: PLC0415 -- for programs alone

        stored = (store.ledger.get(each.id) for each in added)
        return array([job_object(job) for job in stored if job is not None])
    new = [each.id for each in added if each.is_new]
    parts = [f"{len(new)} {'job' if len(new) == 1 else 'jobs'} queued"]
    if new:
        parts.append(f"first {new[0]}, last {new[-1]}")
    if held := len(added) - len(new):
        parts.append(f"{held} already queued under their keys")
    return "; ".join(parts)


def _echo(job: NewJob, added: Added, caller: Caller) -> str:
    if not added.is_new:
        return echo_held(added.id, added.state, describe(job))
    if added.state is not State.SCHEDULED:
        return echo_due_now(added.id, describe(job), job.queue)
    wait = format_duration((added.run_at - caller.now).total_seconds())
    return f"job {added.id} queued: {describe(job)} on {job.queue}, due in {wait} ({_instant(job)})"


def _instant(job: NewJob) -> str:
    assert job.run_at is not None
    return f"{job.run_at.astimezone(zone_to_show()):%Y-%m-%d %H:%M:%S %Z}"


def _call(job: NewJob) -> str:
    words = [_literal(value) for value in veiled(job.args)]
    words += [f"{name}={_literal(value)}" for name, value in veiled(dict(job.kwargs)).items()]
    return f"{job.task}({', '.join(words)})"


def _literal(value: object) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)


def tell_created(store: Store) -> None:
    if store.created:
        remark(safe_line(f"new job file at {store.path}"))
