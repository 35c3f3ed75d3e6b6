"""A table is read only if nobody else could have written it, and if it can be read without harm."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jobrun.errors import JobrunError, Refused, UsageError
from jobrun.table import MAX_TABLE, Table, TableError
from tests.table.conftest import Read

Reread = Callable[[], Table]

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
TABLE = '[jobs.a]\nshell = "true"\nevery = "1h"\n'
LIMIT_S = 0.4 if sys.flags.dev_mode else 0.2  # of processor time


@pytest.mark.parametrize(("mode", "who"), [(0o620, "its group"), (0o602, "everybody"), (0o666, "everybody")])
def test_a_table_that_others_can_write_is_refused(
    mode: int, who: str, read: Read, reread: Reread, path: Path
) -> None:
    read(TABLE)
    path.chmod(mode)

    with pytest.raises(Refused, match=f"`{path}` can be written by {who}") as found:
        reread()

    assert found.value.hint == f"chmod go-w {path}"
    assert found.value.exit_code == 5


@pytest.mark.parametrize("mode", [0o400, 0o444, 0o644, 0o755])
def test_a_table_that_others_can_only_read_is_read(mode: int, read: Read, reread: Reread, path: Path) -> None:
    read(TABLE)
    path.chmod(mode)

    assert len(reread().entries) == 1


@pytest.mark.parametrize(
    "text",
    [
        "*/5 * * * * true\n",
        "SHELL=/bin/sh\n# nightly\n0 2 * * * root backup\n",
        "@daily backup\n",
        "30 9 * jan mon-fri a\n",
    ],
)
def test_a_crontab_is_known_for_what_it_is(text: str, read: Read, path: Path) -> None:
    with pytest.raises(UsageError, match=f"`{path}` is a crontab, not a table") as found:
        read(text)

    assert found.value.hint == f"`jobrun cron import {path}` prints a table of it"


@AS_ROOT
def test_a_table_of_another_user_is_refused(read: Read, reread: Reread, path: Path) -> None:
    read(TABLE)
    os.chown(path, 1, 1)

    with pytest.raises(Refused, match=rf"`{path}` belongs to another user \(uid 1\)"):
        reread()


@AS_ROOT
def test_a_link_of_another_user_is_refused(read: Read, reread: Reread, path: Path) -> None:
    read(TABLE)
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real"))
    assert len(reread().entries) == 1

    os.chown(path, 1, 1, follow_symlinks=False)

    with pytest.raises(Refused, match="belongs to another user"):
        reread()


@pytest.mark.parametrize("is_link", [False, True])
def test_a_folder_where_all_can_replace_the_table_is_refused(
    is_link: bool,  # noqa: FBT001 -- a parameter of the test
    read: Read,
    reread: Reread,
    path: Path,
) -> None:
    read(TABLE)
    folder = path.parent
    if is_link:
        folder = path.parent / "open"
        folder.mkdir()
        path.rename(folder / "real.toml")
        path.symlink_to(folder / "real.toml")
    folder.chmod(0o777)

    with pytest.raises(
        Refused, match=f"in place of `{path}`: `{folder}` can be written by everybody"
    ) as found:
        reread()
    folder.chmod(0o1777)  # as /tmp

    assert found.value.hint == f"chmod go-w {folder}"
    assert len(reread().entries) == 1


def test_a_missing_table_is_named(reread: Reread, path: Path) -> None:
    with pytest.raises(UsageError, match=f"cannot read `{path}`: no such file or directory"):
        reread()


def test_a_folder_is_no_table(reread: Reread, path: Path) -> None:
    path.mkdir()

    with pytest.raises(UsageError, match=f"cannot read `{path}`: is a directory"):
        reread()


def test_a_pipe_is_no_table_and_holds_nobody_up(reread: Reread, path: Path) -> None:
    os.mkfifo(path)

    with pytest.raises(UsageError, match="it is no regular file"):
        reread()


def test_a_table_may_have_no_entries_but_not_be_empty(read: Read, path: Path) -> None:
    assert read("# nothing yet\n").warnings == read("\n").warnings == (f"`{path}` has no entries",)

    with pytest.raises(UsageError, match="is empty"):
        read("")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\xef\xbb\xbf# x\n", "begins with a byte order mark"),
        ("# x\n".encode("utf-16"), "is UTF-16, not UTF-8"),
        ("# x\n".encode("utf-16-le"), "holds a NUL at byte 2, in line 1"),
        (b"# x\n#\0\n", "holds a NUL at byte 6, in line 2"),
        (b"# x\n# \xe9\n", "is not valid UTF-8 at byte 7, in line 2"),
        (b"# \xed\xb2\x80", "is not valid UTF-8 at byte 3, in line 1"),
        (b"#" * (MAX_TABLE + 1), "is larger than 4.0 MiB"),
    ],
)
def test_what_is_no_utf_8_or_too_much_is_refused(data: bytes, told: str, reread: Reread, path: Path) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)

    with pytest.raises(UsageError, match=f"`{path}` {told}"):
        reread()


def test_line_ends_blanks_and_tabs_of_other_systems_are_read(read: Read) -> None:
    [entry] = read('[jobs.a]\r\n\tshell = "true"  \r\n\r\nschedule = " 0\t3 * *  * "\t# x\r\n').entries

    assert (entry.task, entry.line) == ("true", 1)


BOMBS = {
    "a key of 40 kB of dots": "a" + ".a" * 20_000 + " = 1",
    "many long dotted keys": ("a" + ".a" * 2000 + " = 1\n") * 1000,
    "many dotted keys of the length that is allowed": "".join(
        f"[jobs.a{n}]\n" + f"a{'.b' * 7} = 1\n" * 6 for n in range(20_000)
    ),
    "dotted keys in inline tables": ("a = {b" + ".b" * 1500 + " = 1}\n") * 1000,
    "a deep head over many keys": "[a.a.a.a.a.a.a.a]\n" + "".join(f"b{n} = 1\n" for n in range(150_000)),
    "100,000 arrays in one another": "a = " + "[\n" * 100_000,
    "inline tables in one another": "a = " + "{a = " * 500 + "1" + "}" * 500,
    "many deep inline tables": "".join(f"a{n} = {'{a = ' * 30}1{'}' * 30}\n" for n in range(6000)),
    "5,000 digits": "[jobs.a]\nretries = " + "9" * 5000,
    "many keys": "".join(f"a{n} = 1\n" for n in range(190_000)),
    "many keys with escapes": "".join(f'"\\u0041{n}" = 1\n' for n in range(150_000)),
    "many tables": "".join(f"[jobs.a{n}]\n" for n in range(190_000)),
    "many arrays of tables": "[[a.b.c]]\nd.e.f = 1\n" * 95_000,
    "many commas": "a = [" + ("1," * 2000 + "\n") * 500 + "]",
    "many escapes": 'a = """' + ("\\n" * 2000 + "\n") * 900 + '"""',
    "many quotes": 'a = """' + ('" ' * 2000 + "\n") * 900 + '"""',
    "a huge text": "a = '''" + ("y" * 4000 + "\n") * 1000 + "'''",
    "10 MiB of lines": "#\n" * (5 << 20),
    "unknown keys in their thousands": "[jobs.a]\n" + "".join(f"schedul{n} = 1\n" for n in range(100_000)),
    "unknown zones in their thousands": "".join(
        f"[jobs.a{n}]\nshell = 'x'\nevery = '1m'\ntimezone = 'Mars/{n}'\n" for n in range(1000)
    ),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused_at_once(bomb: str, reread: Reread, path: Path) -> None:
    path.touch(mode=0o600)
    path.write_text(bomb, encoding="utf-8")
    took = LIMIT_S
    for _ in range(3):  # a busy host may spoil one
        if took >= LIMIT_S:
            started = time.process_time()
            with pytest.raises(JobrunError) as found:
                reread()
            took = time.process_time() - started

    assert took < LIMIT_S
    assert found.value.exit_code == 2
    assert all(len(line) < 1000 for line in (found.value.message, *found.value.details))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("\n# " + "x" * 4096, "2: more than 4096 bytes; text in three quotes may have many lines"),
        ("\n# " + "é" * 2048, "2: more than 4096 bytes"),
        ("a.b.c.d.e.f.g.h.i = 1", "1: a key of more than 8 parts"),
        ("a = [\n{b.'.'.d.e.f.g.h.i.j = 1}]", "2: a key of more than 8 parts"),
        ("[a]\nb = [" + "\n[" * 40, "34: brackets nested deeper than 32"),
    ],
)
def test_a_limit_is_named_with_its_line(text: str, told: str, read: Read) -> None:
    with pytest.raises(TableError) as found:
        read(text)

    [problem] = found.value.details
    assert problem.partition("jobs.toml:")[2].startswith(told)


def test_ten_thousand_entries_are_read(read: Read, reread: Reread) -> None:
    job = '[jobs.job-{0}]\nschedule = "{1} {2} * * *"\nshell = "true {0}"\ntimeout = "5m"\nretries = 2\n\n'
    read("".join(job.format(n, n % 60, n // 60 % 24) for n in range(10_000)))

    started = time.process_time()
    entries = reread().entries
    took = time.process_time() - started

    assert len(entries) == 10_000
    assert entries[-1].line == 9_999 * 6 + 1
    assert took < 2.5  # measured: 0.7; what this is to find is time that grows with the square
