import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobrun.model import State
from jobrun.store import Store, open_store

Finished = subprocess.CompletedProcess[str]
Run = Callable[..., Finished]


def sh(line: str, environ: dict[str, str], *, text: str = "") -> Finished:
    """Run a line of bash in which `jobrun` is this program."""
    script = f'jobrun() {{ "{sys.executable}" -m jobrun "$@"; }}; {line}'
    return subprocess.run(
        ["bash", "-c", script],
        env=environ,
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_first_job_makes_the_file_and_says_what_was_understood(jobrun: Run, path: Path) -> None:
    done = jobrun("enqueue", "mymod:func", "2", "name=x", "-Q", "mail")

    assert (done.returncode, done.stdout) == (0, 'job 1 queued: mymod:func(2, name="x") on mail, due now\n')
    assert done.stderr == f"jobrun: new job file at {path}\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_id_printed_is_that_of_a_stored_job(jobrun: Run, path: Path) -> None:
    printed = jobrun("enqueue", "m:f", "-q").stdout

    with open_store(path) as store:
        job = store.ledger.get(int(printed))
    assert job is not None
    assert job.state is State.READY


def test_json_is_the_whole_job(jobrun: Run) -> None:
    job = json.loads(
        jobrun("enqueue", "m:f", "1", "--json", "--tag", "a", "--eta", "2030-01-01T00:00Z").stdout
    )

    assert (job["id"], job["state"], job["args"], job["tags"]) == (1, "scheduled", [1], ["a"])
    assert job["run_at"] == "2030-01-01T00:00:00.000Z"


def test_a_later_time_is_echoed_both_ways(jobrun: Run) -> None:
    assert "due in 5m (20" in jobrun("enqueue", "m:f", "--in", "5m").stdout


def test_a_time_in_the_past_runs_now_and_says_so(jobrun: Run) -> None:
    done = jobrun("enqueue", "m:f", "--eta", "2020-01-01 00:00", TZ="Europe/Berlin")

    assert done.returncode == 0
    assert "2020-01-01 00:00:00 CET is in the past: runs now" in done.stderr
    assert "due now" in done.stdout


def test_a_taken_key_is_answered_with_the_job_that_has_it(jobrun: Run, store: Store) -> None:
    jobrun("enqueue", "m:f", "--key", "k")
    again = jobrun("enqueue", "m:f", "--key", "k", "-q")

    assert (again.returncode, again.stdout) == (0, "1\n")
    assert "already queued as job 1" in again.stderr
    assert sum(store.ledger.counts().values()) == 1


def test_two_who_ask_with_one_key_at_the_same_moment_get_one_job(jobrun: Run) -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: jobrun("enqueue", "m:f", "--key", "k", "-q"), range(4)))

    assert [(each.returncode, each.stdout) for each in done] == [(0, "1\n")] * 4


def test_a_shell_line_keeps_directory_umask_and_environment_of_its_caller(
    environ: dict[str, str], path: Path, tmp_path: Path
) -> None:
    around = {**environ, "COLOUR": "r\u00f6d", "TERM": "xterm", "SSH_AUTH_SOCK": "/x", "JOBRUN_ATTEMPT": "9"}

    sh(f"cd {tmp_path}; umask 027; jobrun enqueue --shell 'echo hi'", around)

    with open_store(path) as store:
        job = store.ledger.get(1)
        assert job is not None
        assert job.environment is not None
        kept = store.ledger.environment(job.environment)
    assert (job.cwd, job.umask) == (str(tmp_path), 0o027)
    assert kept["COLOUR"] == "r\u00f6d"
    assert not {"TERM", "SSH_AUTH_SOCK", "SHLVL", "JOBRUN_ATTEMPT", "JOBRUN_DB"} & kept.keys()


def test_a_batch_is_queued_in_the_order_of_its_lines(jobrun: Run) -> None:
    done = jobrun("enqueue", "--batch", "-", "-q", text='m:f 1\n\n{"task": "m:g"}\n--shell "echo x"\n')

    assert (done.returncode, done.stdout) == (0, "1\n2\n3\n")


def test_a_batch_with_bad_lines_queues_nothing_and_names_them_all(jobrun: Run, path: Path) -> None:
    done = jobrun("enqueue", "--batch", "-", text="m:f\nm\nm:g --x\n")

    assert (done.returncode, done.stdout) == (2, "")
    assert "2 lines are wrong, so nothing was queued\nline 2:" in done.stderr
    assert "\nline 3:" in done.stderr
    assert not path.exists()


def test_programs_hear_of_the_bad_lines_of_a_batch_too(jobrun: Run) -> None:
    done = jobrun("enqueue", "--json", "--batch", "-", text="m:f\nm\n")

    error = json.loads(done.stdout)["error"]
    assert error["message"] == "1 line is wrong, so nothing was queued"
    assert error["details"] == ["line 2: target `m` needs a `:` between module and function"]


