"""What went wrong in the last attempt of a job that failed or crashed, and how to mend it."""

from __future__ import annotations

import signal

from jobrun.actions.reasons.words import JobFacts, Reason, Rule
from jobrun.model import Attempt, ErrorInfo, Kind, Outcome
from jobrun.procs import signal_name
from jobrun.units import format_duration, format_size, wall

_MUCH = 0.5  # of the memory of the host
_FAULTS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE}
_BY_HAND = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL}


def unreadable(facts: JobFacts) -> Reason | None:
    cause = _cause(facts)
    if not cause.endswith("in the job file cannot be read"):
        return None
    return Reason(
        code="unreadable",
        text=f"It could not be run: {cause}.",
        next="`jobrun db check` looks at the job file; enqueue the job afresh",
    )


def deadline(facts: JobFacts) -> Reason | None:
    attempt, latest = facts.attempt, facts.job.deadline_at
    if not _is(attempt, Outcome.TIMEOUT) or latest is None or attempt is None or attempt.finished_at < latest:
        return None
    return Reason(
        code="deadline",
        text=f"It was stopped at its deadline, {wall(latest, facts.zone)}, which holds for all attempts together.",
        next=f"{_logs(facts)} how far it came; `jobrun retry {facts.job.id}` runs it without a deadline",
    )


def timeout(facts: JobFacts) -> Reason | None:
    if not _is(facts.attempt, Outcome.TIMEOUT):
        return None
    limit_s = facts.job.timeout_s
    return Reason(
        code="timeout",
        text=f"It was stopped at its time limit{f' of {format_duration(limit_s)}' if limit_s else ''}.",
        next=f"{_logs(facts)} how far it came; if it needs longer, ask for it with a longer `--timeout`",
    )


def no_directory(facts: JobFacts) -> Reason | None:
    if not _cause(facts).startswith("cannot enter directory"):
        return None
    return Reason(
        code="no-directory",
        text=f"It could not begin: {_cause(facts)}.",
        next="make that directory, or let the user of the workers enter it",
    )


def not_found(facts: JobFacts) -> Reason | None:
    """Read exit 127 of a command (POSIX sh, 2.8.2), with the PATH that it saw."""
    if facts.job.kind is Kind.CALL or facts.job.exit_code != 127:
        return None
    where = "the PATH of its worker" if facts.path is None else f"PATH `{facts.path}`"
    said = _cause(facts) if "`" in _cause(facts) else "a command was not found"
    return Reason(
        code="not-found",
        text=f"Exit 127: {said}; it was looked for in {where}.",
        next=f"name it by its whole path, or set PATH for the job; {_logs(facts)} which it was",
    )


def cannot_run(facts: JobFacts) -> Reason | None:
    if facts.job.kind is Kind.CALL or facts.job.exit_code != 126:
        return None
    said = _cause(facts) if "`" in _cause(facts) else "a command was found, and could not be run"
    return Reason(
        code="cannot-run",
        text=f"Exit 126: {said}.",
        next="is it executable (`chmod +x`), is its first line right (`#!`), may its file system run programs?",
    )


def out_of_memory(facts: JobFacts) -> Reason | None:
    """Suspect a lack of memory behind SIGKILL: the kernel said so, nobody can know, or it had used much."""
    attempt, much = facts.attempt, _MUCH * facts.memory if facts.memory else None
    if attempt is None or attempt.ending.signal != signal.SIGKILL or _is(attempt, Outcome.TIMEOUT):
        return None
    peak = attempt.ending.peak_rss
    has_used_much = much is not None and peak is not None and peak >= much
    if "out of memory" not in _cause(facts) and not has_used_much:
        return None
    sure = "(out of memory)" in _cause(facts)
    used = "" if peak is None else f"; it had used {format_size(peak)}"
    of = f" of {format_size(facts.memory)} here" if used and facts.memory else ""
    return Reason(
        code="out-of-memory",
        text=f"It was killed by SIGKILL, {'' if sure else 'perhaps '}for want of memory{used}{of}.",
        next="`dmesg | grep -i 'killed process'` or `journalctl -k` tells; then give it more memory or less to do",
    )


def killed(facts: JobFacts) -> Reason | None:
    number = facts.job.signal
    if number is None:
        return None
    then = f"{_logs(facts)} what it printed until then"
    if number in _FAULTS:
        then = f"a fault in machine code, perhaps of a library: {look_closer(facts)}"
    elif number in _BY_HAND:
        then = f"somebody or something sent it; {then}"
    return Reason(code="signal", text=f"It was killed by {signal_name(number)}.", next=then)


def worker_ended(facts: JobFacts) -> Reason | None:
    if not _is(facts.attempt, Outcome.CRASHED):
        return None
    return Reason(
        code="worker-ended",
        text=f"It crashed: {_cause(facts) or 'its worker ended'}.",
        next=f"{_logs(facts)} what it printed until then; the log of the workers tells of their end",
    )


def no_module(facts: JobFacts) -> Reason | None:
    error = facts.job.error
    if error is None or error.type not in ("ModuleNotFoundError", "ImportError"):
        return None
    return Reason(
        code="no-module",
        text=f"{_said(error)}.",
        next="workers import from where they were started, or from each `--path DIR`:"
        " start them with `jobrun worker --path DIR`",
    )


def no_function(facts: JobFacts) -> Reason | None:
    """Tell of a target that its module does not have, or that is nothing to call."""
    error, job = facts.job.error, facts.job
    if error is None or error.traceback is not None or not error.message.startswith(f"`{job.task}`"):
        return None
    return Reason(
        code="no-function",
        text=f"It could not be called: {_first_line(error.message)}.",
        next="mend the name and enqueue it again; workers that run keep a module as they first read it",
    )


def exception(facts: JobFacts) -> Reason | None:
    error = facts.job.error
    if error is None or facts.job.exit_code is not None:
        return None
    return Reason(code="exception", text=f"It raised {_said(error)}.", next=look_closer(facts))


def exited(facts: JobFacts) -> Reason | None:
    code = facts.job.exit_code
    if code is None or facts.attempt is None:
        return None
    cause = _cause(facts).removeprefix(f"exit {code}").lstrip(": ")
    return Reason(
        code="exit",
        text=f"It ended with exit code {code}{f': {cause}' if cause else ''}.",
        next=f"{_logs(facts)} what it printed",
    )


def look_closer(facts: JobFacts) -> str:
    """Return how to find out more about a fault in what the job runs."""
    job = facts.job
    if job.kind is Kind.CALL:
        return (
            f"`jobrun inspect {job.id}` shows where, `jobrun debug {job.id}` runs it again before your eyes"
        )
    return f"{_logs(facts)} what it printed until then"


CAUSES: tuple[Rule[JobFacts], ...] = (
    unreadable,
    deadline,
    timeout,
    no_directory,
    not_found,
    cannot_run,
    out_of_memory,
    killed,
    worker_ended,
    no_module,
    no_function,
    exception,
    exited,
)


def _is(attempt: Attempt | None, outcome: Outcome) -> bool:
    return attempt is not None and attempt.ending.outcome is outcome


def _cause(facts: JobFacts) -> str:
    return (facts.attempt.ending.cause if facts.attempt else None) or ""


def _logs(facts: JobFacts) -> str:
    return f"`jobrun logs {facts.job.id}` shows"


def _said(error: ErrorInfo) -> str:
    line = _first_line(error.message)
    return f"{error.type}: {line}" if line else error.type


def _first_line(text: str) -> str:
    return text.partition("\n")[0].rstrip(".")
