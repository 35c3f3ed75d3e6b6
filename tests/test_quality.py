"""What the tools say of the whole project, and what no file of it may hold."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# A reader elsewhere has neither the folders of this machine nor its package index.
HERE = [ROOT, Path.home(), *([Path(sys.prefix)] if sys.prefix != sys.base_prefix else [])]
MACHINE = re.compile(
    "|".join([*(rf"(?<![\w.]){re.escape(str(place))}/" for place in HERE), r"p[y]pi\.", r"index[-_]url"]),
    re.IGNORECASE,
)
WHOLE_PROJECT = 240  # seconds


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    if importlib.util.find_spec(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=WHOLE_PROJECT,
    )


def _files() -> list[Path]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def test_ruff_finds_nothing() -> None:
    result = _run("ruff", "check", "--no-cache", "--output-format=concise")

    assert result.returncode == 0, result.stdout


def test_ruff_would_format_nothing() -> None:
    result = _run("ruff", "format", "--no-cache", "--check")

    assert result.returncode == 0, result.stdout


def test_mypy_finds_nothing() -> None:
    result = _run("mypy", "--no-error-summary")

    assert result.returncode == 0, result.stdout + result.stderr


def test_no_file_names_a_folder_of_one_machine_or_a_package_host() -> None:
    found = {
        f"{path.relative_to(ROOT)}:{number}": line.strip()
        for path in _files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if MACHINE.search(line)
    }

    assert found == {}


def test_every_text_ends_with_one_newline() -> None:
    texts = {path.relative_to(ROOT): path.read_bytes() for path in _files()}

    assert [
        name for name, text in texts.items() if text and (text[-1:] != b"\n" or text[-2:] == b"\n\n")
    ] == []
