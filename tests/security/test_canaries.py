"""Where a secret may be seen: in what is asked for by its name, and nowhere that a passer-by or a log would see it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.process.site import Site, eventually
from tests.security.face import Answer, jobrun_at

pytestmark = pytest.mark.process

PASSERS_BY = [
    ["list"],
    ["status"],
    ["workers"],
    ["failed"],
    ["why", "1"],
    ["why", "2"],
    ["list", "--state", "failed"],
]


def look(site: Site, *words: str) -> Answer:
    return jobrun_at(site.path, *words, cwd=site.folder)


@pytest.fixture
def told(site: Site) -> Site:
    """Run jobs that hold secrets: in arguments, environment, result, traceback and output."""
    (site.folder / "tasks" / "leaky.py").write_text(
        "def fails(*args, **kwargs):\n"
        "    local = 'CANARY-local'\n"
        "    raise ValueError('no password given')  # CANARY-source\n"
        "def returns(password):\n"
        "    print('CANARY-output')\n"
        "    return {'token': 'CANARY-result', 'user': 'ann'}\n"
    )
    argument = {"user": "ann", "password": "CANARY-argument"}
    asked = jobrun_at(
        site.path,
        *(
            "enqueue",
            "leaky:fails",
            "--args",
            json.dumps([argument]),
            "--kwargs",
            '{"api_key": "CANARY-keyword"}',
        ),
        cwd=site.folder,
    )
    more = jobrun_at(site.path, "enqueue", "leaky:returns", "password=CANARY-plain", cwd=site.folder)
    shell = jobrun_at(
        site.path, "enqueue", "--shell", "exit 3", cwd=site.folder, DB_PASSWORD="CANARY-environment"
    )
    assert [answer.code for answer in (asked, more, shell)] == [0, 0, 0]
    assert "CANARY" not in asked.said + more.said + shell.said
    site.burst(n=1)
    return site


def test_passers_by_and_logs_see_no_secret(told: Site) -> None:
    seen = {" ".join(words): look(told, *words).said for words in PASSERS_BY}
    seen |= {"log": told.groups[0].log()}

    assert [where for where, text in seen.items() if "CANARY" in text] == []
    assert "no password given" in seen["failed"], "the first line of an error is no secret to us"


def test_one_job_shows_its_traceback_and_hides_what_is_called_a_secret(told: Site) -> None:
    failed, ended, shell = (look(told, "inspect", number).said for number in "123")

    assert ("CANARY-argument" in failed, "CANARY-keyword" in failed) == (False, False)
    assert "CANARY-local" not in failed, "no values of local variables"
    assert "in fails" in failed
    assert "CANARY" not in ended + shell
    assert "DB_PASSWORD" in shell, "the names of an environment are shown"


@pytest.mark.parametrize(
    ("words", "canaries"),
    [
        (["inspect", "1", "--show-secrets"], {"CANARY-argument", "CANARY-keyword", "CANARY-source"}),
        (["inspect", "2", "--show-secrets"], {"CANARY-plain", "CANARY-result"}),
        (["inspect", "3", "--show-env"], {"CANARY-environment"}),
        (["inspect", "1", "--json"], {"CANARY-argument", "CANARY-keyword", "CANARY-source"}),
        (["logs", "2"], {"CANARY-output"}),
    ],
)
def test_who_asks_is_told(told: Site, words: list[str], canaries: set[str]) -> None:
    said = look(told, *words).said

    assert {canary for canary in canaries if canary not in said} == set()


def test_no_process_shows_arguments_or_environments_of_jobs_to_other_users(site: Site) -> None:
    group = site.start(n=1)
    job_id = site.call("until", str(site.folder / "go"))
    site.runs(job_id)
    pids = eventually(site.alive)

    shown = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids]

    assert len(pids) == 3
    assert all(b"until" not in line and os.fsencode(site.folder / "go") not in line for line in shown)
    assert {oct(Path(f"/proc/{pid}/environ").stat().st_mode & 0o077) for pid in pids} == {"0o0"}
    (site.folder / "go").touch()
    site.wait(job_id)
    assert group.pid in pids
