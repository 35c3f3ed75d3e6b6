"""completion: the script of a shell, and what it is answered at each Tab."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from jobrun.cli.app import built
from jobrun.cli.completion import answering, grammar, scripts
from jobrun.cli.place import job_file
from jobrun.errors import UsageError


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


AShell = Annotated[
    Shell | None, typer.Argument(metavar="[bash|zsh|fish]", help="Which shell (default: that of SHELL).")
]
Words = Annotated[list[str] | None, typer.Argument(metavar="[WORD...]", help="What was typed, for --answer.")]
Answer = Annotated[
    bool, typer.Option("--answer", help="Print what could follow the words; the scripts ask this.")
]


def completion(
    ctx: typer.Context, *, shell: AShell = None, words: Words = None, answer: Answer = False
) -> int:
    """Print what lets a shell complete verbs, options, ids, queues, tasks and entries.

    In bash: `source <(jobrun completion bash)`.
    """
    if not answer:
        typer.echo(scripts.OF[_shell(shell)], nl=False)
        return 0
    typed = answering.split((words or [""])[0]) if shell is Shell.BASH else words or [""]
    asked = grammar.wanted(typed, built([word for word in grammar.without_job_file(typed) if word][:1]))
    path = grammar.job_file_in(typed)
    for line in answering.answers(asked, Path(path) if path else job_file(ctx), shell or ""):
        typer.echo(line)
    return 0


def _shell(named: Shell | None) -> Shell:
    """Return the shell that is meant. Raises `UsageError`."""
    own = Path(os.environ.get("SHELL", "")).name
    if named is None and own not in list(Shell):
        raise UsageError(
            f"cannot tell which shell this is: SHELL is `{own}`",
            hint="name it, as in `jobrun completion bash`",
        )
    return named or Shell(own)
