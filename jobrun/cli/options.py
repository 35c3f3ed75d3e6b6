"""Every option and argument of the command line, named once."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from jobrun.cli import unitfiles
from jobrun.cli.readers import (
    MAX_LIMIT,
    MAX_WORKERS,
    STATE_WORDS,
    durability,
    entry_name,
    glob,
    job_id,
    keeping,
    queue_name,
    state,
    when,
    whole,
)
from jobrun.model import State
from jobrun.units import parse_duration

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
        "--since",
        metavar="DUR",
        parser=parse_duration,
        help="Ended, or still live and added, in the last DUR.",
    ),
]
OlderThan = Annotated[
    float | None,
    typer.Option(
        "--older-than", metavar="DUR", parser=parse_duration, help="Ended longer ago than DUR, as 7d."
    ),
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
ShowSecrets = Annotated[
    bool, typer.Option("--show-secrets", help="Show values whose names say that they are secret.")
]
AsScript = Annotated[bool, typer.Option("--sh", help="Print a script for sh that does what the job does.")]
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
    typer.Option(
        "--timeout", metavar="DUR", parser=parse_duration, help="Give up after DUR, with exit code 124."
    ),
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
        "--drain",
        metavar="DUR",
        parser=parse_duration,
        help="On TERM, let jobs end for so long (default 30s).",
    ),
]
Grace = Annotated[
    float | None,
    typer.Option(
        "--grace",
        metavar="DUR",
        parser=parse_duration,
        help="From asking a job to stop to killing it (default 10s).",
    ),
]
Keep = Annotated[
    float | None,
    typer.Option(
        "--keep",
        metavar="DUR",
        parser=keeping,
        help="Remove jobs that ended well after DUR, or keep them `forever` (default: as tables say, or 7d).",
    ),
]
Durability = Annotated[
    str,
    typer.Option(
        "--durability",
        metavar="full|fast",
        parser=durability,
        show_default=False,
        help="fast: commit without waiting for the disk; a power cut may undo the last moments (default full).",
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
    str | None,  # read in the zone of the entry, once that is known
    typer.Option("--at", metavar="WHEN", help="What became of the run at WHEN."),
]
Zone = Annotated[
    str | None, typer.Option("--timezone", metavar="ZONE", help="As Europe/Berlin (default: the host's).")
]
For = Annotated[
    float | None,
    typer.Option("--for", metavar="DUR", parser=parse_duration, help="It ends after DUR by itself."),
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
