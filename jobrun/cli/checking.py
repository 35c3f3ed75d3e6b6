"""`--check`: whether a function can be called so, found out in a process that imports it.

The caller's process will open the store, so no code of a user may ever run in it.
"""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

from jobrun.model import NewJob
from jobrun.run.target import BadTarget, resolve

LIMIT_S = 60.0


def misfit(job: NewJob) -> str | None:
    """Return why a call will not work as it is asked for, or None if it fits."""
    if job.surroundings is not None:
        return None
    asked = json.dumps({"task": job.task, "args": job.args, "kwargs": dict(job.kwargs)})
    command = [sys.executable, "-P", "-m", "jobrun.cli.checking"]
    try:
        done = subprocess.run(
            command, input=asked.encode(), stdout=subprocess.PIPE, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"`{job.task}` was not imported within {LIMIT_S:.0f} s"
    if done.returncode:
        return f"the process that imported `{job.task}` ended with {done.returncode}"
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def main() -> None:
    """Answer one question from standard input; what the import prints goes to standard error."""
    asked = json.load(sys.stdin)
    answer = os.dup(1)
    os.dup2(2, 1)
    sys.path.append(str(Path.cwd()))  # last, as the workers do
    os.write(answer, json.dumps(_look(asked["task"], asked["args"], asked["kwargs"])).encode())


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
