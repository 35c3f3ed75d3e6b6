"""bench/: that it can be run, not what it measures."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.dom import minidom

import pytest

from bench.peers.catalogue import PEERS

ROOT = Path(__file__).resolve().parent.parent


def bench(*words: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench.peers.run", "--quick", "--folder", str(folder), *words],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.process
def test_a_quick_run_measures_jobrun_alone_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = bench("jobrun", folder=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    [row] = [line for line in done.stdout.splitlines() if line.startswith("| jobrun")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:2] == ["jobrun", "100"]
    assert all(re.fullmatch(r"[\d,.]+", cell) for cell in cells[1:]), row
    assert list(tmp_path.iterdir()) == []


def test_a_peer_that_is_not_known_is_a_usage_error(tmp_path: Path) -> None:
    done = bench("jobrunner", folder=tmp_path)

    assert done.returncode == 2
    assert "`jobrunner` is none of jobrun, huey, " in done.stderr


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


@pytest.mark.process
def test_many_writers_are_measured_and_see_no_error(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "bench" / "writers.py", "--clients", "3", "--seconds", "1", "--workers", "1"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert "; errors 0\n" in done.stdout, done.stdout + done.stderr
    assert re.search(r"3 clients, 1 workers, 1 s: [1-9][\d,]* enqueued/s, [1-9][\d,]* drained/s", done.stdout)
    assert list(tmp_path.iterdir()) == []


def test_what_grows_can_be_measured_and_drawn(tmp_path: Path) -> None:
    words = [
        "--to",
        "1000",
        "--rounds",
        "1",
        "--folder",
        str(tmp_path),
        "--curves",
        str(tmp_path),
        "sizes",
        "breadth",
    ]

    done = subprocess.run(
        [sys.executable, "-m", "bench.scale", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert "claim and end, by 16, µs CPU" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scale-cpu.svg", "scale-wall.svg"]
    assert minidom.parse(str(tmp_path / "scale-cpu.svg")).getElementsByTagName("polyline")
