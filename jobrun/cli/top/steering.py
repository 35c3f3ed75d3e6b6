"""What a key does: it moves the choice, asks for a deed, or says why it does nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from jobrun.cli.top.sheets import Panel, Row, Sheet

_NAMED = {
    b"\x1b[A": "up",
    b"\x1b[B": "down",
    b"\x1b[C": "right",
    b"\x1b[D": "left",
    b"\x1b[H": "home",
    b"\x1b[1~": "home",
    b"\x1b[F": "end",
    b"\x1b[4~": "end",
    b"\x1b[5~": "page-up",
    b"\x1b[6~": "page-down",
    b"\x1b[Z": "back-tab",
    b"\t": "tab",
    b"\r": "enter",
    b"\n": "enter",
    b" ": "page-down",
    b"\x1b": "escape",
}
_KEY = re.compile(rb"\x1b\[[0-9;?<]*[@-~]|\x1bO[@-~]|\x1b[^\x1b\[O]|[\x00-\x7f]|[\x80-\xff]+")
PAGE = 10  # rows
HELP = """\
The screen is read again every two seconds (--interval), and soon after a job
has ended; what takes long to count is counted seldom, and says when.

  Tab, Shift-Tab    the next panel, the one before
  arrows, j k       the next row, the one before; page up and down, g G
  Enter, l          what the job has printed, and prints
  i                 all about the job
  c                 cancel the job (asks)
  r                 queue a failed job again
  p                 pause the queue, or let it go on
  ?                 this page
  q, Ctrl-C         leave

FOR stands beside how long runs of the same work usually take: the median of
those that lately ended well. Magenta is longer than 95 of 100 of them, red
twice as long as that.
"""


class Deed(StrEnum):
    LEAVE = "leave"
    HELP = "help"
    LOG = "log"
    INSPECT = "inspect"
    CANCEL = "cancel"
    RETRY = "retry"
    PAUSE = "pause"  # or let go on


_OF_A_JOB = {"enter": Deed.LOG, "l": Deed.LOG, "i": Deed.INSPECT, "c": Deed.CANCEL, "r": Deed.RETRY}
_MOVES = {"up": -1, "k": -1, "down": 1, "j": 1, "page-up": -PAGE, "page-down": PAGE}
_ENDS = {"home": 0, "g": 0, "end": -1, "G": -1}


class Order(NamedTuple):
    """A deed, and the job or the queue that it is done to."""

    deed: Deed
    job_id: int = 0
    queue: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """Where somebody is on the screen."""

    panel: Panel = Panel.RUNNING
    chosen: Mapping[Panel, str] = field(default_factory=dict)  # keys of rows
    asks: Order | None = None  # to be done after a yes
    remark: str = ""  # until the next key

    @property
    def question(self) -> str:
        return "" if self.asks is None else f"{self.asks.deed} job {self.asks.job_id}? y or n"


def keys(data: bytes) -> list[str]:
    r"""Return the keys that a terminal has sent; those without a name or a sign are left out.

    >>> keys(b"j\x1b[A\x1bOB\x1b[99~\tq")
    ['j', 'up', 'down', 'tab', 'q']
    """
    found = (match[0].replace(b"\x1bO", b"\x1b[") for match in _KEY.finditer(data))
    names = (_NAMED.get(each) or each.decode("ascii", "replace") for each in found)
    return [name for name in names if name.isprintable()]


def pressed(aim: Aim, key: str, sheets: Sequence[Sheet]) -> tuple[Aim, Order | None]:
    """Return where somebody is after a key, and what is to be done."""
    before, aim = aim, replace(aim, asks=None, remark="")
    if before.asks is not None:
        return (aim, before.asks) if key in {"y", "Y"} else (replace(aim, remark="left as it is"), None)
    if key in {"q", "?", "h"}:
        return aim, Order(Deed.LEAVE if key == "q" else Deed.HELP)
    if key in {"tab", "back-tab", "right", "left"}:
        step = 1 if key in {"tab", "right"} else -1
        panels = [sheet.panel for sheet in sheets]
        place = (panels.index(aim.panel) + step) % len(panels)
        there = replace(aim, panel=panels[place])
        # the newest failure stays the first choice; elsewhere rows change places, and the choice is not to follow
        return (
            there if there.panel is Panel.FAILED else _kept(there, chosen(there, sheets[place].rows))
        ), None
    rows = next(sheet.rows for sheet in sheets if sheet.panel is aim.panel)
    if key in _MOVES or key in _ENDS:
        return _moved(aim, key, rows), None
    return _asked(aim, key, rows)


def chosen(aim: Aim, rows: Sequence[Row]) -> Row | None:
    """Return the row that is chosen in the panel; the first one if it is gone."""
    key = aim.chosen.get(aim.panel)
    return next((row for row in rows if row.key == key), next(iter(rows), None))


def _moved(aim: Aim, key: str, rows: Sequence[Row]) -> Aim:
    row = chosen(aim, rows)
    if row is None:
        return aim
    place = _ENDS[key] if key in _ENDS else rows.index(row) + _MOVES[key]
    if key in _MOVES:
        place = max(min(place, len(rows) - 1), 0)
    return _kept(aim, rows[place])


def _kept(aim: Aim, row: Row | None) -> Aim:
    """Return the same with a row chosen, wherever it stands next."""
    return aim if row is None else replace(aim, chosen={**aim.chosen, aim.panel: row.key})


def _asked(aim: Aim, key: str, rows: Sequence[Row]) -> tuple[Aim, Order | None]:
    row = chosen(aim, rows)
    if key == "p":
        if aim.panel is not Panel.QUEUES or row is None:
            return replace(aim, remark="choose a queue first: Tab goes to the next panel"), None
        return _kept(aim, row), Order(Deed.PAUSE, queue=row.key)
    if key not in _OF_A_JOB:
        return replace(aim, remark=f"no key `{key}`; ? names them"), None
    if row is None or row.job_id is None:
        return replace(aim, remark="choose a job first: Tab goes to the next panel"), None
    order = Order(_OF_A_JOB[key], job_id=row.job_id)
    return (replace(aim, asks=order), None) if order.deed is Deed.CANCEL else (aim, order)
