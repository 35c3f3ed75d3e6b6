"""The services of systemd that run jobrun here, and which job file they work on: systemd.unit(5), systemd.exec(5)."""

from __future__ import annotations

import itertools
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobrun.actions.checkup.words import Finding, Patient, ok, warning

OF_HOST = (
    Path("/etc/systemd/system"),
    Path("/run/systemd/system"),
    Path("/usr/local/lib/systemd/system"),
    Path("/usr/lib/systemd/system"),
    Path("/lib/systemd/system"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit file with its drop-ins."""

    name: str
    is_user: bool
    job_file: str | None  # that its environment or its command names
    has_more: bool  # variables in a file that we do not read


def look_at_units(patient: Patient) -> Iterator[Finding]:
    """Look whether the services of this host work on the job file that is looked at."""
    home = Path(patient.environ.get("HOME", "/nonexistent"))
    config = Path(patient.environ.get("XDG_CONFIG_HOME") or home / ".config")
    state = patient.environ.get("XDG_STATE_HOME") or f"{home}/.local/state"
    found = units(OF_HOST, is_user=False, state="/var/lib")
    found |= units((config / "systemd" / "user",), is_user=True, state=state)
    if not found:
        yield ok("no unit of systemd runs jobrun here (`jobrun systemd worker` prints one)")
    for unit in found.values():
        yield environment(unit, os.path.realpath(patient.path))


def units(folders: Sequence[Path], *, is_user: bool, state: str) -> dict[str, Unit]:
    """Return the units whose command is jobrun, each from the first folder that has it; `state` is what %S stands for."""
    found: dict[str, Unit] = {}
    for folder in folders:
        for file in sorted(folder.glob("*.service")):
            if file.name not in found and (settings := _settings(file)) and _is_ours(settings):
                found[file.name] = _unit(file.name, settings, is_user=is_user, state=state)
    return found


def environment(unit: Unit, path: str) -> Finding:
    """Judge which job file a unit works on."""
    if unit.job_file is None and (unit.is_user or unit.has_more):
        return ok(
            f"{unit.name} names no job file: the usual one of its user, or what its EnvironmentFile= says"
        )
    if unit.job_file is None:
        todo = f"`systemctl edit {unit.name}`: [Service] Environment=JOBRUN_DB={path}"
        return warning(f"{unit.name} names no job file (JOBRUN_DB)", todo)
    if os.path.realpath(unit.job_file) != path:
        said = f"{unit.name} works on {unit.job_file}, and runs nothing of the file looked at"
        return warning(said, f"export JOBRUN_DB={shlex.quote(unit.job_file)}, or change the unit")
    return ok(f"{unit.name} works on this job file")


def _settings(file: Path) -> Mapping[str, list[str]] | None:
    """Return the lines of [Service] by their names, those of drop-ins last; None if it cannot be read."""
    found: dict[str, list[str]] = {}
    try:
        texts = [
            part.read_text("utf-8", "replace") for part in (file, *sorted(Path(f"{file}.d").glob("*.conf")))
        ]
    except OSError:
        return None
    for text in texts:
        section = ""
        for line in map(str.strip, text.replace("\\\n", " ").splitlines()):
            name, equals, value = line.partition("=")
            if line.startswith("["):
                section = line
            elif section == "[Service]" and equals and not line.startswith(("#", ";")):
                found[name.strip()] = [*found.get(name.strip(), []), value.strip()] if value.strip() else []
    return found


def _is_ours(settings: Mapping[str, list[str]]) -> bool:
    words = " ".join(settings.get("ExecStart", [])).split()
    names = [word.rpartition("/")[2].strip("\"'") for word in words]
    return "jobrun" in names


def _unit(name: str, settings: Mapping[str, list[str]], *, is_user: bool, state: str) -> Unit:
    variables = [word for line in settings.get("Environment", []) for word in _words(line)]
    named = [word.partition("=")[2] for word in variables if word.startswith("JOBRUN_DB=")]
    command = [word for line in settings.get("ExecStart", []) for word in _words(line)]
    named += [after for word, after in itertools.pairwise(command) if word == "--db"]
    named += [word.removeprefix("--db=") for word in command if word.startswith("--db=")]
    job_file = named[-1].replace("%S", state).replace("%%", "%") if named else None
    return Unit(name=name, is_user=is_user, job_file=job_file, has_more="EnvironmentFile" in settings)


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:  # a quote without its other half
        return line.split()
