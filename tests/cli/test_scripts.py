"""`jobrun inspect --sh`: what the script of a job does, by running it in dash."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobrun.actions.reordering import order_again
from jobrun.cli.scripts import script
from jobrun.model import Job, Kind, NewJob, Surroundings, Terms
from jobrun.run.mark import variables
from jobrun.run.surroundings import as_bytes
from jobrun.store import Store, open_store

pytestmark = pytest.mark.skipif(shutil.which("dash") is None, reason="dash is not installed (Debian: dash)")

Finished = subprocess.CompletedProcess[str]
Write = Callable[..., bytes]

# Says what it was given, in hexadecimal digits: words, variables, directory, umask and standard input.
_WITNESS = """\
import json, os, sys
mask = os.umask(0)
told = {"argv": [os.fsencode(word).hex() for word in sys.argv[1:]],
        "env": {name.hex(): value.hex() for name, value in os.environb.items()},
        "cwd": os.getcwdb().hex(), "umask": mask, "stdin": sys.stdin.buffer.read().hex()}
os.write(int(os.environ.get("OUT", "1")), json.dumps(told).encode())
"""
_CAPTURED = {"PATH": "/usr/bin:/bin", "PYTHONUTF8": "1", "LC_ALL": "C.UTF-8"}

_text = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20
) | st.sampled_from(
    [
        "'",
        '"',
        "\\",
        "$x",
        "`id`",
        "\n",
        "a\nb\n",
        "-n",
        "=",
        "a=b",
        "!",
        "~",
        "*",
        "\\n\\0",
        "%s",
        "Á\n",
        "\x88Â\n",
    ]
)
_bytes = (
    st.binary(min_size=1, max_size=12)
    .filter(lambda data: b"\0" not in data)
    .map(lambda data: data.decode("utf-8", "surrogateescape"))
)
_names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.%-]{0,8}", fullmatch=True).filter(
    lambda name: name not in {"OUT", "_", *_CAPTURED} and not name.startswith(("JOBRUN_", "PYTHON", "LC_"))
)


@pytest.fixture
def written(store: Store) -> Write:
    """Return the script of a new job."""

    def write(*, show_secrets: bool = True, **job: Any) -> bytes:
        return _script_of(store, NewJob(**job), show_secrets=show_secrets)

    return write


def _script_of(store: Store, new: NewJob, *, show_secrets: bool = True) -> bytes:
    [added] = store.intake.add([new], now=datetime.now(UTC))
    job = store.ledger.get(added.id)
    assert isinstance(job, Job)
    order = order_again(store, job)
    return as_bytes(script(job, order, variables(order, store.path), show_secrets=show_secrets))


def _run(text: bytes, folder: Path, **environ: str) -> subprocess.CompletedProcess[bytes]:
    (folder / "script").write_bytes(text)
    return subprocess.run(
        ["dash", str(folder / "script")],
        env={"PATH": "/usr/bin:/bin", "OF_THE_CALLER": "1", **environ},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )


def _around(environment: Mapping[str, str], cwd: str = "/", umask: int | None = 0o027) -> Surroundings:
    return Surroundings(cwd=cwd, umask=umask, environment={**_CAPTURED, **environment})


def _hex(text: str) -> str:
    return as_bytes(text).hex()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with open_store(tmp_path_factory.mktemp("scripts") / "jobs.db", create=True) as opened:
        yield opened


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.lists(_text, max_size=4),
    environment=st.dictionaries(_names, _text | _bytes, max_size=4),
    place=_bytes.filter(lambda name: "/" not in name and name not in {".", ".."}),
    stdin=st.none() | _text | st.just("a\0b%\\"),
)
def test_words_variables_directory_and_input_arrive_unchanged(
    shared: Store, *, words: list[str], environment: dict[str, str], place: str, stdin: str | None
) -> None:
    folder = shared.path.parent
    where = folder / os.fsdecode(as_bytes(place))
    where.mkdir(exist_ok=True)
    job = NewJob(
        kind=Kind.COMMAND,
        task="witness",
        args=(sys.executable, "-c", _WITNESS, *words),
        surroundings=_around(environment, os.fsencode(where).decode("utf-8", "surrogateescape")),
        terms=Terms(stdin=stdin),
    )

    done = _run(_script_of(shared, job), folder)

    assert (done.returncode, done.stderr) == (0, b"")
    told = json.loads(done.stdout)
    assert told["argv"] == [_hex(word) for word in words]
    assert told["cwd"] == os.fsencode(where).hex()
    assert told["umask"] == 0o027
    assert told["stdin"] == _hex(stdin or "")
    found = {
        name: value for name, value in told["env"].items() if not bytes.fromhex(name).startswith(b"JOBRUN_")
    }
    assert found == {_hex(name): _hex(value) for name, value in {**_CAPTURED, **environment}.items()}


def test_a_job_finds_its_own_variables_but_not_the_mark_of_an_attempt(written: Write, tmp_path: Path) -> None:
    text = written(kind=Kind.SHELL, task="env | grep ^JOBRUN_ | sort", name="n", surroundings=_around({}))

    names = [line.partition(b"=")[0].decode() for line in _run(text, tmp_path).stdout.splitlines()]

    assert names == [f"JOBRUN_{name}" for name in ("ATTEMPT", "DB", "ID", "MAX_ATTEMPTS", "NAME", "QUEUE")]


def test_a_shell_line_is_run_by_sh_and_its_code_is_that_of_the_script(written: Write, tmp_path: Path) -> None:
    text = written(kind=Kind.SHELL, task='echo "it\'s $0"\nexit 7', surroundings=_around({}))

    done = _run(text, tmp_path)

    assert (done.returncode, done.stdout) == (7, b"it's /bin/sh\n")


def test_a_command_whose_name_has_an_equals_sign_is_run(written: Write, tmp_path: Path) -> None:
    program = tmp_path / "a=b"
    program.write_text("#!/bin/sh\necho ran $1\n")
    program.chmod(0o755)

    done = _run(
        written(kind=Kind.COMMAND, task="x", args=(str(program), "1"), surroundings=_around({})), tmp_path
    )

    assert done.stdout == b"ran 1\n"


def test_a_here_document_ends_where_the_input_does(written: Write, tmp_path: Path) -> None:
    stdin = "END\n$HOME `id` \\\nEND_\n"
    text = written(kind=Kind.SHELL, task="cat", surroundings=_around({}), terms=Terms(stdin=stdin))

    assert b"<<'END__'" in text
    assert _run(text, tmp_path).stdout.decode() == stdin


@pytest.mark.parametrize("task", ["app:tell", "app:later", "app:Holder.tell"])
def test_a_call_is_made_with_its_arguments_as_a_worker_would_import_it(
    written: Write, tmp_path: Path, task: str
) -> None:
    (tmp_path / "app.py").write_text(
        "import os\n"
        "def tell(*args, **kwargs): print(repr((args, kwargs)), os.environ['COLOUR'], os.environ['OF_THE_CALLER'])\n"
        "async def later(*args, **kwargs): tell(*args, **kwargs)\n"
        "class Holder: tell = staticmethod(tell)\n"
    )
    args: tuple[Any, ...] = ("it's", None, [1.5, {"a": "\n$x"}])

    done = _run(
        written(
            kind=Kind.CALL,
            task=task,
            args=args,
            kwargs={"ü": "ü"},
            surroundings=Surroundings(cwd="/", umask=None, environment={"COLOUR": "red"}),
        ),
        tmp_path,
        PYTHONUTF8="1",
    )

    assert done.stderr == b""
    assert done.stdout.decode() == f"{(args, {'ü': 'ü'})!r} red 1\n"


def test_hidden_values_are_named_and_the_script_stops_without_them(written: Write, tmp_path: Path) -> None:
    around = _around({"API_TOKEN": "t0p", "my-password": "s3cret", "COLOUR": "red"})
    job: dict[str, Any] = {
        "kind": Kind.COMMAND,
        "task": "env",
        "args": ("env",),
        "surroundings": around,
    }
    text = written(**job, show_secrets=False)

    without = _run(text, tmp_path)
    given = _run(text, tmp_path, API_TOKEN="mine", hidden_2="and 'mine'")

    assert b"t0p" not in text
    assert b"s3cret" not in text
    assert (without.returncode, without.stdout) == (2, b"")
    assert b"API_TOKEN: is not shown here; set it" in without.stderr
    assert {b"API_TOKEN=mine", b"my-password=and 'mine'", b"COLOUR=red"} <= set(given.stdout.splitlines())
    assert b"API_TOKEN=t0p" in _run(written(**job), tmp_path).stdout


def test_hidden_arguments_stop_the_script(written: Write, tmp_path: Path) -> None:
    call: dict[str, Any] = {
        "kind": Kind.CALL,
        "task": "json:dumps",
        "kwargs": {"obj": 1, "password": "s3cret"},
    }

    text = written(**call, show_secrets=False)
    done = _run(text, tmp_path)

    assert b"s3cret" not in text
    assert done.returncode == 125
    assert b"some arguments are hidden" in done.stderr
    assert b"s3cret" in written(**call)


def test_a_directory_that_is_gone_ends_the_script(written: Write, tmp_path: Path) -> None:
    done = _run(written(kind=Kind.SHELL, task="true", surroundings=_around({}, "/nonexistent")), tmp_path)

    assert done.returncode == 126


@pytest.mark.skipif(
    shutil.which("shellcheck") is None, reason="shellcheck is not installed (Debian: shellcheck)"
)
def test_shellcheck_finds_nothing(written: Write, tmp_path: Path) -> None:
    around = _around({"API_TOKEN": "t0p", "ODD": "it's $x \\ `id`", "a-secret": "x"})
    scripts = [
        written(kind=Kind.SHELL, task="echo '$x' \"$x\"", surroundings=around, show_secrets=False),
        written(kind=Kind.COMMAND, task="x", args=("a=b", "*", "~", "it's"), surroundings=around),
        written(kind=Kind.SHELL, task="cat", surroundings=around, terms=Terms(stdin="a\n$x\n")),
        written(kind=Kind.SHELL, task="cat", surroundings=around, terms=Terms(stdin="a%\\ $x")),
        written(kind=Kind.CALL, task="app:f", args=("$x",), kwargs={"password": 1}, show_secrets=False),
        written(kind=Kind.CALL, task="app:f", surroundings=around),
    ]
    files = []
    for number, text in enumerate(scripts):
        files.append(tmp_path / f"{number}.sh")
        files[-1].write_bytes(text)

    done = subprocess.run(["shellcheck", *files], capture_output=True, text=True, check=False)

    assert done.stdout == ""


def test_the_command_prints_it(
    jobrun: Callable[..., Finished], add: Callable[..., Job], tmp_path: Path
) -> None:
    where = os.fsdecode(b"/tmp/\xff")
    job = add("echo hi", kind=Kind.SHELL, surroundings=Surroundings(cwd=where, umask=0o22, environment={}))

    done = subprocess.run(
        [sys.executable, "-m", "jobrun", "inspect", str(job.id), "--sh"],
        env={**os.environ, "JOBRUN_DB": str(tmp_path / "jobs.db")},
        capture_output=True,
        check=True,
    )

    assert done.stdout.startswith(b"#!/bin/sh\n")
    assert b"cd -- '/tmp/\xff' || exit 126\n" in done.stdout
    assert jobrun("inspect", str(job.id), "--sh", "--json").returncode == 2
