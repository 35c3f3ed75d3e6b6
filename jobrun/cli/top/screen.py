"""The whole screen: what file it is of, its state in a line, the panels, and what the keys do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from os import terminal_size

from jobrun.actions.watching import Picture
from jobrun.cli.caller import zone_to_show
from jobrun.cli.cells import cells
from jobrun.cli.safe import safe_line
from jobrun.cli.top import frame
from jobrun.cli.top.frame import LEAST, Line, fitted
from jobrun.cli.top.sheets import Cell, Sheet
from jobrun.cli.top.steering import Aim
from jobrun.units import listed, plural

KEYS = "q leave  ? help  Tab panel  Enter log  i inspect  c cancel  r retry  p pause"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All that the screen is made of; `trouble` is why the picture is not of now."""

    path: str
    picture: Picture
    sheets: tuple[Sheet, ...]
    aim: Aim
    trouble: str = ""


def screen(scene: Scene, now: datetime, size: terminal_size) -> list[Line]:
    """Return exactly as many lines as the screen has."""
    if size.columns < LEAST.columns or size.lines < LEAST.lines:
        text = f"too small: at least {LEAST.columns} columns and {LEAST.lines} lines"
        return [fitted((Cell(text),), size.columns), *[()] * (size.lines - 1)]
    room = terminal_size((size.columns, size.lines - 4))
    return [
        _title(scene.path, now, size.columns),
        fitted(state(scene.picture, scene.trouble), size.columns),
        (),
        *frame.board(scene.sheets, room, scene.aim.panel, scene.aim.chosen),
        fitted(_last_line(scene.aim), size.columns),
    ]


def snapshot(scene: Scene, width: int | None) -> list[Line]:
    """Return every row for a look without keys, cut to a width if there is one."""
    lines: list[Line] = [state(scene.picture, scene.trouble)]
    for sheet in scene.sheets:
        lines += [(), *frame.whole(sheet, width)]
    return lines


def state(picture: Picture, trouble: str) -> Line:
    """Return in a line how the file is, and what is wrong with the picture or with who serves it."""
    if trouble:
        return (Cell(f"as it was at {_clock(picture.at)}: {safe_line(trouble)}", "bold red"),)
    them = picture.measures
    parts = [
        f"{len(picture.running)} running",
        f"{them.ready:,} ready",
        f"{them.scheduled:,} scheduled",
        *([f"{them.failed:,} failed"] if them.failed else []),
        *([f"{them.crashed:,} crashed"] if them.crashed else []),
        *([f"{plural(them.missed, 'tick')} missed since yesterday"] if them.missed else []),
    ]
    workers = plural(picture.living, "worker") if picture.living else "no worker"
    line = [Cell(f"{', '.join(parts)}; {workers}")]
    return (*line, *(Cell(f"; {each}", "bold red") for each in _warnings(picture)))


def _warnings(picture: Picture) -> list[str]:
    unserved = [safe_line(each.path) for each in picture.tables if each.scheduler is None]
    spoilt = [safe_line(each.path) for each in picture.tables if each.scheduler and each.problem]
    return [
        *([f"{plural(picture.dead, 'dead worker')} not yet cleared away"] if picture.dead else []),
        *([f"nobody schedules {listed(unserved, most=2)}"] if unserved else []),
        *([f"the last change of {listed(spoilt, most=2)} was not taken"] if spoilt else []),
    ]


def _title(path: str, now: datetime, width: int) -> Line:
    left, right = f"jobrun top  {safe_line(path)}", _clock(now)
    room = width - len(right) - 2
    title = fitted((Cell(left, "bold"),), room)
    blanks = width - len(right) - sum(cells(each.text) for each in title)
    return (*title, Cell(" " * blanks), Cell(right))


def _last_line(aim: Aim) -> Line:
    if aim.question:
        return (Cell(aim.question, "bold magenta"),)
    return (Cell(safe_line(aim.remark), "bold"),) if aim.remark else (Cell(KEYS, "dim"),)


def _clock(at: datetime) -> str:
    return f"{at.astimezone(zone_to_show()):%H:%M:%S}"
