"""`--check`: whether a function can be called so, found out in a process that imports it.

The caller's process will open the store, so no code of a user may ever run in it.
"""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys

from jobrun.errors import UsageError
from jobrun.model import Kind, NewJob
from jobrun.run.target import BadTarget, resolve
from jobrun.run.trust import check_import_paths

LIMIT_S = 60.0


def check_call(job: NewJob) -> None:
    """Import what a job calls, as a worker started here would, and bind its arguments.

    Raises `UsageError` if that fails, and `Refused` where others can write what would be imported.
    """
    if job.kind is not Kind.CALL:
        return
    [folder] = check_import_paths((), warn=lambda _: None)
    if why := _misfit(job, folder):
        raise UsageError(f"--check: {why}", hint="nothing was queued; without --check it would be")


def main() -> None:
    """Answer one question from standard input; what the import prints goes to standard error."""
    asked = json.load(sys.stdin)
    answer = os.dup(1)
    os.dup2(2, 1)
    sys.path.append(asked["folder"])  # last, as the workers do
    os.write(answer, json.dumps(_look(asked["task"], asked["args"], asked["kwargs"])).encode())


def _misfit(job: NewJob, folder: str) -> str | None:
    question = {"task": job.task, "args": job.args, "kwargs": dict(job.kwargs), "folder": folder}
    command = [sys.executable, "-P", "-m", "jobrun.cli.checking"]
    try:
        done = subprocess.run(
            command, input=json.dumps(question).encode(), stdout=subprocess.PIPE, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"`{job.task}` was not imported within {LIMIT_S:.0f} s"
    if done.returncode or not done.stdout:
        return f"the process that imported `{job.task}` ended with {done.returncode}"
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def _look(task: str, args: list[object], kwargs: dict[str, object]) -> str | None:
    try:
        function = resolve(task)
    except BadTarget as error:
        return str(error)
    except (Exception, SystemExit) as error:  # noqa: BLE001 -- an import may raise anything
        return f"cannot import `{task.partition(':')[0]}`: {type(error).__name__}: {error}"
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except ValueError:
        return None  # written in C, and does not tell
    except TypeError as error:
        return f"`{task}` does not take these arguments: {error}"
    return None


if __name__ == "__main__":
    main()
