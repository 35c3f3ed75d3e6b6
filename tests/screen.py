"""A real terminal: a program in tmux, typed to and looked at."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

import pytest

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
PATIENCE_S = 60.0


class Screen:
    """A window of tmux with one program in it; it ends with the block."""

    def __init__(self, command: str, environ: Mapping[str, str], cwd: Path) -> None:
        """Start a program in a window of 80 columns and 24 lines."""
        self._folder = tempfile.TemporaryDirectory(prefix="jr")  # a short name: a socket has 107 bytes for it
        self._cwd = cwd
        self._environ = {**environ, "TERM": "xterm-256color", "PS1": "$ ", "ENV": ""}
        self.tmux("new-session", "-d", "-x", "80", "-y", "24", command)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(self._words("kill-server"), capture_output=True, timeout=30, check=False)
        self._folder.cleanup()

    def tmux(self, *words: str) -> str:
        """Tell tmux something, and return what it answers."""
        done = subprocess.run(
            self._words(*words),
            env=self._environ,
            cwd=self._cwd,
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return done.stdout

    def type(self, *keys: str) -> None:
        """Type keys as tmux names them (`Tab`, `Enter`, `C-c`), and other words as they are."""
        self.tmux("send-keys", *keys)

    def resize(self, width: int, height: int) -> None:
        self.tmux("resize-window", "-x", str(width), "-y", str(height))

    def text(self) -> str:
        """Return what stands on the screen."""
        return self.tmux("capture-pane", "-p")

    def until(self, *words: str) -> str:
        """Wait until all words are on the screen, and return it."""
        return self.wait(lambda: all(word in self.text() for word in words), words) or self.text()

    def wait(self, is_so: Callable[[], bool], what: object) -> str:
        end = time.monotonic() + PATIENCE_S
        while not is_so():
            assert time.monotonic() < end, f"{what} did not come; there is:\n{self.text()}"
            time.sleep(0.05)
        return ""

    def is_other_screen(self) -> bool:
        return self.tmux("display-message", "-p", "#{alternate_on}").strip() == "1"

    def _words(self, *words: str) -> list[str]:
        return ["tmux", "-S", f"{self._folder.name}/tmux", "-f", "/dev/null", *words]