def test_a_call_that_passes_its_check_is_queued(jobrun: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("print('imported')\ndef func(a): ...\n")

    done = jobrun("enqueue", "--check", "mine:func", "1", "-q")

    assert (done.returncode, done.stdout) == (0, "1\n")


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("mine:func", "`mine:func` does not take these arguments: missing a required argument: 'a'"),
        ("mine:fnc", "`mine:fnc`: there is no `fnc`; did you mean `func`?"),
        ("nothere:func", "cannot import `nothere`: ModuleNotFoundError: No module named 'nothere'"),
        ("leaves:func", "the process that imported `leaves:func` ended with 0"),
    ],
)
def test_a_call_that_fails_its_check_is_not_queued(
    target: str, why: str, jobrun: Run, tmp_path: Path, path: Path
) -> None:
    (tmp_path / "mine.py").write_text("def func(a): ...\n")
    (tmp_path / "leaves.py").write_text("import os\nos._exit(0)\n")

    done = jobrun("enqueue", "--check", target)

    assert (done.returncode, done.stdout) == (2, "")
    hint = "hint: nothing was queued; without --check it would be"
    assert done.stderr == f"jobrun: --check: {why}\n{hint}\n"
    assert not path.exists()


def test_a_check_imports_nothing_that_everybody_can_write(jobrun: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("raise SystemExit('run')")
    tmp_path.chmod(0o777)

    done = jobrun("enqueue", "--check", "mine:func", "--db", "/nowhere/jobs.db")

    assert (done.returncode, done.stdout) == (5, "")
    assert "can be written by everybody" in done.stderr


def test_what_lies_in_the_working_directory_is_not_run(environ: dict[str, str], tmp_path: Path) -> None:
    for name in ("json", "sqlite3", "typing", "mymod"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('run')")
    script = (
        "import sys; sys.argv = ['jobrun', 'enqueue', 'mymod:f', '-q']; import jobrun.__main__ as m; m.main()"
    )

    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "1\n")


def test_enqueue_loads_none_of_the_libraries_that_are_slow(environ: dict[str, str]) -> None:
    script = (
        "import sys; from jobrun.cli.door import run; run(['enqueue', 'm:f']);"
        "print(sorted({'typer', 'click', 'rich', 'filelock', 'sqlite_utils', 'zoneinfo', 'subprocess', 'shlex'}"
        " & sys.modules.keys()))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=False
    )

    assert done.stdout.splitlines()[-1] == "[]"


def test_help_is_a_page_and_opens_nothing(jobrun: Run, path: Path) -> None:
    done = jobrun("enqueue", "--help")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: jobrun enqueue MODULE:FUNCTION")
    assert not path.exists()


@pytest.mark.parametrize("columns", ["60", "80", "160"])
def test_the_options_of_the_help_fit_the_terminal(columns: str, jobrun: Run) -> None:
    page = jobrun("enqueue", "--help", COLUMNS=columns).stdout

    options = page[page.index("What to run:") : page.index("Examples:")]
    assert max(map(len, options.splitlines())) <= int(columns)
    assert max(map(len, page.splitlines())) <= 80 or columns == "160"


@pytest.mark.parametrize("words", [["--db", "{}", "enqueue", "m:f"], ["enqueue", "m:f", "--db={}"]])
def test_the_job_file_may_be_named_before_and_after_the_command(
    words: list[str], jobrun: Run, tmp_path: Path, path: Path
) -> None:
    other = tmp_path / "\u00f6ther.db"

    assert jobrun(*(word.format(other) for word in words)).returncode == 0

    assert other.exists()
    assert not path.exists()


@pytest.mark.parametrize(
    ("words", "code"), [(["enqueue"], 2), (["enqueue", "mymod"], 2), (["--db"], 2), (["enque", "m:f"], 2)]
)
def test_a_mistake_is_one_line_and_a_hint_and_the_file_is_left_alone(
    words: list[str], code: int, jobrun: Run, path: Path
) -> None:
    done = jobrun(*words)

    assert (done.returncode, done.stdout) == (code, "")
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["jobrun", "hint"]
    assert not path.exists()


def test_with_json_a_mistake_is_an_object_too(jobrun: Run) -> None:
    told = json.loads(jobrun("enqueue", "mymod", "--json").stdout)

    assert told["error"]["code"] == 2
    assert "needs a `:`" in told["error"]["message"]


def test_a_message_never_carries_control_characters(jobrun: Run) -> None:
    told = jobrun("enqueue", "mod:f\x1b[31m\n").stderr

    assert r"`mod:f\x1b[31m" in told
    assert "\x1b" not in told


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ("jobrun enqueue m:f $'\\xff'", 2, "argument 3 is not valid UTF-8"),
        ("jobrun enqueue m:f --args - <&-", 2, "standard input is closed"),
        ("jobrun enqueue m:f --args @/nowhere", 2, "cannot read `/nowhere`: no such file"),
        ("jobrun enqueue m:f --args @/", 2, "it is a directory"),
        ("head -c 2M /dev/zero | jobrun enqueue m:f --args -", 2, "more than 1 MiB"),
        ("jobrun enqueue m:f --args @/dev/zero", 2, "more than 1 MiB"),
        ("jobrun enqueue m:f >&-", 1, "cannot write output"),
        ("jobrun enqueue m:f >/dev/full", 1, "job 1 is queued all the same"),
        *(
            (f"jobrun enqueue m:f -q >&2; ulimit -n {n}; jobrun {verb}", 4, "too few file descriptors")
            for n in (5, 6)
            for verb in ("enqueue m:f", "list", "worker --burst -n 1")
        ),
        ("ulimit -n 16; jobrun worker --burst -n 1", 4, "1 worker needs 36, and the limit is 16"),
        ("jobrun --version >/dev/full", 1, "cannot write output"),
        (
            "mkdir gone; cd gone; rmdir ../gone; jobrun enqueue --shell ls",
            2,
            "working directory does not exist",
        ),
        ("TZ=Nonsense/Zone jobrun enqueue m:f --eta 10:00", 2, "`TZ` names no time zone: `Nonsense/Zone`"),
        ("env -u JOBRUN_DB -u HOME bash -c '\"$0\" -m jobrun status' " + sys.executable, 2, "HOME"),
    ],
)
def test_what_the_shell_around_it_does_wrong_is_said_in_one_line(
    line: str, code: int, told: str, environ: dict[str, str], tmp_path: Path
) -> None:
    if os.geteuid() == 0 and told == "HOME":
        pytest.skip("root has a job file without a home")

    done = sh(f"cd {tmp_path}; {line}", environ)

    assert done.returncode == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_pipe_that_nobody_reads_ends_it_quietly(environ: dict[str, str]) -> None:
    done = sh("jobrun enqueue --help | true; echo ${PIPESTATUS[0]}", environ)

    assert done.stdout in {"141\n", "0\n"}
    assert done.stderr == ""


