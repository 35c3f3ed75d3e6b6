"""The tasks of the examples do what they say, and the table loads."""

import asyncio
import hashlib
import importlib.util
import lzma
import re
import shutil
import subprocess
import zlib
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from jobrun.cron.lint import lint
from jobrun.errors import Permanent, Retry
from jobrun.model import Kind
from jobrun.table import Table, alerts, read_table
from jobrun.table.keys import KEYS

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
SOURCES = EXAMPLES / "tasks" / "sources.py"
TABLE = EXAMPLES / "jobs.toml"
TEXT = "def f():\n    return 'déjà vu'\n"


@pytest.fixture(scope="module")
def sources() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sources", SOURCES)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "text.py"
    path.write_text(TEXT, encoding="utf-8")
    return str(path)


def test_a_file_is_named_by_its_path_in_the_library(sources: ModuleType) -> None:
    assert sources.read("json/decoder.py") == Path(sources.LIBRARY, "json", "decoder.py").read_bytes()


def test_sha256_is_that_of_the_bytes(sources: ModuleType, text: str) -> None:
    assert sources.sha256(text) == hashlib.sha256(TEXT.encode()).hexdigest()


def test_count_counts_what_wc_counts(sources: ModuleType, text: str) -> None:
    assert sources.count(text) == {"lines": 2, "words": 5, "bytes": 32}


def test_count_fails_for_a_text_that_is_not_utf_8(sources: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "latin-1.txt"
    path.write_text("déjà", encoding="latin-1")

    with pytest.raises(UnicodeDecodeError):
        sources.count(str(path))


def test_compressed_is_the_size_after_compression(sources: ModuleType, text: str) -> None:
    assert sources.compressed(text) == len(zlib.compress(TEXT.encode(), 9))
    assert sources.compressed(text, "lzma") == len(lzma.compress(TEXT.encode()))


def test_an_unknown_method_is_permanent(sources: ModuleType, text: str) -> None:
    with pytest.raises(Permanent, match="no method 'rar'"):
        sources.compressed(text, "rar")


def test_longest_line_is_a_coroutine_function(sources: ModuleType, text: str) -> None:
    assert asyncio.run(sources.longest_line(text)) == len("    return 'déjà vu'".encode())


def test_summary_adds_up_and_prints_each_file(
    sources: ModuleType, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sources.summary([text, text]) == {"files": 2, "lines": 4, "words": 10, "bytes": 64}
    assert capsys.readouterr().out.splitlines() == [f"     2 lines  {text}"] * 2


def test_a_file_that_is_not_settled_is_hashed_at_the_second_look(
    sources: ModuleType, text: str, tmp_path: Path
) -> None:
    marker = str(tmp_path / "seen")

    with pytest.raises(Retry) as first:
        sources.sha256_when_settled(text, marker)
    second = sources.sha256_when_settled(text, marker)

    assert first.value.in_s == 0.2
    assert second == sources.sha256(text)


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """Read the table of the examples, which in a checkout may be writable by a group."""
    path = tmp_path / "jobs.toml"
    shutil.copy(TABLE, path)
    path.chmod(0o600)
    return read_table(path, local=UTC, local_name="UTC", environ={})


def test_the_table_loads_and_nothing_in_it_is_remarked_on(table: Table) -> None:
    assert len(table.entries) == 10
    assert table.warnings == ()
    assert lint(table.entries, now=datetime(2027, 1, 1, tzinfo=UTC)) == []


def test_the_table_shows_every_key() -> None:
    shown = re.findall(r"(?m)^(?:# )?(\w+) = ", TABLE.read_text(encoding="utf-8"))

    assert set(KEYS) | set(alerts.KEYS) <= set(shown)


@pytest.mark.parametrize("kind", [Kind.SHELL, Kind.COMMAND])
def test_what_the_table_runs_is_harmless_and_runs(kind: Kind, table: Table) -> None:
    for entry in table.entries:
        if entry.kind is kind and entry.is_enabled:
            assert entry.surroundings is not None
            done = subprocess.run(
                ["sh", "-c", entry.task] if kind is Kind.SHELL else entry.args,
                env=dict(entry.surroundings.environment),
                input=entry.terms.stdin or "",
                text=True,
                capture_output=True,
                check=False,
            )
            assert done.returncode in entry.terms.ok_exit + entry.terms.skip_exit, done.stderr
            assert done.stderr == ""


def test_what_the_alerts_of_the_table_run_is_harmless_and_runs(table: Table, sources: ModuleType) -> None:
    errands = [alert.errand for alert in table.alerts if alert.errand is not None]

    for errand in errands:
        if errand.kind is Kind.CALL:
            getattr(sources, errand.task.partition(":")[2])({"text": "critical: backlog firing"})
            continue
        assert errand.surroundings is not None
        variables = {f"JOBRUN_ALERT_{name}": "x" for name in ("TEXT", "NAME", "STATE", "SINCE")}
        done = subprocess.run(
            ["sh", "-uc", errand.task] if errand.kind is Kind.SHELL else errand.args,
            env={**errand.surroundings.environment, **variables},
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")
    assert len(errands) == len(table.alerts) == len(alerts.CONDITIONS)


def test_the_calls_of_the_table_can_be_made(table: Table, sources: ModuleType) -> None:
    calls = [entry for entry in table.entries if entry.kind is Kind.CALL]

    for entry in calls:
        assert getattr(sources, entry.task.partition(":")[2])(*entry.args, **entry.kwargs)
    assert len(calls) == 2
