"""Crontabs for `cron import`: which are meant, and what a person is told of the table made from them."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from jobrun.cli import render
from jobrun.cli.caller import check_input, zone
from jobrun.crontab import sources
from jobrun.crontab.comparing import COMPARED, Difference
from jobrun.crontab.importing import Host, Imported
from jobrun.crontab.sources import Source
from jobrun.errors import UsageError
from jobrun.units import listed, plural

SHOWN = 3  # dates of a difference


def crontabs(named: str | None, *, is_system: bool, user: str | None) -> Sequence[Source]:
    """Read the crontab that is named, `-` for stdin, or else that of the user or those of the system."""
    if named == "-":
        check_input()
        data = sys.stdin.buffer.read(sources.LARGEST + 1)
        return [sources.of_bytes("stdin", data, has_users=is_system)]
    if named is not None:
        return [sources.of_file(Path(named), has_users=is_system)]
    if not is_system:
        return [sources.of_user(user)]
    for path in sources.unread():
        render.remark(f"{path}: left out, for not every cron reads a file of this name")
    return list(sources.of_system())


def host(user: str | None) -> Host:
    """Return where a table would be used: here, and as the user who is named, or as us."""
    here = zone()
    return Host(user=_name_of(user), local=here, local_name=str(here), environ=os.environ)


def tell(result: Imported) -> None:
    """Say what was left out, and whether both run at the same times."""
    for refusal in result.refused:
        render.remark(f"{refusal.where}: not carried over: {refusal.reason}", f"    {refusal.text.strip()}")
    if not result.blocks and not result.refused:
        render.remark("no line of it is a job")
    comparison = result.comparison
    for difference in comparison.different:
        render.remark(*_told(difference))
    for name, reason in comparison.not_compared.items():
        render.remark(f"{name}: run times not compared: {reason}")
    if comparison.same and not comparison.different:
        render.remark(f"ok: {COMPARED} run times of {plural(comparison.same, 'entry')} are the same")


def _told(difference: Difference) -> Iterator[str]:
    """Say of an entry when one of the readings runs it and the other does not."""
    block = difference.block
    for times, told in ((difference.only_cron, "cron alone"), (difference.only_here, "the table alone")):
        if times:
            shown = [at.astimezone(difference.zone).isoformat(" ", "minutes") for at in times]
            yield f"{block.line.where}: {block.name}: {told} would run it at {listed(shown, most=SHOWN)}"


def _name_of(user: str | None) -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name if user is None else pwd.getpwnam(user).pw_name
    except KeyError:
        if user is None:
            return str(os.geteuid())  # a container may run under any number
        raise UsageError(f"there is no user `{user}`") from None