def test_a_fifo_that_nobody_writes_to_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jobrun.cli import caller  # noqa: PLC0415 -- its patience is shortened
    from jobrun.errors import UsageError  # noqa: PLC0415

    monkeypatch.setattr(caller, "PATIENCE_S", 0.05)
    os.mkfifo(tmp_path / "fifo")

    with pytest.raises(UsageError, match="nothing was written to it"):
        caller.read_text(str(tmp_path / "fifo"))


@pytest.mark.parametrize("more", [{"LANG": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}])
def test_a_locale_without_letters_spoils_nothing(more: dict[str, str], jobrun: Run, path: Path) -> None:
    done = jobrun("enqueue", "m:f", "gr\u00fc\u00df", **more)

    assert done.returncode == 0
    assert r"gr\xfc\xdf" in done.stdout
    with open_store(path) as store:
        job = store.ledger.get(1)
    assert job is not None
    assert job.args == ("gr\u00fc\u00df",)


def test_standard_input_that_is_a_terminal_is_not_waited_for(terminal: Callable[..., str]) -> None:
    assert "standard input is a terminal" in terminal("enqueue", "m:f", "--args", "-")


def test_an_interrupt_leaves_an_id_printed_and_a_job_or_neither(environ: dict[str, str], path: Path) -> None:
    for delay in (0.02, 0.04, 0.05, 0.06, 0.08):
        with subprocess.Popen(
            [sys.executable, "-m", "jobrun", "enqueue", "m:f", "-q"],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=-3,
        ) as child:
            time.sleep(delay)  # the moment of the signal is what is tried here
            child.send_signal(signal.SIGINT)
            printed = child.communicate(timeout=60)[0].split()

        found = []
        if path.exists():
            with open_store(path) as store:
                found = [number for number in range(1, 9) if store.ledger.get(number)]
        assert [int(number) for number in printed] == found
        path.unlink(missing_ok=True)
        for side in ("-wal", "-shm"):
            path.with_name(path.name + side).unlink(missing_ok=True)


def test_a_directory_of_any_name_is_no_fault(environ: dict[str, str], jobrun: Run, tmp_path: Path) -> None:
    (tmp_path / "caf\udce9").mkdir()
    done = sh(f"cd {tmp_path}/caf*; jobrun enqueue -q --shell pwd", environ)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr

    shown = jobrun("inspect", "1")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "/caf\\udce9" in shown.stdout.replace("\n", "")
    assert json.loads(jobrun("inspect", "1", "--json").stdout)["cwd"].endswith("/caf\udce9")


@pytest.mark.parametrize(
    "words",
    [
        ["password=CANARY", "key=7", "token=true"],
        ["password=CANARY", "key=7", "token=true", "--in", "5m"],
        ["password=1234567", "key=7", "token=true"],
        ["--kwargs", '{"password": ["CANARY"], "key": 7, "token": true}'],
    ],
)
def test_the_echo_hides_what_is_called_a_secret_and_keeps_it(
    words: list[str], jobrun: Run, store: Store
) -> None:
    done = jobrun("enqueue", "m:f", *words)

    assert done.stdout.startswith('job 1 queued: m:f(password="[hidden]", key=7, token='), done
    job = store.ledger.get(1)
    assert job is not None
    assert job.kwargs["password"] in ("CANARY", 1234567, ["CANARY"])
