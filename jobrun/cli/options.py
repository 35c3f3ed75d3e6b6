"""Every option and argument of the command line, named once."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from jobrun.cli import unitfiles
from jobrun.cli.caller import zone
from jobrun.cli.place import utc_now
from jobrun.errors import NoSuchJob, UsageError
from jobrun.model import State
from jobrun.requests import check_name
from jobrun.units import parse_duration
from jobrun.when import parse_when

MAX_ID = 2**63 - 1  # of SQLite
MAX_GLOB = 256  # characters
MAX_LIMIT = 100_000
MAX_WORKERS = 256

# The five views of a database-backed queue; failed and crashed are states by themselves.
VIEWS = {"active": State.RUNNING, "pending": State.READY, "future": State.SCHEDULED}
STATE_WORDS = ", ".join([*State, *VIEWS])


def job_id(text: str) -> int:
    """Read a job id. Raises `UsageError`, or `NoSuchJob` for one that no job can have.

    >>> job_id("12")
    12
    """
    if not (text.isascii() and text.isdigit()) or not text.strip("0"):
        raise UsageError(
            f"`{text}` is not a job id", hint="ids are whole numbers from 1; `jobrun list` shows them"
        )
    if len(text) > 18 and int(text[:40]) > MAX_ID:
        raise NoSuchJob(int(text[:40]))
    return int(text)


def state(text: str) -> State:
    """Read a state, or the name of a view of it.

    >>> state("failed").value, state("pending").value
    ('failed', 'ready')
    """
    if text in VIEWS:
        return VIEWS[text]
    try:
        return State(text)
    except ValueError:
        raise UsageError(
            f"`{text}` is not a state", hint=meant(text, [*State, *VIEWS], STATE_WORDS)
        ) from None


def duration(text: str) -> float:
    """Read a span of time, in seconds."""
    return parse_duration(text)


def glob(text: str) -> str:
    """Read a pattern."""
    if not text or len(text) > MAX_GLOB:
        raise UsageError(f"a pattern has 1 to {MAX_GLOB} characters, this one {len(text)}")
    return text


def whole(option: str, most: int, *, least: int = 1) -> Callable[[str], int]:
    """Return a reader of whole numbers from `least` to `most`.

    >>> whole("--workers", 256)("4")
    4
    """

    def number(text: str) -> int:
        if text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most:
            return int(text)
        upto = f" to {most}" if most <= MAX_LIMIT else ""
        raise UsageError(f"{option} is a whole number from {least}{upto}, not `{text}`")

    return number


def when(text: str) -> datetime:
    """Read a time, of today or tomorrow in the zone of the caller."""
    return parse_when(text, utc_now(), zone())


def entry_name(text: str) -> str:
    """Read a name that an entry of a table can have."""
    check_name("entry", text)
    return text


def queue_name(text: str) -> str:
    """Read a name that a queue can have."""
    check_name("queue", text)
    return text


def meant(word: str, known: list[str], otherwise: str) -> str:
    """Return a hint: the word that is close, or else all there are."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean `{close[0]}`?" if close else f"one of {otherwise}"


