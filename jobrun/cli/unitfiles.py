"""Unit files for systemd, as text: systemd.service(5), systemd.exec(5), systemd.syntax(7)."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

_PLAIN = re.compile(r"[A-Za-z0-9_./:=@,+-]+")


class Service(StrEnum):
    WORKER = "worker"
    CRON = "cron"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One service. Paths are absolute."""

    service: Service
    program: Sequence[str]  # how jobrun is called
    table: str | None = None  # None: the usual one
    job_file: str | None = None  # None: the usual one
    is_user: bool = False  # a service of a user's own systemd, not of the host's


def unit_file(wanted: Wanted) -> str:
    """Return the text of a unit file; it says what each restriction costs, and how to lift it.

    >>> text = unit_file(Wanted(service=Service.WORKER, program=["/usr/bin/jobrun"]))
    >>> "ExecStart=/usr/bin/jobrun worker" in text.splitlines()
    True
    """
    head, fence, target = (_HEAD_OF_HOST, [_FENCE], "multi-user.target")
    if wanted.is_user:
        head, fence, target = (_HEAD_OF_USER, [], "default.target")
    head = head.format(service=wanted.service, description=_DESCRIPTIONS[wanted.service])
    return "\n".join([head, _start(wanted), _END, *fence, f"[Install]\nWantedBy={target}\n"])


def _start(wanted: Wanted) -> str:
    lines = ["[Service]", "Type=notify", "NotifyAccess=main"]
    lines += [*_REMARKS[wanted.service], f"ExecStart={_command(wanted)}"]
    if wanted.service is Service.CRON:
        lines.append("ExecReload=/bin/kill -HUP $MAINPID")
    return "\n".join([*lines, *_place(wanted), ""])


def _place(wanted: Wanted) -> list[str]:
    """Return where the service works, and as whom."""
    named = wanted.job_file
    lines = [] if named is None else [f"Environment={_word(f'JOBRUN_DB={named}')}"]
    if wanted.is_user:
        return lines
    if named is None:
        return ["Environment=JOBRUN_DB=%S/jobrun/jobrun.db", _HOME]
    return [*lines, f"ReadWritePaths={_word(os.fspath(Path(named).parent))}", _HOME]


def _command(wanted: Wanted) -> str:
    """Return the words of ExecStart; a `$` is expanded in all but the first."""
    program, *words = [*map(_word, wanted.program), wanted.service.value]
    if wanted.service is Service.CRON:
        usual = "%E/jobrun/jobs.toml" if wanted.is_user else "/etc/jobrun/jobs.toml"
        words.append(usual if wanted.table is None else _word(wanted.table))
    return " ".join([program, *(word.replace("$", "$$") for word in words)])


def _word(text: str) -> str:
    """Quote a word, so that systemd takes every character for itself.

    >>> print(_word("/srv/100 %"))
    "/srv/100 %%"
    """
    text = text.replace("%", "%%")
    if _PLAIN.fullmatch(text.replace("%", "")):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


_HEAD_OF_HOST = """\
# Written by `jobrun systemd {service}`; change it in a drop-in: systemctl edit jobrun-{service}

[Unit]
Description=jobrun: {description}
After=network.target remote-fs.target nss-user-lookup.target time-sync.target
"""

_HEAD_OF_USER = """\
# Written by `jobrun systemd {service} --user`; change it in a drop-in: systemctl --user edit jobrun-{service}
# It runs while you are logged in; after `loginctl enable-linger` from the start of the host to its end.
# Jobs may do what you may do. Nothing is forbidden to them here: any of it would also forbid sudo and
# sendmail, and would forbid little to who can ask your systemd for another service.

[Unit]
Description=jobrun: {description}
"""

_DESCRIPTIONS = {Service.WORKER: "run queued jobs", Service.CRON: "run jobs by a table"}

_REMARKS = {
    Service.WORKER: [],
    Service.CRON: ["# It runs the jobs, too; `cron -n 0` leaves them to jobrun-worker.service."],
}

_HOME = """\
User=jobrun
StateDirectory=jobrun
StateDirectoryMode=0700
WorkingDirectory=%S/jobrun
# Files that jobs make are their own; `umask` in a table says otherwise for one entry.
UMask=0077"""

_END = """\
# TERM goes to the supervisor alone. It lets jobs end (--drain, 30s), asks them to (--grace, 10s), and
# has systemd wait longer where these are longer. What is left after it is killed.
KillMode=mixed
TimeoutStopSec=90
# Not for nonsense (2), a job file that cannot be used (4) and what was refused for safety (5):
# these wait for a person. 75 is tried again: another scheduler has the table, and we follow it.
Restart=on-failure
RestartSec=5
RestartPreventExitStatus=2 4 5
# The job that the kernel kills for want of memory fails, not all of them.
OOMPolicy=continue
# It is fed only while scheduler and dispatcher answer. What it ends is started again, and so are the
# jobs that ran, as far as their retries go; a disk that stands still for a minute is no fault of theirs.
WatchdogSec=120
"""

_FENCE = """\
# What jobs may not do, and how a drop-in allows it. For jobs of root or of another user it says
# User=, and for root CapabilityBoundingSet=~ and what they need of the rest.
# sudo, and a sendmail that is setuid or setgid: not with any User= but root.
NoNewPrivileges=yes
CapabilityBoundingSet=
# Write elsewhere than in /var/lib/jobrun, /tmp and /var/tmp: ReadWritePaths=/srv/backup
ProtectSystem=strict
ProtectHome=read-only
# See the /tmp of others: PrivateTmp=no
PrivateTmp=yes
# Use disks, serial ports, graphics cards: PrivateDevices=no and ProtectClock=no
PrivateDevices=yes
ProtectClock=yes
# Change the host: only root could anyway.
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictRealtime=yes
# Set the setuid or setgid bit, as `cp -p` of such a file does: RestrictSUIDSGID=no
RestrictSUIDSGID=yes
# Run containers, and browsers that make some: RestrictNamespaces=no
RestrictNamespaces=yes
# Other networks, as tcpdump does: RestrictAddressFamilies=AF_PACKET
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
# Programs for another architecture: SystemCallArchitectures=native x86
SystemCallArchitectures=native
LockPersonality=yes
# Trace processes, as strace and gdb do: SystemCallFilter=@debug
SystemCallFilter=@system-service
# Programs may lock themselves up further, as `file` and xz do.
SystemCallFilter=seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self
SystemCallErrorNumber=EPERM
# Not forbidden, as ordinary jobs need it: MemoryDenyWriteExecute= (node, java, php), ProtectProc=
# (pgrep), PrivateUsers= (backups would see nobody's files), PrivateNetwork=, IPAddressDeny=.
"""
