"""Our processes talk through sockets without a name, so that nobody else can say anything to them."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import pytest

import jobrun
from tests.process.site import Site, children_of

PACKAGE = Path(jobrun.__file__).parent
_NAMED = {"bind", "listen", "accept", "create_server", "start_server", "create_unix_server", "SO_REUSEADDR"}
_OUTWARD = {"notify.py", "messenger.py"}  # to NOTIFY_SOCKET, and to the monitors that a table names


def test_no_socket_gets_a_name_and_two_modules_alone_speak_to_one() -> None:
    named, outward = set(), set()
    for path in PACKAGE.rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        if imported & {"socket", "socketserver", "http.server", "asyncio"} and attributes & _NAMED:
            named.add(path.name)
        if attributes & {"connect", "connect_ex", "sendto", "create_connection", "urlopen", "build_opener"}:
            outward.add(path.name)

    assert named == set()
    assert outward - {"opening.py", "soundness.py"} <= _OUTWARD, "sqlite3.connect opens a file"


@pytest.mark.process
def test_a_working_group_has_no_socket_that_anybody_could_find(site: Site) -> None:
    site.table("[jobs.a]\nshell = 'true'\nevery = '1h'\n")
    group = site.cron()
    group.workers()
    job_id = site.shell("sleep 600")
    site.wait(job_id, {"running"})  # type: ignore[arg-type]
    pids = {group.pid, *children_of(group.pid)}

    inodes = {
        match[1]
        for pid in pids
        for fd in os.listdir(f"/proc/{pid}/fd")
        if (match := re.fullmatch(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{fd}")))
    }
    unix = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    ours = [fields for fields in unix if fields[6] in inodes]

    assert len(ours) == len(inodes) >= 4, "all of them are UNIX sockets"
    assert [fields for fields in ours if len(fields) > 7] == [], "none has a name"
    assert {fields[4] for fields in ours} == {"0005"}, "SOCK_SEQPACKET"