AJobId = Annotated[int, typer.Argument(metavar="ID", parser=job_id, help="The job.")]
JobIds = Annotated[list[int], typer.Argument(metavar="ID...", parser=job_id, help="The jobs.")]
SomeJobIds = Annotated[
    list[int] | None, typer.Argument(metavar="[ID...]", parser=job_id, help="The jobs; none: all that match.")
]
StateWords = Annotated[
    list[State] | None,
    typer.Argument(metavar="[STATE...]", parser=state, help=f"One or more of {STATE_WORDS}."),
]
States = Annotated[
    list[State] | None,
    typer.Option("--state", metavar="STATE", parser=state, help="In this state (repeatable)."),
]
Queue = Annotated[
    str | None, typer.Option("--queue", "-Q", metavar="QUEUE", parser=queue_name, help="In this queue.")
]
Task = Annotated[
    str | None,
    typer.Option("--task", metavar="GLOB", parser=glob, help="Whose task matches, as `reports.*`."),
]
Tag = Annotated[str | None, typer.Option("--tag", metavar="TAG", help="That have this tag.")]
Since = Annotated[
    float | None,
    typer.Option(
        "--since", metavar="DUR", parser=duration, help="Ended, or still live and added, in the last DUR."
    ),
]
OlderThan = Annotated[
    float | None,
    typer.Option("--older-than", metavar="DUR", parser=duration, help="Ended longer ago than DUR, as 7d."),
]
Limit = Annotated[
    int | None,
    typer.Option(
        "--limit", metavar="N", parser=whole("--limit", 10**18), help="Show the newest N (default 50)."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
All = Annotated[bool, typer.Option("--all", help="All of them, whatever else.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Name what would be removed, and remove nothing.")]
ShowEnv = Annotated[bool, typer.Option("--show-env", help="Show the values of the captured environment.")]
AndRetry = Annotated[bool, typer.Option("--retry", help="Queue them again.")]
AndPurge = Annotated[bool, typer.Option("--purge", help="Remove them.")]
Follow = Annotated[
    bool, typer.Option("--follow", "-f", help="Go on until the job has ended, over all its attempts.")
]
AttemptNumber = Annotated[
    int | None,
    typer.Option(
        "--attempt",
        metavar="N",
        parser=whole("--attempt", 10**9),
        help="Of this attempt (default: the last).",
    ),
]
Lines = Annotated[
    int | None,
    typer.Option(
        "--lines", "-n", metavar="LINES", parser=whole("--lines", 10**9), help="The last LINES only."
    ),
]
Full = Annotated[bool, typer.Option("--full", help="All that is kept, also on a terminal.")]
Raw = Annotated[
    bool, typer.Option("--raw", help="The bytes as they are, with whatever they do to a terminal.")
]
WaitTime = Annotated[
    float | None,
    typer.Option("--timeout", metavar="DUR", parser=duration, help="Give up after DUR, with exit code 124."),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        "-n",
        metavar="N",
        parser=whole("-n", MAX_WORKERS),
        help="Workers (default: as many as cores).",
    ),
]
CronWorkers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        "-n",
        metavar="N",
        parser=whole("-n", MAX_WORKERS, least=0),
        help="Workers (default: as many as cores; 0: only schedule).",
    ),
]
CronTable = Annotated[
    Path | None,
    typer.Option("--cron", metavar="FILE", help="Also make jobs of this table when they fall due."),
]
Queues = Annotated[
    list[str] | None,
    typer.Option(
        "--queue",
        "-Q",
        metavar="QUEUE",
        parser=queue_name,
        help="Only this queue (repeatable; default: all).",
    ),
]
Burst = Annotated[bool, typer.Option("--burst", help="Leave when nothing is due.")]
Drain = Annotated[
    float | None,
    typer.Option(
        "--drain", metavar="DUR", parser=duration, help="On TERM, let jobs end for so long (default 30s)."
    ),
]
Grace = Annotated[
    float | None,
    typer.Option(
        "--grace",
        metavar="DUR",
        parser=duration,
        help="From asking a job to stop to killing it (default 10s).",
    ),
]
ImportPaths = Annotated[
    list[Path] | None,
    typer.Option("--path", metavar="DIR", help="Where jobs are imported from (repeatable; default: here)."),
]
TableFile = Annotated[Path, typer.Argument(metavar="FILE", help="The table, as jobs.toml.")]
EntryName = Annotated[str, typer.Argument(metavar="NAME", parser=entry_name, help="The entry.")]
EntryNames = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME...]", parser=entry_name, help="These entries; none: all that are enabled."),
]
JobOrEntry = Annotated[str, typer.Argument(metavar="ID|NAME", help="A job, or an entry of a table.")]
Expression = Annotated[str, typer.Argument(metavar="'EXPR'", help="A schedule, in quotes.")]
Strict = Annotated[bool, typer.Option("--strict", help="Leave with 1 if there is a remark.")]
Rows = Annotated[
    int | None,
    typer.Option(
        "--limit", "-n", metavar="N", parser=whole("-n", MAX_LIMIT), help="Show N runs (default: 10)."
    ),
]
From = Annotated[
    datetime | None,
    typer.Option("--from", metavar="WHEN", parser=when, help="From then on (default: now)."),
]
At = Annotated[
    datetime | None, typer.Option("--at", metavar="WHEN", parser=when, help="What became of the run at WHEN.")
]
Zone = Annotated[
    str | None, typer.Option("--timezone", metavar="ZONE", help="As Europe/Berlin (default: the host's).")
]
For = Annotated[
    float | None, typer.Option("--for", metavar="DUR", parser=duration, help="It ends after DUR by itself.")
]
Until = Annotated[
    datetime | None, typer.Option("--until", metavar="WHEN", parser=when, help="It ends at WHEN by itself.")
]
Foreground = Annotated[
    bool, typer.Option("--fg", help="Run it here and now, show what it prints, leave with its exit code.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the id alone.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for it and leave with its exit code.")]
AService = Annotated[unitfiles.Service, typer.Argument(metavar="worker|cron", help="Which service.")]
ServiceTable = Annotated[
    Path | None, typer.Argument(metavar="[FILE]", help="The table of cron (default: the usual jobs.toml).")
]
OfUser = Annotated[bool, typer.Option("--user", help="For your own systemd, not for that of the host.")]
Crontab = Annotated[
    str | None,
    typer.Argument(metavar="[CRONTAB]", help="A file, or - for stdin (default: what `crontab -l` prints)."),
]
IsSystem = Annotated[
    bool,
    typer.Option(
        "--system", help="Its lines name users (default then: /etc/crontab and the files of /etc/cron.d)."
    ),
]
CrontabUser = Annotated[
    str | None, typer.Option("--user", metavar="NAME", help="Of this user, for a table of theirs.")
]
WithDisabled = Annotated[bool, typer.Option("--disabled", help="Take lines that are commented out, too.")]
