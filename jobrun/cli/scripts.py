"""A job as a script for sh(1), which does what an attempt of it would do: POSIX, and every byte arrives unchanged.

What the shell itself would change on the way is not left to it: a word that has a `=` where env(1) takes it for a
variable, text without an end of its last line, bytes that are no text.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace

from jobrun import __version__
from jobrun.cli.veil import is_secret, veiled
from jobrun.model import Job, Kind
from jobrun.wire.messages import Run

_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_OF_THE_ATTEMPT = frozenset({"JOBRUN_TOKEN", "JOBRUN_LEFTOVERS"})  # by them jobrun knows its own processes

_CALL = """\
import inspect, json, sys
sys.path.append(sys.argv[1])
from {module} import {top}
done = {function}(*json.loads(sys.argv[2]), **json.loads(sys.argv[3]))
if inspect.iscoroutine(done):
    import asyncio
    asyncio.run(done)
"""


def script(job: Job, order: Run, of_attempt: Mapping[str, str], *, show_secrets: bool) -> str:
    """Return the script; it has lone surrogates where the directory or a variable is not UTF-8.

    `of_attempt` are the variables that jobrun sets for an attempt.
    """
    told = {name: value for name, value in of_attempt.items() if name not in _OF_THE_ATTEMPT}
    variables = {**order.environment, **told}
    hidden = [] if show_secrets else [name for name in variables if is_secret(name)]
    shown = (
        job if show_secrets else replace(job, args=tuple(veiled(job.args)), kwargs=veiled(dict(job.kwargs)))
    )
    lines = [
        "#!/bin/sh",
        f"# Job {job.id} as an attempt of it would run; written by jobrun {__version__}.",
        "# shellcheck disable=SC2016,SC2317",
        *_needs(job, hidden, is_veiled=shown != job),
    ]
    if job.kind is Kind.CALL:
        lines.append("import_path=$PWD  # run this where the workers run")
    if job.cwd:
        lines.append(f"cd -- {quoted(job.cwd)} || exit 126")
    if job.umask is not None:
        lines.append(f"umask {job.umask:04o}")
    before, after = _input(job.terms.stdin)
    env = "env" if job.kind is Kind.CALL else "env -i"
    parts = [f"{before}{env} --", *_assignments(variables, hidden), *_words(shown)]
    return "\n".join(lines) + "\n" + " \\\n    ".join(parts) + after + "\n"


def quoted(text: str) -> str:
    r"""Return one word for sh(1).

    >>> print(quoted("a b"), quoted("it's"), quoted("plain"))
    'a b' 'it'\''s' plain
    """
    return text if _PLAIN.fullmatch(text) else "'" + text.replace("'", "'\\''") + "'"


def _needs(job: Job, hidden: list[str], *, is_veiled: bool) -> Iterator[str]:
    """Yield lines that stop the script where something is not shown that it cannot do without."""
    if is_veiled:
        told = f"job {job.id}: some arguments are hidden for their names; see --show-secrets"
        yield f"echo {quoted(told)} >&2; exit 125  # to be removed when they are filled in below"
    if hidden:
        yield "# Values are hidden for their names: set them, or have them written with --show-secrets."
    for number, name in enumerate(hidden, start=1):
        stand_in = _stand_in(name, number)
        about = "" if stand_in == name else f"  # {json.dumps(name)}"
        yield f': "${{{stand_in}?is not shown here; set it}}"{about}'


def _stand_in(name: str, number: int) -> str:
    """Return the variable of the script that holds a hidden value: its own name, if sh(1) takes it for one."""
    return name if _NAME.fullmatch(name) else f"hidden_{number}"


def _assignments(variables: Mapping[str, str], hidden: list[str]) -> Iterator[str]:
    for name, value in variables.items():
        if name in hidden:
            yield f'{quoted(f"{name}=")}"${_stand_in(name, hidden.index(name) + 1)}"'
        else:
            yield quoted(f"{name}={value}")


def _words(job: Job) -> list[str]:
    if job.kind is Kind.SHELL:
        return [f"/bin/sh -c {quoted(job.task)}"]
    if job.kind is Kind.CALL:
        return [f"{quoted(sys.executable)} -P -c {quoted(_code(job.task))}", *_arguments(job)]
    words = [quoted(str(word)) for word in job.args]
    if "=" in str(job.args[0]):  # env(1) would set a variable
        words = ["/bin/sh", "-c", '\'exec "$0" "$@"\'', *words]
    return [" ".join(words)]


def _code(task: str) -> str:
    module, _, function = task.partition(":")
    return _CALL.format(module=module, function=function, top=function.partition(".")[0])


def _arguments(job: Job) -> Iterator[str]:
    yield '"$import_path"'
    yield quoted(json.dumps(list(job.args)))
    yield quoted(json.dumps(dict(job.kwargs)))


def _input(text: str | None) -> tuple[str, str]:
    """Return what stands before and behind the command for it to read a text."""
    if not text:
        return "", " </dev/null"
    if "\0" in text or not text.endswith("\n"):
        return f"printf {quoted(_format(text))} | ", ""
    end = "END"
    while end in text.split("\n"):
        end += "_"
    return "", f" <<'{end}'\n{text}{end}"


def _format(text: str) -> str:
    """Return a format by which printf(1) writes a text."""
    told = text.replace("\\", "\\\\").replace("%", "%%").replace("\0", "\\000")
    return f"\\055{told[1:]}" if told.startswith("-") else told  # which might be an option
