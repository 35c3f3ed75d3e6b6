"""A crontab made into a table that loads, with everything that there is to say about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from tempfile import TemporaryDirectory

from jobrun.crontab.blocks import Block, blocks
from jobrun.crontab.comparing import Comparison, compare
from jobrun.crontab.lines import Line, Refusal, read
from jobrun.crontab.page import table
from jobrun.crontab.sources import Source
from jobrun.errors import UsageError
from jobrun.table import Table, TableError, read_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Where the table will be used: as whom, with which zone and environment."""

    user: str
    local: tzinfo
    local_name: str
    environ: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The text of a table, the lines that are not in it, and how it compares with the crontab."""

    text: str
    blocks: Sequence[Block]
    refused: Sequence[Refusal]
    comparison: Comparison


def imported(
    sources: Sequence[Source], host: Host, *, with_disabled: bool = False, now: datetime
) -> Imported:
    """Make a table of crontabs. Lines of other users, and what no table can hold, are refused one by one."""
    lines: list[Line] = []
    refused: list[Refusal] = []
    for source in sources:
        found, unreadable = read(source, with_disabled=with_disabled)
        refused += unreadable
        for line in found:
            reason = _why_not(line, host.user)
            if reason is None:
                lines.append(line)
            elif line.is_enabled:
                refused.append(Refusal(where=line.where, text=line.text, reason=reason))
    made, impossible = blocks(lines)
    fit, unfit = _that_load(made, host)
    names = [source.name for source in sources]
    text = table(fit, names)
    entries = {entry.name: entry for entry in _load(text, host).entries}
    return Imported(
        text=text,
        blocks=fit,
        refused=sorted([*refused, *impossible, *unfit], key=lambda each: _place(each, names)),
        comparison=compare(fit, entries, local=host.local, now=now),
    )


def _why_not(line: Line, user: str) -> str | None:
    """Return why a line is not one of this user's, or None."""
    if line.user is not None and line.user != user:
        return f"it runs as `{line.user}`, and a table as one user: `--user {line.user}` makes one for it"
    if line.user is None and line.command.split(None, 1)[0] == "root":
        return "its command begins with `root`: say --system if this crontab names users"
    return None


def _that_load(made: Sequence[Block], host: Host) -> tuple[list[Block], list[Refusal]]:
    """Return the blocks that the reader of tables takes, and its reasons against the others."""
    try:
        _load(table(made, []), host)
    except UsageError:
        pass
    else:
        return list(made), []
    fit: list[Block] = []
    unfit: list[Refusal] = []
    for block in made:
        try:
            _load(table([block], []), host)
        except UsageError as error:
            unfit.append(Refusal(where=block.line.where, text=block.line.text, reason=_reason(error)))
        else:
            fit.append(block)
    return fit, unfit


def _load(text: str, host: Host) -> Table:
    with TemporaryDirectory(prefix="jobrun-") as folder:
        path = Path(folder, "jobs.toml")
        path.write_text(text, encoding="utf-8")
        return read_table(path, local=host.local, local_name=host.local_name, environ=host.environ)


def _reason(error: UsageError) -> str:
    """Return what is wrong with the one job of a table, without the place, which nobody will ever see."""
    if not isinstance(error, TableError):
        return error.message
    return "; ".join(detail.partition(": ")[2] or detail for detail in error.details)


def _place(refusal: Refusal, names: Sequence[str]) -> tuple[int, int]:
    source, _, number = refusal.where.rpartition(":")
    return names.index(source), int(number)
