"""Tasks over real files that every machine has: the sources of Python's standard library.

A file is named by its path in the library's folder; an absolute path stands for itself. Run them with

    jobrun enqueue sources:count json/decoder.py
    jobrun worker --burst --path examples/tasks
"""

import asyncio
import hashlib
import lzma
import sysconfig
import zlib
from pathlib import Path

from jobrun import Permanent, Retry

LIBRARY = Path(sysconfig.get_path("stdlib"))


def sha256(name: str) -> str:
    return hashlib.sha256(read(name)).hexdigest()


def count(name: str) -> dict[str, int]:
    """Count what `wc` counts; fails for a text that is not UTF-8."""
    content = read(name)
    return {"lines": content.count(b"\n"), "words": len(content.decode().split()), "bytes": len(content)}


def compressed(name: str, method: str = "zlib") -> int:
    """Return the size in bytes after compression; an unknown method will not be known later either."""
    match method:
        case "zlib":
            return len(zlib.compress(read(name), 9))
        case "lzma":
            return len(lzma.compress(read(name)))
        case _:
            raise Permanent(f"there is no method {method!r}")


async def longest_line(name: str) -> int:
    """Return the length in bytes of the longest line; a task can be a coroutine function."""
    content = await asyncio.to_thread(read, name)
    return max((len(line) for line in content.splitlines()), default=0)


def summary(names: list[str]) -> dict[str, int]:
    """Add up what `count` says of many files; what it prints is kept with the job (`jobrun logs`)."""
    total = {"files": 0, "lines": 0, "words": 0, "bytes": 0}
    for name in names:
        counted = count(name)
        print(f"{counted['lines']:6} lines  {name}")
        total["files"] += 1
        for unit, number in counted.items():
            total[unit] += number
    return total


def sha256_when_settled(name: str, marker: str) -> str:
    """Hash a file that is looked at twice: the first time only leave a marker and ask for a retry."""
    try:
        Path(marker).touch(exist_ok=False)
    except FileExistsError:
        return sha256(name)
    raise Retry("too early to tell", in_s=0.2)


def told(event: dict[str, str]) -> None:
    """Print what an alert has to tell, as it would be sent somewhere."""
    print(event["text"])


def read(name: str) -> bytes:
    return (LIBRARY / name).read_bytes()
