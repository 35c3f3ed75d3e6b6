"""A real terminal: a program in tmux, typed to and looked at."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

import pytest

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")
LIMIT_S = 60.0


class Screen:
    """A window of tmux with one program in it; it ends with the block."""

    def __init__(
        self, command: str, *, environ: Mapping[str, str], cwd: Path, width: int = 100, height: int = 30
    ) -> None:
        """Start a shell line in a window of this size."""
        self._tmux = ["tmux", "-f", "/dev/null", "-S", os.fspath(cwd / "tmux.sock")]
        self._environ = {**environ, "TERM": "xterm-256color"}
        self._run("new-session", "-d", "-x", str(width), "-y", str(height), "-c", str(cwd), command)

    def type(self, *keys: str) -> None:
        """Type keys as tmux names them (`Tab`, `Enter`, `C-c`), and other words as they are."""
        self._run("send-keys", *keys)

    def shown(self, *, styled: bool = False) -> str:
        """Return what stands on the screen, if asked for with its colours as escape sequences."""
        return self._run("capture-pane", "-p", *(["-e"] if styled else []))

    def wait_for(self, wanted: str | Callable[[str], bool]) -> str:
        """Wait until the screen shows a text, or what a test of it wants, and return all that it shows."""
        end = time.monotonic() + LIMIT_S
        while True:
            shown = self.shown()
            if wanted in shown if isinstance(wanted, str) else wanted(shown):
                return shown
            assert time.monotonic() < end, f"waited for {wanted!r} on:\n{shown}"
            time.sleep(0.05)

    def resize(self, width: int, height: int) -> None:
        self._run("resize-window", "-x", str(width), "-y", str(height))

    def close(self) -> None:
        """End the program and the terminal."""
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, check=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, *words: str) -> str:
        done = subprocess.run(
            [*self._tmux, *words], env=self._environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{shlex.join(words)}: {done.stderr}"
        return done.stdout
