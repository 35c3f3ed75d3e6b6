"""Where the jobs of a table run: a clean environment, as cron gives, and what the table adds to it."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jobrun.errors import UsageError
from jobrun.model import Kind, Surroundings
from jobrun.table.reading import read_trusted
from jobrun.table.values import check_variable

MAX_ENV_FILE = 64 * 1024
UMASK = 0o022

Watch = Callable[[Path], object]

_LINE = re.compile(r"(?:export[ \t]+)?(?P<name>[^=\s]+)=(?P<value>.*)")
_QUOTED = re.compile(r"""'(?P<plain>[^']*)'|"(?P<escaped>(?:[^"\\]|\\.)*)\"""")
_ESCAPE = re.compile(r"\\([\"\\$`])")


class Surrounder:
    """Gives each entry its surroundings; entries that ask for the same share them."""

    def __init__(
        self, folder: Path, shared: Mapping[str, str], environ: Mapping[str, str], watch: Watch
    ) -> None:
        """Take the folder of the table, its `[env]`, the environment of the scheduler, and `read_table`'s `watch`."""
        self._folder = folder
        self._watch = watch
        self._shared = shared
        self._home, self._clean = _clean_environment(environ)
        self._files: dict[str, dict[str, str]] = {}
        self._made: dict[tuple[Any, ...], Surroundings | None] = {}

    def surroundings(self, kind: Kind, asked: Mapping[str, Any]) -> Surroundings | None:
        """Return where a job runs; None for a call that is as well off with its worker's surroundings."""
        if asked.get("env"):
            return self._make(kind, asked)
        same = (kind is Kind.CALL, *map(asked.get, ("env_file", "cwd", "umask")))
        if same not in self._made:
            self._made[same] = self._make(kind, asked)
        return self._made[same]

    def _make(self, kind: Kind, asked: Mapping[str, Any]) -> Surroundings | None:
        file, cwd, umask = map(asked.get, ("env_file", "cwd", "umask"))
        added = {**self._shared, **(self._of_file(file) if file else {}), **asked.get("env", {})}
        if cwd is not None:
            cwd = self._at_home(cwd)
        if kind is not Kind.CALL:
            environment = {**self._clean, **added}
            return Surroundings(
                cwd=cwd or self._home, umask=UMASK if umask is None else umask, environment=environment
            )
        if cwd is None and umask is None and not added:
            return None
        return Surroundings(cwd=cwd or "", umask=umask, environment=added)

    def _of_file(self, name: str) -> dict[str, str]:
        if name not in self._files:
            path = self._folder / self._at_home(name)
            self._watch(path)
            self._files[name] = read_env_file(path)
        return self._files[name]

    def _at_home(self, name: str) -> str:
        return self._home + name[1:] if name == "~" or name.startswith("~/") else name


def read_env_file(path: Path) -> dict[str, str]:
    """Return the variables of a file of `NAME=value` lines, with comments and quotes as sh has them."""
    read = {}
    for number, line in enumerate(read_trusted(path, limit=MAX_ENV_FILE).split("\n"), start=1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        found = _LINE.fullmatch(bare)
        if found is None:
            raise UsageError(f"`{path}`, line {number}: not NAME=value")
        try:
            check_variable(found["name"])
            read[found["name"]] = _value(found["value"])
        except UsageError as error:
            raise UsageError(
                f"`{path}`, line {number}: `{found['name'][:64]}` {error.message}", hint=error.hint
            ) from None
    return read


def _value(said: str) -> str:
    if said[:1] not in ('"', "'"):
        return said
    quoted = _QUOTED.fullmatch(said)
    if quoted is None:
        raise UsageError("has a quote that does not enclose its value")
    if quoted["plain"] is not None:
        return quoted["plain"]
    return _ESCAPE.sub(r"\1", quoted["escaped"])


def _clean_environment(environ: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return the home, and what every command finds: what crond gives, and what makes logs readable at once."""
    try:
        entry = pwd.getpwuid(os.geteuid())
        home, user = entry.pw_dir, entry.pw_name
    except KeyError:  # a container may run under any number
        home, user = environ.get("HOME", "/"), str(os.geteuid())
    clean = {
        "HOME": home,
        "LOGNAME": user,
        "USER": user,
        "SHELL": "/bin/sh",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
    }
    if "TZ" in environ:
        clean["TZ"] = environ["TZ"]
    return home, clean
