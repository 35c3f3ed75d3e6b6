"""install.sh: under the smallest shells, in awkward places, and cut short."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "install.sh"
SHELLS = [["dash"], ["busybox", "sh"], ["bash", "--posix"]]


@pytest.fixture(params=SHELLS, ids=" ".join)
def shell(request: pytest.FixtureRequest) -> list[str]:
    words: list[str] = request.param
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    return words


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "a home"
    path.mkdir()
    return path


def run(words: Sequence[str | Path], home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in words],
        env=os.environ | {"HOME": str(home), "XDG_CONFIG_HOME": "", "JOBRUN_DB": ""} | variables,
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize(
    "script", [SCRIPT, ROOT / ".ci" / "run", ROOT / "tests" / "versions.sh"], ids=lambda path: path.name
)
def test_shellcheck_finds_nothing(script: Path) -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")

    found = subprocess.run(["shellcheck", script], capture_output=True, text=True, check=False)

    assert found.stdout == ""


def test_a_dry_run_says_what_it_would_do_and_changes_nothing(shell: list[str], home: Path) -> None:
    done = run([*shell, SCRIPT, "--dry-run"], home)

    assert (done.returncode, done.stderr) == (0, "")
    assert f"-m venv --clear '{home}/.local/share/jobrun/venv'" in done.stdout
    assert tree(home) == []


def test_a_dry_run_says_which_services_of_the_host_it_would_install(shell: list[str], home: Path) -> None:
    done = run([*shell, SCRIPT, "--systemd", "--dry-run"], home)

    assert (done.returncode, done.stderr) == (0, "")
    for service in ("worker", "cron"):
        command = f"/usr/local/bin/jobrun systemd {service}"
        assert f"{command} > /etc/systemd/system/jobrun-{service}.service\n" in done.stdout
    assert tree(home) == []


@pytest.mark.parametrize(
    "words",
    [
        ["frob"],
        ["--frob"],
        ["--prefix"],
        ["--user"],
        ["try", "me"],
        ["--dry-run", "test"],
        ["--dry-run", "bench"],
        ["--systemd", "try"],
    ],
    ids=" ".join,
)
def test_a_word_it_does_not_know_is_a_usage_error(shell: list[str], home: Path, words: list[str]) -> None:
    done = run([*shell, SCRIPT, *words], home)

    assert done.returncode == 2
    assert done.stderr.startswith("install.sh: `")
    assert done.stderr.count("\n") == 2
    assert tree(home) == []


def test_without_a_home_it_asks_for_a_prefix(shell: list[str], home: Path) -> None:
    done = run([*shell, SCRIPT], home, HOME="")

    assert done.returncode == 2
    assert "--prefix DIR" in done.stderr


def test_a_python_that_is_unfit_is_named(home: Path, tmp_path: Path) -> None:
    old = tmp_path / "python2"
    old.write_text("#!/bin/sh\necho 'is Python 2.7, and jobrun needs 3.11 or newer'\n")
    old.chmod(0o755)

    done = run([SCRIPT], home, PYTHON=str(old))

    assert done.returncode == 1
    assert done.stderr.startswith(
        f"install.sh: `{old}` is Python 2.7, and jobrun needs 3.11 or newer\nhint: "
    )
    assert tree(home) == []


def test_a_debian_python_without_venv_names_the_package(home: Path, tmp_path: Path) -> None:
    bare = tmp_path / "python3"
    bare.write_text("#!/bin/sh\necho '(Python 3.11) lacks the module ensurepip'\n")
    bare.chmod(0o755)

    done = run([SCRIPT], home, PYTHON=str(bare))

    assert done.returncode == 1
    assert "apt-get install python3-venv" in done.stderr


def test_a_jobrun_of_somebody_else_is_left_alone(home: Path) -> None:
    other = home / ".local" / "bin" / "jobrun"
    other.parent.mkdir(parents=True)
    other.write_text("mine")

    done = run([SCRIPT], home)

    assert done.returncode == 1
    assert f"`{other}` exists and is not ours" in done.stderr
    assert other.read_text() == "mine"


def test_a_unit_of_somebody_else_is_left_alone(home: Path) -> None:
    other = home / ".config" / "systemd" / "user" / "jobrun-cron.service"
    other.parent.mkdir(parents=True)
    other.write_text("[Service]\n")

    done = run([SCRIPT, "--systemd", "--user"], home)

    assert done.returncode == 1
    assert f"`{other}` exists and is not ours" in done.stderr
    assert not (home / ".local").exists()


def test_a_script_that_was_cut_short_does_nothing(tmp_path: Path, home: Path) -> None:
    checkout = tmp_path / "checkout"
    (checkout / "jobrun").mkdir(parents=True)
    shutil.copy(ROOT / "pyproject.toml", checkout)
    script = SCRIPT.read_bytes()
    last_line = script.rstrip(b"\n").rfind(b"\n") + 1
    ends_of_lines = [at + 1 for at, byte in enumerate(script[:last_line]) if byte == ord("\n")]
    inside_the_last_line = range(last_line, len(script.rstrip(b"\n")))
    cut = checkout / "install.sh"
    before = tree(home)

    for length in [*ends_of_lines, *inside_the_last_line]:
        cut.write_bytes(script[:length])
        done = run(["sh", cut, "--prefix", home / "here", "--dry-run"], home)

        assert done.stdout == "", f"cut after {length} bytes it said {done.stdout!r}"

    assert tree(home) == before


@pytest.fixture
def no_systemd(tmp_path: Path) -> str:
    """Return a PATH whose systemctl does nothing: the real one would stop the services of who runs the tests."""
    stand_in = tmp_path / "bin" / "systemctl"
    stand_in.parent.mkdir()
    stand_in.write_text("#!/bin/sh\n")
    stand_in.chmod(0o755)
    return f"{stand_in.parent}:{os.environ['PATH']}"


@pytest.mark.process
def test_what_is_installed_works_and_uninstall_leaves_the_table(home: Path, no_systemd: str) -> None:
    prefix, config = home / "my programs", home / ".config"
    table = config / "jobrun" / "jobs.toml"
    table.parent.mkdir(parents=True)
    words: list[str | Path] = [SCRIPT, "--prefix", prefix, "--systemd", "--user"]
    installed = run(words, home, PATH=no_systemd)
    if "pip could not install" in installed.stderr:
        pytest.skip(f"no packages can be installed here: {installed.stderr.splitlines()[0]}")
    command = prefix / "bin" / "jobrun"

    answer = run([command, "--help"], home)
    units = [path.read_text() for path in sorted((config / "systemd" / "user").iterdir())]
    checked = run([command, "cron", "check", table], home)
    pages = tree(prefix / "share" / "man")
    table.write_text("# mine\n")
    again = run(words, home, PATH=no_systemd)
    removed = run([SCRIPT, "--prefix", prefix, "uninstall"], home, PATH=no_systemd)

    assert (installed.returncode, answer.returncode, again.returncode) == (0, 0, 0), (
        installed.stderr + answer.stderr + again.stderr
    )
    assert f'export PATH="{prefix}/bin:$PATH"' in installed.stdout
    assert "enqueue" in answer.stdout
    assert [f'ExecStart="{command}" ' in unit for unit in units] == [True, True]
    assert checked.stdout.startswith(f"{table}: 0 entries, ok\n"), checked.stderr
    assert "man1/jobrun.1" in pages
    assert (removed.returncode, removed.stderr) == (0, "")
    assert not prefix.exists()
    assert [table, table.read_text()] == [*config.rglob("*.toml"), "# mine\n"]
    assert not (config / "systemd").exists()
