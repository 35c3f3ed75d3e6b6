"""The interpreters of the peers: one environment for each file in bench/requirements."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from pathlib import Path

from bench.peers import ROOT
from bench.peers.servers import Missing

PLACE = ROOT / "bench" / ".venv"
REQUIREMENTS = ROOT / "bench" / "requirements"


@functools.cache
def interpreter(name: str | None) -> Path:
    """Return the Python that has what `name` lists, installed unless it is there; None is our own."""
    if name is None:
        return Path(sys.executable)
    requirements, folder = REQUIREMENTS / f"{name}.txt", PLACE / name
    python, stamp = folder / "bin" / "python", folder / "stamp"
    wanted = f"{folder}\n{sys.version}\n{requirements.read_text()}"
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"Installing the peers of {requirements.relative_to(ROOT)}", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        _call([sys.executable, "-m", "venv", str(folder)])
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _call([*pip, "--requirement", str(requirements)])
        stamp.write_text(wanted)
    return python


def _call(words: list[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["it failed"]
        raise Missing(f"pip could not install it: {errors[-1]}")
