"""The command line behind the door: typer parses, one function for each verb acts and returns the exit code."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from jobrun.cli.verb import Family, Heading, Verb
from jobrun.cli.verbs import FAMILIES, NAMES, VERBS
from jobrun.errors import UsageError, meant

# What typer raises for words that make no sense; from 0.26 on click is a part of typer.
_Misuse: type[Exception] = typer.BadParameter.__mro__[1]
_CODES = (
    "\b\nExit codes:\n"
    "  0  done                              4   the job file cannot be used\n"
    "  1  understood, but not done          5   refused for safety\n"
    "  2  words that make no sense          75  busy, try again\n"
    "  3  no such job                       70  a bug\n"
    "  wait: the job's own code, 128+n by signal n, 124 when the time ran out,\n"
    "        125 for an error of jobrun\n"
    "  health: 0 OK, 1 warning, 2 critical, 3 for any error of jobrun"
)


def run(argv: list[str], db: Path | None) -> int:
    """Run a verb and return its exit code; without one show the status.

    Raises `JobrunError`; words that make no sense are a `UsageError`.
    """
    _refuse_unknown_verb(argv)
    if argv[:1] == ["cron"]:
        argv = ["cron", *_with_verb_of_cron(argv[1:])]
    group = built(argv)
    try:
        with group.make_context("jobrun", list(argv), obj=db) as ctx:
            _refuse_twice(group, ctx, argv)
            return int(group.invoke(ctx) or 0)
    except typer.Exit as leave:
        return leave.exit_code
    except _Misuse as misuse:
        raise _usage_error(misuse, argv) from None


def built(argv: Sequence[str] = ()) -> Any:
    """Return the command line as typer makes it: with the one verb that words name, or else with all.

    To make the verbs is most of the work of a short command.
    """
    wanted = argv[0] if argv and argv[0] in NAMES else None
    app = _typer("jobrun")
    app.callback(invoke_without_command=True, epilog=_CODES)(bare)
    shown = [verb for verb in VERBS if wanted in {None, verb.name}]
    for verb in shown:
        if isinstance(verb, Verb):
            _add(app, verb)
        else:
            app.add_typer(
                _family(verb, argv[1:2]), name=verb.name, help=verb.help, epilog=_epilog(verb.examples)
            )
    group: Any = typer.main.get_command(app)
    _list_by_heading(
        group, {heading: [verb.name for verb in VERBS if verb.heading is heading] for heading in Heading}
    )
    for family in [verb for verb in shown if isinstance(verb, Family)]:
        _list_by_heading(group.commands[family.name], {"Commands": [verb.name for verb in family.verbs]})
    return group


def _list_by_heading(group: Any, headings: Mapping[str, Sequence[str]]) -> None:
    """Have the help page of a group say what each verb does, below what a person wants who looks for it."""

    def write(_ctx: Any, page: Any) -> None:
        width = max(len(name) for names in headings.values() for name in names)
        for heading, names in headings.items():
            lines = [(f"{name:{width}}", group.commands[name].get_short_help_str(200)) for name in names]
            with page.section(heading):
                page.write_dl(lines)

    group.format_commands = write


def _family(family: Family, words: Sequence[str]) -> typer.Typer:
    """Return the verbs of a family, or the one that is asked for."""
    app = _typer(family.name)
    app.callback()(_nothing)  # or one verb alone would not have to be named
    names = [verb.name for verb in family.verbs]
    for verb in family.verbs:
        if not words or words[0] not in names or words[0] == verb.name:
            _add(app, verb)
    return app


def _nothing() -> None:
    """Do nothing before a verb of a family."""


def _typer(name: str) -> typer.Typer:
    return typer.Typer(
        name=name,
        add_completion=False,  # its installer edits shell start files
        pretty_exceptions_enable=False,  # they show source lines, and what is literal in them
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


def _add(app: typer.Typer, verb: Verb) -> None:
    app.command(verb.name, epilog=_epilog(verb.examples) if verb.examples else None)(verb.load())


def bare(ctx: typer.Context) -> int:
    """Run jobs on one host, and never guess what happened. Alone it shows the status.

    --db PATH, before or after the verb, or JOBRUN_DB names the job file. --version shows the version.
    """
    if ctx.invoked_subcommand is not None:
        return 0
    from jobrun.cli.commands import looking  # noqa: PLC0415 -- a verb loads what is its own

    return looking.status(ctx)


def _epilog(examples: Sequence[str]) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  jobrun {example}" for example in examples)


def _refuse_unknown_verb(argv: Sequence[str]) -> None:
    if argv and not argv[0].startswith("-") and argv[0] not in NAMES:
        hint = meant(argv[0], NAMES, f"one of {', '.join(NAMES)}")
        raise UsageError(f"unknown command `{argv[0]}`", hint=hint)


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
    first, known = words[0], [verb.name for verb in FAMILIES["cron"].verbs]
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
