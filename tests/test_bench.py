"""bench/: that it can be run, not what it measures."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.dom import minidom

import pytest

from bench.all import RESULTS, SECTIONS, options, page_for
from bench.peers.catalogue import PEERS

ROOT = Path(__file__).resolve().parent.parent


def bench(*words: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench.all", "--quick", "--folder", str(folder), *words],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.process
def test_a_quick_run_measures_jobrun_alone_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = bench("jobrun", "jobrun-fast", folder=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line for line in done.stdout.splitlines() if re.match(r"\| jobrun(-fast)? +\| +100 ", line)]
    assert len(rows) == 2
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        cpu = cells.pop(7)  # a hundred jobs may take less than a step of its clock
        assert all(re.fullmatch(r"[\d,.]+", cell) for cell in cells[1:]), row
        assert re.fullmatch(r"[\d,]+|-", cpu), row
    assert list(tmp_path.iterdir()) == []


def test_a_peer_that_is_not_known_is_a_usage_error(tmp_path: Path) -> None:
    done = bench("jobrunner", folder=tmp_path)

    assert done.returncode == 2
    assert "`jobrunner` is none of peers, limits, " in done.stderr


def test_a_peer_whose_server_is_missing_is_listed_with_the_reason(tmp_path: Path) -> None:
    done = bench("rq", folder=tmp_path, PATH=str(tmp_path))

    assert done.returncode == 1
    assert "\n- rq: redis-server is not installed\n" in done.stdout
    assert "Installing" not in done.stderr


@pytest.mark.parametrize("name", PEERS)
def test_each_peer_has_an_adapter_and_pinned_versions(name: str) -> None:
    peer = PEERS[name]
    adapter = ast.parse((ROOT / "bench" / "peers" / f"{peer.module}.py").read_text(encoding="utf-8"))
    functions = {
        node.name for node in adapter.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert functions >= {"commands", "connect", "enqueue"}
    if peer.environment:
        requirements = (ROOT / "bench" / "requirements" / f"{peer.environment}.txt").read_text(
            encoding="utf-8"
        )
        lines = [line for line in requirements.splitlines() if not line.startswith("#")]
        assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []


# A row of each section, with figures in it.
ROWS = {
    "limits": r"\| the same statements, bare sqlite3 +\| +500 \| +[1-9][\d,]+ \| +1\.00 \|",
    "latency": r"\| half the load +\| +200 \| +[1-9][\d,]* \| +the call \|( +\d+\.\d\d \|){4}",
    "reserve": r"\| 1 +\| +100 \|( +\d+\.\d \|){4}",
    "enqueue": r"\| synchronous=FULL +\|( +[1-9][\d,]* \|){4} +\d\.\d\d \|",
    "shell": r"\| jobrun, --shell +\| +20 \|( +[1-9][\d,]* \|){3} +\d+\.\d\d \|",
    "rest": r"\| worker -n 2 +\| +4 \| +0\.2 \| +\d+\.\d{3} \| +[1-9]\d*\.\d \|",
    "writers": r"\| 3 +\| +1 \| +1 \|( +[1-9][\d,]* \|){2}( +\d+\.\d \|){4} +\d\.\d\d \| +0 \|",
    "console": r"\| status +\|( +[1-9]\d* \|){3}",
    "scale": r"\| claim and end, by 16 +\|( +[1-9][\d,]*\.\d \|){2} +\d+\.\d\d \|",
}


@pytest.mark.process
@pytest.mark.parametrize("section", ROWS)
def test_a_quick_run_measures_a_section_and_compares_it_with_its_goals(tmp_path: Path, section: str) -> None:
    page = tmp_path / "page.md"
    place = tmp_path / "place"
    place.mkdir()

    done = bench(section, "--to", str(page), "--curves", str(tmp_path), folder=place)

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(ROWS[section], done.stdout), done.stdout
    assert "Too short to judge by" in done.stdout
    assert re.search(rf"\n\| {section} +\| .* \| +(met|MISSED) \|\n", page.read_text(encoding="utf-8"))
    assert list(place.iterdir()) == []
    for curve in tmp_path.glob("*.svg"):
        assert minidom.parse(str(curve)).getElementsByTagName("polyline")
    assert bool(list(tmp_path.glob("*.svg"))) == (section == "scale")


def test_all_sections_but_the_peers_are_tried_here() -> None:
    assert set(SECTIONS) - set(ROWS) == {"peers"}


@pytest.mark.process
def test_a_shell_tool_that_is_missing_is_listed_with_the_reason(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("true", "xargs"):
        (tools / name).symlink_to(shutil.which(name) or name)

    done = bench("shell", folder=tmp_path, PATH=str(tools))

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\n\| xargs -P2 -n1 +\| +20 \| +[1-9]", done.stdout)
    assert "\n- Not measured: task-spooler, 2 slots: `ts` is not installed\n" in done.stdout
    assert "\n- Not measured: GNU parallel -j2: `parallel` is not installed\n" in done.stdout


def test_only_a_run_of_all_in_full_writes_the_page_of_results() -> None:
    runs: list[list[str]] = [[], ["--quick"], ["rest"], ["--rounds", "1"]]

    assert [page_for(options(words)) for words in runs] == [RESULTS, None, None, RESULTS]
