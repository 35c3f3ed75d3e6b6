"""Whatever is put in, however much of it, is refused early: in little time and with little memory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jobrun.errors import UsageError
from jobrun.payload import parse_json
from jobrun.store import open_store
from tests.inputs.face import ask

MOST_MEMORY = 200 << 20  # bytes of addresses, of a program that takes 60 MiB of them for itself
LIMIT_S = 1.0  # CPU time
INJECTIONS = [
    *("x' OR 1=1--", "x'; DROP TABLE jobs;--", '" OR ""="', "' UNION SELECT * FROM meta--", "x') OR ('1'='1"),
    *("%", "\\", "';--", "/*", "x\0y", "1; ATTACH 'x' AS y"),
]  # fmt: skip
GLOBS = [
    "*" * 255 + "a",
    "*a" * 127 + "b",
    "[" * 256,
    "[a-" * 85,
    "?" * 256,
    "[^" * 128,
    "*[!a]" * 51,
    "{a,b}**",
]


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="needs prlimit (util-linux)")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["enqueue", "m:f", "--args", "-"], "`-` holds more than 1 MiB, the limit of a payload"),
        (
            ["enqueue", "m:f", "--kwargs", "@/dev/zero"],
            "`/dev/zero` holds more than 1 MiB, the limit of a payload",
        ),
        (["enqueue", "--batch", "-"], "`-` has a line longer than 2 MiB"),
        (["cron", "check", "/proc/self/mem"], "cannot read `/proc/self/mem`"),
    ],
)
def test_a_flood_is_refused_with_flat_memory(words: list[str], told: str, tmp_path: Path) -> None:
    """A stream without end is more than 1 GiB."""
    read, write = os.pipe()
    flood = subprocess.Popen(["cat", "/dev/zero"], stdout=write)
    os.close(write)
    with (tmp_path / "err").open("wb") as err:
        begun = time.monotonic()
        child = subprocess.Popen(
            ["prlimit", f"--as={MOST_MEMORY}", sys.executable, "-m", "jobrun", *words],
            env={**os.environ, "JOBRUN_DB": str(tmp_path / "jobs.db")},
            stdin=read,
            stderr=err,
        )
        os.close(read)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    flood.wait(timeout=60)

    assert child.returncode == 2
    assert told in (tmp_path / "err").read_text()
    assert used.ru_utime + used.ru_stime < 10 * LIMIT_S
    assert time.monotonic() - begun < 60
    assert not (tmp_path / "jobs.db").exists()


@pytest.mark.parametrize("text", INJECTIONS)
@pytest.mark.parametrize("option", ["--state", "--task", "--queue", "--tag"])
def test_row_18_a_filter_is_a_value_and_no_statement(option: str, text: str, tmp_path: Path) -> None:
    file = str(tmp_path / "jobs.db")
    ask(["--db", file, "enqueue", "m:f", "--tag", "t"])

    said = ask(["--db", file, "list", f"{option}={text}", "--json"])

    if option in {"--state", "--queue"}:
        assert said.code == 2
    else:
        assert (said.code, json.loads(said.out)) == (0, [])
    with open_store(Path(file)) as store:
        assert store.ledger.get(1) is not None


@pytest.mark.parametrize("text", INJECTIONS)
def test_row_18_a_filter_of_what_is_removed_is_a_value_too(text: str, tmp_path: Path) -> None:
    file = str(tmp_path / "jobs.db")
    ask(["--db", file, "enqueue", "m:f"])
    ask(["--db", file, "cancel", "1"])

    said = ask(["--db", file, "purge", "--task", text, "--yes"])

    assert said.code in {0, 1}
    with open_store(Path(file)) as store:
        assert store.ledger.get(1) is not None


JSON_BOMBS = {
    "arrays in one another": "[" * 1_000_000,
    "objects in one another": '{"a":' * 150_000,
    "digits": "9" * 1_000_000,
    "digits behind a point": f"0.{'9' * 1_000_000}",
    "an exponent": "1e999999999",
    "zeros": f"[{'0,' * 500_000}0]",
    "escapes": '"' + "\\u0041" * 170_000 + '"',
    "keys": "{" + ",".join(f'"{n}":{n}' for n in range(60_000)) + "}",
    "one key again and again": "{" + ",".join('"a":1' for _ in range(100_000)) + "}",
    "other keys and one of them again": "{" + ",".join(f'"{n}":1' for n in range(60_000)) + ',"59999":1}',
    "half characters": '["' + "\\ud800" * 100_000 + '"]',
    "minus signs": "-" * 1_000_000,
    "blanks": " " * 1_000_000,
}


@pytest.mark.parametrize("bomb", JSON_BOMBS.values(), ids=JSON_BOMBS)
def test_row_20_a_bomb_of_json_is_read_or_refused_at_once(bomb: str) -> None:
    begun = time.process_time()
    said = ""
    try:
        parse_json(bomb, "--args")
    except UsageError as error:
        said = error.message

    assert len(said) < 300
    assert time.process_time() - begun < LIMIT_S


@pytest.mark.parametrize("glob", GLOBS)
def test_row_21_a_pattern_takes_no_time(glob: str, tmp_path: Path) -> None:
    file = str(tmp_path / "jobs.db")
    ask(["--db", file, "enqueue", "--shell", "a" * 2000])
    begun = time.process_time()

    said = ask(["--db", file, "list", "--task", glob])

    assert said.code in {0, 2}
    assert time.process_time() - begun < LIMIT_S
    assert ask(["--db", file, "list", "--task", "*" * 257]).code == 2
