"""The command line behind the door: typer parses, one function for each verb acts and returns the exit code."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import typer

from jobrun.cli.commands import (
    acting,
    cron,
    entries,
    following,
    importing,
    looking,
    saving,
    units,
    why,
    working,
)
from jobrun.errors import UsageError, meant

# What typer raises for words that make no sense; from 0.26 on click is a part of typer.
_Misuse: type[Exception] = typer.BadParameter.__mro__[1]


def _typer(name: str) -> typer.Typer:
    return typer.Typer(
        name=name,
        add_completion=False,  # its installer edits shell start files
        pretty_exceptions_enable=False,  # they show source lines, and what is literal in them
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


app = _typer("jobrun")
cron_app = _typer("cron")


def run(argv: list[str], db: Path | None) -> int:
    """Run a verb and return its exit code; without one show the status.

    Raises `JobrunError`; words that make no sense are a `UsageError`.
    """
    _refuse_unknown_verb(argv)
    if argv[:1] == ["cron"]:
        argv = ["cron", *_with_verb_of_cron(argv[1:])]
    group = _group()
    try:
        with group.make_context("jobrun", list(argv), obj=db) as ctx:
            _refuse_twice(group, ctx, argv)
            return int(group.invoke(ctx) or 0)
    except typer.Exit as leave:
        return leave.exit_code
    except _Misuse as misuse:
        raise _usage_error(misuse, argv) from None


@cache
def _group() -> Any:
    """Return all verbs as typer makes them, which takes it most of a short command."""
    group: Any = typer.main.get_command(app)
    group.commands = {verb: group.commands[verb] for verb in _ORDER}  # typer lists groups first
    return group


@app.callback(
    invoke_without_command=True,
    epilog="\b\nExit codes:\n"
    "  0  done                              4   the job file cannot be used\n"
    "  1  understood, but not done          5   refused for safety\n"
    "  2  words that make no sense          75  busy, try again\n"
    "  3  no such job                       70  a bug\n"
    "  wait: the job's own code, 128+n by signal n, 124 when the time ran out,\n"
    "        125 for an error of jobrun",
)
def bare(ctx: typer.Context) -> int:
    """Run jobs on one host, and never guess what happened. Alone it shows the status.

    --db PATH, before or after the verb, or JOBRUN_DB names the job file. --version shows the version.
    """
    return looking.status(ctx) if ctx.invoked_subcommand is None else 0


def _enqueue() -> int:
    """Ask for a job: a Python call, a shell line or a command."""
    raise AssertionError("the door answers enqueue before typer is loaded; here it only stands in the list")


_ORDER: list[str] = []  # of the verbs on the help page


def _add(verb: str, function: Callable[..., int], *examples: str) -> None:
    _ORDER.append(verb)
    app.command(verb, epilog=_epilog(examples) if examples else None)(function)


def _add_to_cron(verb: str, function: Callable[..., int], *examples: str) -> None:
    cron_app.command(verb, epilog=_epilog(examples))(function)


def _epilog(examples: Sequence[str]) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  jobrun {example}" for example in examples)


_add("enqueue", _enqueue)
_add(
    "worker",
    working.worker,
    "worker -n 4                  four workers for all queues",
    "worker -Q mail -Q reports    for two queues",
    "worker --burst               leave when nothing is due",
    "worker --cron jobs.toml      and make jobs by a table",
)
_ORDER.append("cron")
app.add_typer(
    cron_app,
    name="cron",
    help="Run jobs by a table, as crond does.\n\n`jobrun cron FILE` is `jobrun cron run FILE`.",
    epilog=_epilog(
        [
            "cron jobs.toml               schedule and run",
            "cron check jobs.toml         what is wrong or odd about the table",
            "cron next jobs.toml          what it runs next",
        ]
    ),
)
_add_to_cron(
    "run",
    working.cron,
    "cron run jobs.toml         with as many workers as there are cores",
    "cron run -n 0 jobs.toml    only schedule; others run the jobs",
)
_add_to_cron(
    "check",
    cron.check,
    "cron check jobs.toml           all that is wrong, each with its line",
    "cron check jobs.toml --strict  leave with 1 for a remark, too",
)
_add_to_cron(
    "next",
    cron.next_,
    "cron next jobs.toml              the next ten runs",
    "cron next jobs.toml backup -n 3  of one entry",
    "cron next jobs.toml --from '2027-03-28 00:00' --json",
)
_add_to_cron(
    "trigger",
    entries.trigger,
    "cron trigger jobs.toml backup           now, by the workers",
    "cron trigger jobs.toml backup --fg      now, before your eyes",
)
_add_to_cron(
    "pause",
    entries.pause,
    "cron pause backup --for 2h",
    "cron pause backup --until 'tomorrow 06:30'",
)
_add_to_cron("resume", entries.resume, "cron resume backup")
_add_to_cron(
    "explain",
    cron.explain,
    "cron explain '15 2 * * MON-FRI'",
    "cron explain '0 9 L * *' --timezone Europe/Berlin",
)
_add_to_cron(
    "import",
    importing.import_,
    "cron import > jobs.toml            your own crontab",
    "cron import --system > jobs.toml   /etc/crontab and /etc/cron.d",
)
_add("status", looking.status, "status", "status --json")
_add(
    "list",
    looking.list_,
    "list                         the newest jobs",
    "list failed crashed          what needs a person",
    "list active                  what runs; also: pending, future",
    "list --task 'reports.*' --since 2h --json",
)
_add("inspect", looking.inspect, "inspect 12", "inspect 12 --show-env", "inspect 12 --json")
_add(
    "why",
    why.why,
    "why 12                       what job 12 waits for, or how it ended",
    "why backup                   what became of the last runs of an entry",
    "why backup --at 03:00        of one of them",
)
_add(
    "failed",
    acting.failed,
    "failed                       what failed or crashed, and why",
    "failed --retry               queue all of it again",
    "failed --retry --task 'mail.*' --since 1h",
    "failed --purge --all         remove all of it (asks)",
)
_add("retry", acting.retry, "retry 12 13")
_add("cancel", acting.cancel, "cancel 12")
_add(
    "purge",
    acting.purge,
    "purge 12 13                  these",
    "purge --older-than 7d        what did not fail, after a week",
    "purge --state failed --older-than 90d",
    "purge --all --dry-run        name every job that has ended",
)
_add(
    "logs",
    following.logs,
    "logs 12                      what the last attempt printed",
    "logs 12 -f                   and what it prints until it has ended",
    "logs 12 --attempt 1 --raw > out.bin",
)
_add("wait", following.wait, "wait 12 && echo done", "wait 12 13 14 --timeout 5m")
_add("workers", looking.workers, "workers", "workers --json")
_add(
    "backup",
    saving.backup,
    "backup /mnt/disk/jobs.db            a copy, while everything goes on",
    "backup /mnt/disk/jobs.db --replace  every night, from a table",
)
_add(
    "systemd",
    units.systemd,
    "systemd cron                 the unit of a scheduler for this host",
    "systemd worker --user        of workers for you alone",
)


def _refuse_unknown_verb(argv: Sequence[str]) -> None:
    if argv and not argv[0].startswith("-") and argv[0] not in _ORDER:
        raise UsageError(
            f"unknown command `{argv[0]}`", hint=meant(argv[0], _ORDER, f"one of {', '.join(_ORDER)}")
        )


def _refuse_twice(group: Any, ctx: Any, argv: Sequence[str]) -> None:
    """Refuse an option that is given twice and takes one value: typer would take the last, unasked."""
    command, words = group, list(argv)
    while hasattr(command, "commands"):
        if not words or words[0].startswith("-"):
            return
        _, command, words = command.resolve_command(ctx, words)
    own = command.context_class(command, parent=ctx)
    _, _, given = command.make_parser(own).parse_args(list(words))
    for each in given:
        if each.param_type_name == "option" and not (each.multiple or each.is_flag) and given.count(each) > 1:
            raise UsageError(f"{max(each.opts, key=len)} is given twice")


def _with_verb_of_cron(words: Sequence[str]) -> Sequence[str]:
    """Return what follows `cron` with its verb, which goes without saying before a table and its options."""
    if not words:
        hint = "`jobrun cron jobs.toml` schedules and runs, `jobrun cron --help` shows more"
        raise UsageError("cron needs a table or a verb", hint=hint)
    first, known = words[0], [info.name or "" for info in cron_app.registered_commands]
    if first in {"-h", "--help", *known}:
        return words
    if first.startswith("-") or "/" in first or "." in first or os.path.lexists(first):
        return ["run", *words]
    every = f"one of {', '.join(known)}, or a table such as jobs.toml"
    raise UsageError(f"unknown command `cron {first}`", hint=meant(first, known, every))


def _usage_error(misuse: Any, argv: Sequence[str]) -> UsageError:
    """Return what typer found wrong, in one line of ours."""
    close = getattr(misuse, "possibilities", None)
    said = misuse.message if close else misuse.format_message()
    message = " ".join(said.replace("''EXPR''", "'EXPR'").replace("'", "`").split()).rstrip(".")
    hint = f"did you mean `{close[0]}`?" if close else f"`{_called(argv)} --help` shows what there is"
    if argv[:2] == ["cron", "explain"] and "extra argument" in message:
        hint = "put the schedule in quotes, or the shell makes names of files of its `*`"
    return UsageError(message[:1].lower() + message[1:], hint=hint)


def _called(argv: Sequence[str]) -> str:
    """Return the command without its words, as `jobrun cron check`."""
    words = argv[: 2 if argv[:1] == ["cron"] else 1]
    return " ".join(["jobrun", *(word for word in words if not word.startswith("-"))])
