"""One job in full, and the whole job file at a glance."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from jobrun.actions.looking import Inspection, Overview
from jobrun.cli import cronpages, pausewords, render, tables
from jobrun.cli.cells import rooms
from jobrun.cli.human import both, distance, local
from jobrun.cli.safe import safe_line
from jobrun.cli.veil import veiled
from jobrun.cron.monitor import host_of
from jobrun.cron.words import Coming, Tick
from jobrun.model import COMMON_TERMS, Attempt, Job, Kind, Leftovers, OnCrash, State, Terms
from jobrun.units import format_duration, format_size, plural

ABOVE = 3  # lines of a table at a glance that are no job: an empty one, what it shows, its headings
BELOW = 2  # lines: a remark, and the prompt
LEAST = 2  # jobs of each table that are shown on however low a terminal
_ON_CRASH = {
    OnCrash.RETRY: "retry while retries are left, then park",
    OnCrash.PARK: "park",
    OnCrash.FAIL: "fail",
}


def job(found: Inspection, now: datetime, *, show_env: bool, show_secrets: bool) -> None:
    """Print everything about a job: what, how, and how each attempt ended."""
    it = found.job
    times = _times(it, found.tick, now)
    values = _values(it)
    shown = values if show_secrets else veiled(values)
    render.facts([("job", str(it.id)), *_what(it, shown), *times, *_rules(it), *_outcome(it, shown)])
    for each in found.edits:
        render.paragraph(f"edited {both(each.at, now)} by {each.by}: {each.changes}")
    if shown != values:
        render.block("(--show-secrets shows what is hidden)")
    if found.environment is not None:
        _environment(found.environment, show_env=show_env)
    for attempt in found.attempts:
        _attempt(attempt)
    if it.state is State.RUNNING:
        _live_attempt(it, now)


def overview(found: Overview, coming: Sequence[Coming | None], now: datetime) -> None:
    """Print the file at a glance: counts first, and whatever is dead or odd.

    `coming` is the next run of each table.
    """
    used = render.sentence(*_counts(found, now))
    for pause in found.pauses:
        used += render.sentence((pausewords.paused(pause, now), render.STATE_STYLES["paused"]))
    for view, run in zip(found.tables, coming, strict=True):
        used += render.sentence((cronpages.glance(view, run, now), ""))
    if found.firing:
        from jobrun.cli import alertpages  # noqa: PLC0415 -- on most hosts nothing fires

        used += render.sentence((alertpages.glance(found.firing, now), render.STATE_STYLES["failed"]))
    _at_a_glance(found, used, now)


def _at_a_glance(found: Overview, used: int, now: datetime) -> None:
    """Print some jobs; where a terminal has few lines, not so many that the counts leave its top."""
    failed = found.counts[State.FAILED] + found.counts[State.CRASHED]
    parts = [
        part
        for part in (
            ("running", found.running, found.counts[State.RUNNING], "list running"),
            ("ready", found.ready, found.counts[State.READY], "list ready"),
            ("failed or crashed", found.troubled, failed, "failed"),
        )
        if part[1]
    ]
    lengths = [len(jobs) for _, jobs, _, _ in parts]
    room = render.height()
    if room is not None:
        over_tables = ABOVE * len(parts)
        lengths = rooms(lengths, max(room - used - over_tables - BELOW, LEAST * len(parts)))
    for (title, jobs, count, verb), length in zip(parts, lengths, strict=True):
        more = f": {length} of {count}, `jobrun {verb}` shows more" if length < count else ""
        render.heading(f"{title}{more}")
        tables.jobs(jobs[:length], now)


def _values(it: Job) -> dict[str, Any]:
    """Return the JSON values of a job that are shown, by what they are."""
    return {
        "arguments": [] if it.kind is Kind.SHELL else list(it.args),
        "keywords": dict(it.kwargs),
        "result": None if it.result is None else [json.loads(it.result)],
    }


def _json(values: Any) -> str:
    return json.dumps(values, ensure_ascii=False) if values else ""


def _what(it: Job, shown: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("state", f"{it.state}: {tables.why(it)}" if tables.why(it) else it.state),
        ("name", it.name or ""),
        ("task", it.task),
        ("kind", it.kind),
        ("arguments", _json(shown["arguments"])),
        ("keywords", _json(shown["keywords"])),
        ("queue", f"{it.queue}, priority {it.priority}"),
        ("key", it.key or ""),
        ("tags", " ".join(it.tags)),
        ("entry", it.entry or ""),
    ]


def _times(it: Job, tick: Tick | None, now: datetime) -> list[tuple[str, str]]:
    moved = f", moved from {tick.moved_from:%H:%M} by the clocks" if tick and tick.moved_from else ""
    return [
        ("tick", both(it.scheduled_for, now) + moved),
        ("added", both(it.created_at, now)),
        ("due", both(it.run_at, now)),
        ("expires", both(it.expires_at, now)),
        ("deadline", both(it.deadline_at, now)),
        ("started", both(it.started_at, now)),
        ("ended", both(it.finished_at, now)),
        ("cancelled", both(it.cancel_at, now)),
        ("worker", it.worker or ""),
    ]


def _rules(it: Job) -> list[tuple[str, str]]:
    backoff = f", back-off {format_duration(it.backoff_s)} doubled up to {format_duration(it.max_backoff_s)}"
    return [
        ("attempts", f"{it.attempt} of at most {it.max_attempts}"),
        ("retries", f"{it.retries}{backoff if it.retries else ''}; {plural(it.failures, 'failure')} counted"),
        (
            "time limit",
            "none" if it.timeout_s is None else f"{format_duration(it.timeout_s)} per attempt",
        ),
        ("on crash", _ON_CRASH[it.on_crash]),
        ("directory", it.cwd or ""),
        ("umask", "" if it.umask is None else f"{it.umask:03o}"),
        *_terms(it.terms),
    ]


def _terms(terms: Terms) -> list[tuple[str, str]]:
    """Return those terms that are not the common ones; the address of a monitor is as good as a password."""
    exits = [
        f"{' '.join(map(str, codes))} {meaning}"
        for codes, common, meaning in (
            (terms.ok_exit, COMMON_TERMS.ok_exit, "succeeded"),
            (terms.skip_exit, COMMON_TERMS.skip_exit, "nothing to do"),
            (terms.no_retry_exit, COMMON_TERMS.no_retry_exit, "no retry"),
        )
        if codes != common and codes
    ]
    return [
        ("exit codes", "; ".join(exits)),
        ("stdin", "" if terms.stdin is None else format_size(len(terms.stdin.encode()))),
        ("output", "discarded" if terms.discards_output else ""),
        ("leftovers", "kept" if terms.leftovers is Leftovers.KEEP else ""),
        ("isolated", "in a fork of its own" if terms.isolate else ""),
        ("catch-up", "its tick was due while no scheduler ran" if terms.is_catchup else ""),
        ("monitor", "" if terms.ping is None else host_of(terms.ping)),
    ]


def _outcome(it: Job, shown: dict[str, Any]) -> list[tuple[str, str]]:
    result = "".join(json.dumps(value, ensure_ascii=False) for value in shown["result"] or ())
    return [("result", result), ("note", it.note or "")]


def _environment(variables: Mapping[str, str], *, show_env: bool) -> None:
    render.heading(f"environment: {plural(len(variables), 'variable')}")
    if show_env:
        for name, value in sorted(variables.items()):
            render.block(f"{name}={safe_line(value)}")
    else:
        render.words(sorted(variables))
        render.block("(--show-env shows the values)")


def _attempt(attempt: Attempt) -> None:
    ending = attempt.ending
    took_s = (attempt.finished_at - attempt.started_at).total_seconds()
    cause = f": {ending.cause}" if ending.cause else ""
    render.heading(f"attempt {attempt.number}: {ending.outcome}{cause}")
    used = [f"took {format_duration(took_s)}"]
    if ending.cpu_s is not None:
        used.append(f"{ending.cpu_s:.2f} s of CPU")
    if ending.peak_rss is not None:
        used.append(f"peak memory {format_size(ending.peak_rss)}")
    render.block(", ".join(used))
    by = f" (pid {attempt.pid})" if attempt.pid else ""
    render.block(f"started {local(attempt.started_at, timespec='milliseconds')}")
    render.block(f"by worker {safe_line(attempt.worker)}{by}")
    render.block(_code(ending.exit_code, ending.signal))
    if ending.note:
        render.block(ending.note)
    if ending.output.size:
        render.block(f"printed {format_size(ending.output.size)}{_where_it_is(attempt)}")
    if ending.error:
        render.block(ending.error.traceback or f"{ending.error.type}: {ending.error.message}")


def _where_it_is(attempt: Attempt) -> str:
    output = attempt.ending.output
    if output.cut == output.size:
        return ", which is not kept"
    cut = f", {format_size(output.cut)} of it cut" if output.cut else ""
    return f"{cut}: `jobrun logs {attempt.job_id} --attempt {attempt.number}` shows it"


def _live_attempt(it: Job, now: datetime) -> None:
    render.heading(f"attempt {it.attempt}: running")
    render.block(f"started {both(it.started_at, now)}")
    render.block(f"by worker {safe_line(it.worker or '?')}")
    render.block(f"`jobrun logs {it.id} -f` follows what it prints")


def _code(exit_code: int | None, number: int | None) -> str:
    if number is None:
        return "" if exit_code is None else f"exit code {exit_code}"
    try:
        name = signal.Signals(number).name
    except ValueError:  # a real-time signal
        name = "no name"
    return f"signal {number} ({name})"


def _counts(found: Overview, now: datetime) -> list[tuple[str, str]]:
    """Return how many jobs there are of each state, and how many workers, each with its style."""
    parts = [
        (f"{found.counts[state]} {state}", render.STATE_STYLES.get(state, ""))
        for state in State
        if found.counts[state]
    ] or [("no jobs", "")]
    if found.next_due:  # scheduled is the first state
        parts[0] = (f"{parts[0][0]} (next {distance(max(found.next_due, now), now)})", "")
    *others, (last, style) = parts
    workers = plural(found.living, "worker") if found.living else "no worker"
    dead = f", {plural(found.dead, 'dead worker')} not yet cleared away" if found.dead else ""
    is_well = found.living and not found.dead
    told = [(f"{text},", each) for text, each in others]
    return [*told, (f"{last};", style), (f"{workers}{dead}", "" if is_well else "bold red")]
