"""The tasks of the examples do what they say."""

import asyncio
import hashlib
import importlib.util
import lzma
import zlib
from pathlib import Path
from types import ModuleType

import pytest

from jobrun.errors import Permanent, Retry

SOURCES = Path(__file__).resolve().parent.parent / "examples" / "tasks" / "sources.py"
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
