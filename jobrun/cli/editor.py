"""A text in the editor of a person: in a file of their own, which is removed unless it is to be kept."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from jobrun.errors import NotDone, UsageError

USUAL = ("vi", "nano")


class Sheet:
    """A file that is edited."""

    def __init__(self, path: Path, words: list[str]) -> None:
        self.path = path
        self._words = words
        self.is_kept = False

    def edit(self, text: str) -> str:
        """Show a text, and return what became of it. Raises `NotDone` if the editor fails."""
        self.path.write_text(text, encoding="utf-8", errors="surrogateescape")
        try:
            code = subprocess.run([*self._words, str(self.path)], check=False).returncode
        except OSError as error:
            raise UsageError(f"cannot start the editor `{self._words[0]}`: {error.strerror}") from None
        if code:
            raise NotDone(f"the editor ended with {code}; nothing was changed")
        try:
            return self.path.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError as error:  # some editors write a new file, and may not come to that
            said = (error.strerror or "it cannot be read").lower()
            raise NotDone(f"the editor left nothing at `{self.path}` ({said}); nothing was changed") from None


@contextlib.contextmanager
def sheet(name: str, environ: Mapping[str, str]) -> Iterator[Sheet]:
    """Give a sheet for the length of a block."""
    words = editor(environ)
    fd, path = tempfile.mkstemp(prefix=f"{name}-", suffix=".toml")  # 0600
    os.close(fd)
    found = Sheet(Path(path), words)
    try:
        yield found
    finally:
        if not found.is_kept:
            with contextlib.suppress(OSError):
                found.path.unlink()


def editor(environ: Mapping[str, str]) -> list[str]:
    """Return the words that start the editor of a person. Raises `UsageError` if there is none."""
    for name in ("VISUAL", "EDITOR"):
        if value := environ.get(name, "").strip():
            try:
                return shlex.split(value)
            except ValueError:
                raise UsageError(f"`{name}` cannot be read as words: `{value}`") from None
    for usual in USUAL:
        if shutil.which(usual):
            return [usual]
    raise UsageError("no editor was found", hint="set EDITOR, or use --set name=value")
