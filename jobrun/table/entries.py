"""From what a table says to its entries: keys read, defaults put in, and all of it checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any

from jobrun.cron.schedule import parse_schedule
from jobrun.cron.words import Entry
from jobrun.errors import UsageError, meant
from jobrun.model import COMMON_TERMS, Kind, Terms
from jobrun.requests import check_name
from jobrun.table import fitting
from jobrun.table.keys import DEFAULTS, ELSEWHERE, KEYS, WHAT, WHEN, Key
from jobrun.table.problems import Problems, Spot, unknown
from jobrun.table.surroundings import Surrounder

Values = dict[str, Any]  # by key, read


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What an entry takes from where it runs, unless the table says otherwise."""

    zone: tzinfo
    zone_name: str
    seed: str


class Reader:
    """Reads the jobs of one table; what is wrong goes to `problems`."""

    def __init__(self, host: Host, surrounder: Surrounder, problems: Problems) -> None:
        self._host = host
        self._surrounder = surrounder
        self._problems = problems
        self._defaults: dict[Kind, Values] = {kind: {} for kind in Kind}

    def set_defaults(self, said: Any) -> None:
        """Read `[defaults]`; each kind of job takes those that mean something for it."""
        spot = self._problems.at("defaults")
        read = _read(spot, said, DEFAULTS)
        fitting.check_each(spot, read)
        with spot.blame("env_file"):
            self._surrounder.surroundings(Kind.SHELL, read)
        if not spot.is_clean:
            read.pop("env_file", None)  # or every job would have the problem again
        for kind, defaults in self._defaults.items():
            defaults.update({name: value for name, value in read.items() if kind in KEYS[name].kinds})

    def entry(self, name: str, said: Any) -> Entry | None:
        """Return the entry of one `[jobs.NAME]`, or None when something in it is wrong."""
        spot = self._problems.at("jobs", name)
        _check_name(spot, name)
        own = _read(spot, said, KEYS)
        if not isinstance(said, dict):
            return None
        what, when = _only_one_of(spot, said, WHAT), _only_one_of(spot, said, WHEN)
        kind = own[what].kind if what in own else Kind.SHELL
        if what in own:
            fitting.check_kinds(spot, own, kind)
        asked = {"seed": self._host.seed, **self._defaults[kind], **own}
        schedule = None
        if when in own:
            with spot.blame(when):
                schedule = parse_schedule(_schedule_text(own), name=name, seed=asked["seed"])
                fitting.check_jitter(spot, own, schedule)
        surroundings = None
        with spot.blame("env_file"):
            surroundings = self._surrounder.surroundings(kind, asked)
        if schedule is None or not spot.is_clean:
            fitting.check_each(spot, own)
            return None
        zone = asked.get("timezone")
        entry = Entry(
            name=name,
            line=spot.line,
            kind=kind,
            task=own[what].task,
            schedule=schedule,
            schedule_text=_schedule_text(own),
            zone=self._host.zone if zone is None else zone,
            zone_name=self._host.zone_name if zone is None else zone.key,
            surroundings=surroundings,
            **_fields({**asked, **self._told(asked)}, own[what].args),
        )
        fitting.check_whole(spot, entry, own)
        return entry

    def _told(self, asked: Values) -> Values:
        """Return the notices, each where a job of its kind would run."""
        return {
            key: replace(asked[key], surroundings=self._surrounder.surroundings(asked[key].kind, asked))
            for key in ("on_failure", "on_recovery")
            if key in asked
        }


def _read(spot: Spot, said: Any, keys: Mapping[str, Key]) -> Values:
    """Return the keys of a TOML table that can be read, and leave out what cannot."""
    if not isinstance(said, dict):
        spot.add("", UsageError("must be a table", hint="write its name in brackets, as [jobs.NAME]"))
        return {}
    read = {}
    for name, value in said.items():
        if name not in keys:
            spot.add(name, _unknown(name, value, keys))
            continue
        try:
            read[name] = keys[name].read(value)
        except UsageError as error:
            spot.add(name, error)
    return read


def _unknown(name: str, value: Any, keys: Mapping[str, Key]) -> UsageError:
    if name in KEYS:
        hint = "variables of all jobs stand below [env]" if name == "env" else "give it to each job"
        return UsageError("cannot stand in [defaults]", hint=hint)
    if isinstance(value, dict):
        return UsageError(
            f"unknown key `{name[:64]}`", hint='a name with a dot stands in quotes, as [jobs."web.backup"]'
        )
    if name == "user":
        return UsageError("unknown key `user`", hint="all jobs run as the user who runs jobrun")
    if (ours := ELSEWHERE.get(name)) in keys:
        return UsageError(f"unknown key `{name}`", hint=f"did you mean `{ours}`?")
    return unknown("unknown key", name, keys)


def _check_name(spot: Spot, name: str) -> None:
    with spot.blame(""):
        check_name("name", name)
    if name.isdigit():
        spot.add("", UsageError(f"bad name `{name}`", hint="digits alone are the id of a job"))


def _only_one_of(spot: Spot, said: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    """Return the one of some keys that is given; empty if it is none, or more than one."""
    given = [key for key in keys if key in said]
    if len(given) == 1:
        return given[0]
    if given:
        spot.add("", UsageError(f"has both `{given[0]}` and `{given[1]}`", hint="keep one"))
    elif not any(meant(key, keys) for key in said if key not in KEYS):  # a slip of the pen, and told
        words = " or ".join(f"`{key}`" for key in keys)
        spot.add("", UsageError(f"has no {words}", hint="one of them is needed"))
    return ""


def _schedule_text(own: Values) -> str:
    return str(own["schedule"]).strip() if "schedule" in own else f"@every {own['every'].strip()}"


def _fields(asked: Values, words: tuple[str, ...]) -> dict[str, Any]:
    """Return what fills the fields of an entry without more ado; a command brings its words along."""
    direct: dict[str, Any] = {"args": words} if words else {}
    terms: dict[str, Any] = {}
    for name, value in asked.items():
        field = KEYS[name].field
        if field.startswith("terms."):
            terms[field.removeprefix("terms.")] = value
        elif field:
            direct[field] = value
    return {**direct, "terms": Terms(**terms) if terms else COMMON_TERMS}
