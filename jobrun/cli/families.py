"""The verbs that stand behind a word of their own, as `cron check`."""

from __future__ import annotations

from jobrun.cli.verb import Family, Heading, Verb

CRON = Family(
    "cron",
    Heading.RUN,
    "Run jobs by a table, as crond does.\n\n`jobrun cron FILE` is `jobrun cron run FILE`.",
    (
        Verb(
            "run",
            Heading.RUN,
            "working.cron",
            (
                "cron run jobs.toml         with as many workers as there are cores",
                "cron run -n 0 jobs.toml    only schedule; others run the jobs",
            ),
        ),
        Verb(
            "check",
            Heading.LOOK,
            "cron.check",
            (
                "cron check jobs.toml           all that is wrong, each with its line",
                "cron check jobs.toml --strict  leave with 1 for a remark, too",
            ),
        ),
        Verb(
            "next",
            Heading.LOOK,
            "cron.next_",
            (
                "cron next jobs.toml              the next ten runs",
                "cron next jobs.toml backup -n 3  of one entry",
                "cron next jobs.toml --from '2027-03-28 00:00' --json",
            ),
        ),
        Verb(
            "trigger",
            Heading.ACT,
            "entries.trigger",
            (
                "cron trigger jobs.toml backup           now, by the workers",
                "cron trigger jobs.toml backup --fg      now, before your eyes",
            ),
        ),
        Verb(
            "pause",
            Heading.ACT,
            "entries.pause",
            ("cron pause backup --for 2h", "cron pause backup --until 'tomorrow 06:30'"),
        ),
        Verb("resume", Heading.ACT, "entries.resume", ("cron resume backup",)),
        Verb(
            "explain",
            Heading.LOOK,
            "cron.explain",
            ("cron explain '15 2 * * MON-FRI'", "cron explain '0 9 L * *' --timezone Europe/Berlin"),
        ),
        Verb(
            "import",
            Heading.ASK,
            "importing.import_",
            (
                "cron import > jobs.toml            your own crontab",
                "cron import --system > jobs.toml   /etc/crontab and /etc/cron.d",
            ),
        ),
    ),
    (
        "cron jobs.toml               schedule and run",
        "cron check jobs.toml         what is wrong or odd about the table",
        "cron next jobs.toml          what it runs next",
    ),
)

DB = Family(
    "db",
    Heading.KEEP,
    "Look after the job file itself.",
    (
        Verb(
            "check",
            Heading.KEEP,
            "files.check",
            ("db check                     is it sound?", "db check --full              every index, too"),
        ),
        Verb(
            "vacuum",
            Heading.KEEP,
            "files.vacuum",
            ("db vacuum                    give free pages back to the disk",),
        ),
        Verb(
            "export",
            Heading.KEEP,
            "exchange.export",
            (
                "db export jobs.jsonl --with-environments    all, to be imported again",
                "db export --state failed --since 1d        what failed today, to look at",
            ),
        ),
        Verb(
            "import",
            Heading.KEEP,
            "exchange.import_",
            (
                "db import jobs.jsonl --db new.db   into a new job file",
                "db import jobs.jsonl --merge       to the jobs that are there",
            ),
        ),
    ),
    (
        "db check                     is the job file sound?",
        "db export jobs.jsonl --with-environments",
    ),
)
