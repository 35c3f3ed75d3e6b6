"""What a disk may hold after a power cut, rebuilt from the file calls that strace(1) has recorded.

What was not synced may be there or not, in any choice and order. What is done to names (made, removed, cut off)
comes in its order, as a journal of a file system has it, and is there for certain after any sync.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NamedTuple

TRACED = "openat,write,pwrite64,fdatasync,fsync,ftruncate,unlink,rename"
_SECTOR = 512
_LINE = re.compile(r"(?P<pid>\d+) +(?:<\.\.\. )?(?P<name>\w+)(?P<resumed> resumed>)?(?P<rest>.*)")
_FD = re.compile(
    r'\(?(?P<fd>\d+)<(?P<path>[^>]*)>(?:, "(?P<data>[^"]*)"(?:\.\.\.)?)?(?P<numbers>(?:, -?\d+)*)'
)
_NAMES = re.compile(r'"(?P<path>[^"]*)"')


class Call(NamedTuple):
    """One call: `sync`, `write`, `cut`, `make` or `remove` of a file, or `say` on a descriptor."""

    what: str
    path: str
    data: bytes = b""
    offset: int = 0  # or the size it is cut to, or the number of the descriptor


def calls(trace: Path) -> Iterator[Call]:
    """Yield the calls that went well. A write counts from its beginning, a sync from its end."""
    waiting: dict[str, Call] = {}
    for line in trace.read_text().splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        pid, is_begun = found["pid"], line.endswith("<unfinished ...>")
        call = waiting.pop(pid, None) if found["resumed"] else _call(found["name"], found["rest"])
        if call is None or ("= -1" in line and not is_begun):
            continue
        if is_begun and call.what == "sync":
            waiting[pid] = call
            continue
        yield call


def _call(name: str, rest: str) -> Call | None:
    if name in {"unlink", "openat", "rename"}:
        found = _NAMES.search(rest)
        if found is None or (name == "openat" and "O_CREAT" not in rest):
            return None
        return Call("remove" if name == "unlink" else "make", _text(found["path"]))
    found = _FD.match(rest)
    if found is None:
        return None
    path, data = _text(found["path"]), _bytes(found["data"] or "")
    numbers = [int(number) for number in found["numbers"].split(",")[1:]]
    return {
        "write": lambda: Call("say", path, data, int(found["fd"])),
        "pwrite64": lambda: Call("write", path, data, numbers[1]),
        "ftruncate": lambda: Call("cut", path, offset=numbers[0]),
    }.get(name, lambda: Call("sync", path))()


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _text(text: str) -> str:
    return _bytes(text).decode() if text.startswith("\\x") else text


@dataclass(slots=True)
class Disk:
    """What is certain of some files, and what has been done since."""

    safe: dict[str, bytes]  # by path
    pending: list[Call] = field(default_factory=list)

    def do(self, call: Call) -> None:
        """Take a call."""
        if call.what == "sync":
            self._sync(call.path)
        elif call.what != "say":
            self.pending.append(call)

    def image(self, policy: str, dice: Random) -> dict[str, bytes]:
        """Return the files as they may be after a cut now."""
        named = [call for call in self.pending if call.what != "write"]
        kept_names = {"none": 0, "all": len(named)}.get(policy, dice.randint(0, len(named)))
        lost = {id(call) for call in named[kept_names:]}
        writes = [call for call in self.pending if call.what == "write"]
        if policy == "none":
            lost |= {id(call) for call in writes}
        elif policy == "reversed":  # the last ones arrived, the first did not
            lost |= {id(call) for call in writes[: dice.randint(0, len(writes))]}
        elif policy == "random":
            lost |= {id(call) for call in writes if dice.random() < 0.5}
        files = {path: bytearray(content) for path, content in self.safe.items()}
        for call in self.pending:
            if id(call) not in lost:
                _apply(files, _torn(call, dice) if policy == "random" else call)
        return {path: bytes(content) for path, content in files.items()}

    def _sync(self, path: str) -> None:
        """Make safe what was written into a file, and all that was done to names."""
        files = {name: bytearray(content) for name, content in self.safe.items()}
        left = []
        for call in self.pending:
            if call.what == "write" and call.path != path:
                left.append(call)
            else:
                _apply(files, call)
        self.safe = {name: bytes(content) for name, content in files.items()}
        self.pending = left


def _apply(files: dict[str, bytearray], call: Call) -> None:
    if call.what == "make":
        files.setdefault(call.path, bytearray())
    elif call.what == "remove":
        files.pop(call.path, None)
    elif (content := files.get(call.path)) is None:
        return  # of a file whose name is not there
    elif call.what == "cut":
        content[:] = content[: call.offset].ljust(call.offset, b"\0")
    else:
        content[:] = content.ljust(call.offset, b"\0")
        content[call.offset : call.offset + len(call.data)] = call.data


def _torn(call: Call, dice: Random) -> Call:
    """Let a write of several sectors arrive in part."""
    if call.what != "write" or len(call.data) <= _SECTOR or dice.random() < 0.5:
        return call
    return call._replace(data=call.data[: _SECTOR * dice.randrange(1, -(-len(call.data) // _SECTOR))])


def said(done: Sequence[Call], end: str) -> list[bytes]:
    """Return what was written to files whose name ends so, one by one."""
    return [call.data for call in done if call.what == "say" and call.path.endswith(end)]
