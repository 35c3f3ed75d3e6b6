"""All verbs, in the order of the help page."""

from __future__ import annotations

from jobrun.cli.families import CRON, DB
from jobrun.cli.verb import Family, Heading, Verb

VERBS: tuple[Verb | Family, ...] = (
    Verb("enqueue", Heading.ASK, "doors.enqueue", ()),
    Verb("exec", Heading.ASK, "doors.exec_", ()),
    Verb(
        "worker",
        Heading.RUN,
        "working.worker",
        (
            "worker -n 4                  four workers for all queues",
            "worker -Q mail -Q reports    for two queues",
            "worker --burst               leave when nothing is due",
            "worker --cron jobs.toml      and make jobs by a table",
        ),
    ),
    CRON,
    Verb("status", Heading.LOOK, "looking.status", ("status", "status --json")),
    Verb(
        "list",
        Heading.LOOK,
        "looking.list_",
        (
            "list                         the newest jobs",
            "list failed crashed          what needs a person",
            "list active                  what runs; also: pending, future",
            "list --task 'reports.*' --since 2h --json",
        ),
    ),
    Verb(
        "inspect",
        Heading.LOOK,
        "looking.inspect",
        ("inspect 12", "inspect 12 --show-env", "inspect 12 --json", "inspect 12 --sh > again.sh"),
    ),
    Verb(
        "why",
        Heading.LOOK,
        "why.why",
        (
            "why 12                       what job 12 waits for, or how it ended",
            "why backup                   what became of the last runs of an entry",
            "why backup --at 03:00        of one of them",
        ),
    ),
    Verb(
        "logs",
        Heading.LOOK,
        "following.logs",
        (
            "logs 12                      what the last attempt printed",
            "logs 12 -f                   and what it prints until it has ended",
            "logs 12 --attempt 1 --raw > out.bin",
        ),
    ),
    Verb("wait", Heading.LOOK, "following.wait", ("wait 12 && echo done", "wait 12 13 14 --timeout 5m")),
    Verb(
        "stats",
        Heading.LOOK,
        "stats.stats",
        (
            "stats                        the last week, what is in trouble first",
            "stats backup --since 30d     an entry in full",
            "stats 'reports.*' --json     tasks that match",
        ),
    ),
    Verb(
        "failed",
        Heading.ACT,
        "acting.failed",
        (
            "failed                       what failed or crashed, and why",
            "failed --retry               queue all of it again",
            "failed --retry --task 'mail.*' --since 1h",
            "failed --purge --all         remove all of it (asks)",
        ),
    ),
    Verb("retry", Heading.ACT, "acting.retry", ("retry 12 13",)),
    Verb("cancel", Heading.ACT, "acting.cancel", ("cancel 12",)),
    Verb(
        "purge",
        Heading.ACT,
        "acting.purge",
        (
            "purge 12 13                  these",
            "purge --older-than 7d        what did not fail, after a week",
            "purge --state failed --older-than 90d",
            "purge --all --dry-run        name every job that has ended",
        ),
    ),
    Verb(
        "edit",
        Heading.ACT,
        "editing.edit",
        (
            "edit 12             in your editor, checked when you save",
            "edit 12 --set queue=mail --set priority=5",
            "edit 12 --set 'eta=tomorrow 06:30' --json",
            "edit 12 --set key=  without a key",
        ),
    ),
    Verb(
        "debug",
        Heading.ACT,
        "debugging.debug",
        (
            "debug 12                     once more, before your eyes",
            "debug 12 --pdb               in the debugger where it fails",
            "debug 12 --break --path src  in the debugger from its first line on",
        ),
    ),
    Verb(
        "pause",
        Heading.ACT,
        "pausing.pause",
        (
            "pause mail --why 'relay is down'    until somebody resumes it",
            "pause mail reports --for 2h         it ends by itself",
            "pause mail --until 'tomorrow 06:30'",
        ),
    ),
    Verb("resume", Heading.ACT, "pausing.resume", ("resume mail",)),
    Verb(
        "top",
        Heading.WATCH,
        "console.top",
        (
            "top                          watch, open logs, cancel, retry, pause",
            "top --interval 5s            less often",
            "top --once | less            one look",
        ),
    ),
    Verb("workers", Heading.WATCH, "looking.workers", ("workers", "workers --json")),
    Verb(
        "health",
        Heading.WATCH,
        "health.health",
        (
            "health                            does anybody run what waits?",
            "health --max-wait 10m --warn-failed 0 --min-workers 4",
            "health -Q mail --max-depth 1000 --warn-depth 200",
        ),
    ),
    Verb(
        "metrics",
        Heading.WATCH,
        "metrics.metrics",
        (
            "metrics                           to read, or for a collector",
            "metrics --textfile /var/lib/node_exporter/jobrun.prom",
        ),
    ),
    Verb(
        "alerts",
        Heading.WATCH,
        "alerts.alerts",
        (
            "alerts                       what is watched, and what is wrong now",
            "alerts --test backlog        tell it once, to see it arrive",
            "alerts --json",
        ),
    ),
    Verb(
        "doctor",
        Heading.WATCH,
        "doctor.doctor",
        (
            "doctor            what is well, what is not, and what to do",
            "doctor --full     and read all of the job file for faults",
            "doctor --json",
        ),
    ),
    Verb(
        "backup",
        Heading.KEEP,
        "saving.backup",
        (
            "backup /mnt/disk/jobs.db            a copy, while everything goes on",
            "backup /mnt/disk/jobs.db --replace  every night, from a table",
        ),
    ),
    DB,
    Verb(
        "systemd",
        Heading.KEEP,
        "units.systemd",
        (
            "systemd cron                 the unit of a scheduler for this host",
            "systemd worker --user        of workers for you alone",
        ),
    ),
    Verb(
        "completion",
        Heading.KEEP,
        "completing.completion",
        (
            "completion bash                      source <(...) it in ~/.bashrc",
            "completion zsh                       the same in ~/.zshrc",
            "completion fish > ~/.config/fish/completions/jobrun.fish",
        ),
    ),
)

NAMES = tuple(verb.name for verb in VERBS)
FAMILIES = {verb.name: verb for verb in VERBS if isinstance(verb, Family)}
