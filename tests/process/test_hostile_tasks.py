"""Whatever a task does ends its own job, as described, and harms nobody else."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from jobrun.model import Attempt, Job, Outcome, State
from tests.process.site import Site, eventually

pytestmark = pytest.mark.process

MODULES = {
    "import_raises": "raise ValueError('at import')",
    "import_exits": "import sys; sys.exit(3)",
    "bad_syntax": "def f(:",
    "null_byte": "x = '\0'",
    "circular_one": "from circular_two import g; f = g",
    "import_hangs": "import time; time.sleep(600)",
    "import_leaves_a_thread": (
        "import threading; gone = threading.Event(); threading.Thread(target=gone.wait).start(); f = gone.set"
    ),
    "circular_two": "from circular_one import f; g = f",
}
NOBODY = 65534
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
OK, FAILED, CRASHED = State.SUCCEEDED, State.FAILED, State.CRASHED


def ended(site: Site, task: str, *args: Any, **options: Any) -> tuple[Job, Attempt]:
    job_id = site.call(task, *args, **options)
    return site.wait(job_id), site.last(job_id)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Give all tests here one group, so large that no place in it dies twice and waits longer."""
    site = Site(tmp_path_factory.mktemp("hostile"))
    for name, text in MODULES.items():
        (site.folder / "tasks" / f"{name}.py").write_text(text + "\n")
    site.start(n=8)
    eventually(lambda: len(site.store.workers.all()) == 8)
    yield site
    site.close()


@pytest.fixture(autouse=True)
def others_are_unharmed(served: Site) -> Iterator[None]:
    """Run a calm job beside and one after each disaster; all workers are there in the end."""
    calm = served.call("works", 0.02)
    yield
    assert served.wait(calm).attempt == 1
    assert served.job(calm).state is OK
    assert served.wait(served.call("echo", 7)).result == "7"
    eventually(served.groups[0].workers)


@pytest.mark.parametrize(
    ("what", "note"),
    [
        ("set", "result of type `set` is not JSON: {1, 2}"),
        ("bytes", "result of type `bytes` is not JSON: b'\\xff'"),
        ("object", "result of type `object` is not JSON: <object object at "),
        ("NaN", "result of type `float` is not JSON: nan"),
        ("circle", "result of type `list` is not JSON: [[...]]"),
        ("NoRepr", "result of type `NoRepr` is not JSON: <__repr__ raised ValueError>"),
        ("huge", "result of 10,000,002 bytes is over the limit of 1,048,576, not kept"),
    ],
)
def test_a_result_that_cannot_be_kept_is_noted_and_fails_nothing(served: Site, what: str, note: str) -> None:
    job, attempt = ended(served, "returns", what)

    assert (job.state, job.result) == (OK, None)
    assert (attempt.ending.note or "").startswith(note)


def test_a_result_whose_repr_hangs_is_under_the_time_limit(served: Site) -> None:
    job, attempt = ended(served, "returns", "SlowRepr", timeout_s=0.2)

    assert (job.state, attempt.ending.outcome) == (FAILED, Outcome.TIMEOUT)


@pytest.mark.parametrize(
    ("code", "state", "cause"),
    [
        ((), OK, None),
        ((0,), OK, None),
        ((None,), OK, None),
        ((3,), FAILED, "exit 3"),
        ((259,), FAILED, "exit 3"),
        (("no paper",), FAILED, "exit 1: no paper"),
    ],
)
def test_sys_exit_is_read_as_the_interpreter_reads_it(
    served: Site, code: tuple[Any, ...], state: State, cause: str | None
) -> None:
    job, attempt = ended(served, "exits", *code)

    assert (job.state, attempt.ending.cause) == (state, cause)


@pytest.mark.parametrize(
    ("task", "args", "cause"),
    [
        ("leaves", (0,), "worker ended without a result (exit 0)"),
        ("leaves", (7,), "worker ended without a result (exit 7)"),
        ("dies_by", (signal.SIGSEGV,), "worker killed by SIGSEGV"),
        ("dies_by", (signal.SIGKILL,), "worker killed by SIGKILL"),
        ("aborts", (), "worker killed by SIGABRT"),
        ("kills_its_session", (), "worker killed by SIGKILL"),
        ("closes_all_descriptors", (), "worker ended without a result"),
    ],
)
def test_a_task_that_ends_its_worker_has_crashed_with_the_cause(
    served: Site, task: str, args: tuple[Any, ...], cause: str | tuple[str, ...]
) -> None:
    job, attempt = ended(served, task, *args)

    assert job.state is CRASHED
    assert (attempt.ending.cause or "").startswith(cause)


@pytest.mark.parametrize(
    ("task", "args", "cause"),
    [
        ("raises", ("KeyboardInterrupt",), "KeyboardInterrupt"),
        ("raises", ("GeneratorExit",), "GeneratorExit"),
        ("raises", ("OwnBase",), "disasters.OwnBase"),
        ("raises", ("OwnExit",), "exit 7"),
        ("raises", ("odd",), "ValueError: (<object object at "),
        ("raises", ("NoText",), "disasters.NoText: <__str__ raised ValueError>"),
        ("raises", ("Permanent",), "Permanent: never"),
        ("raises", ("Retry",), "Retry: later"),
        ("recurses", (), "RecursionError: maximum recursion depth exceeded"),
        ("raises_a_long_chain", (), "ValueError: 9999"),
        ("raises_a_cycle", (), "ValueError: first"),
        ("wants_memory", (), "MemoryError"),
        ("reads_input", (), "EOFError: EOF when reading a line"),
        ("opens_the_terminal", (), "OSError: [Errno 6]"),
        ("takes_two", (1,), "TypeError: takes_two() missing 1 required positional argument"),
        ("missing", (), "AttributeError: `disasters:missing`: there is no `missing`"),
        ("shrt", (), "AttributeError: `disasters:shrt`: there is no `shrt`; did you mean `short`?"),
        ("AClass", (), "TypeError: `disasters:AClass` is a class; name a function"),
        ("CONSTANT", (), "TypeError: `disasters:CONSTANT` is a int, not a function"),
        ("generator", (), "TypeError: `disasters:generator` is a generator function"),
        ("returns_a_generator", (), "TypeError: the task returned a generator"),
        ("no_such_module:f", (), "ModuleNotFoundError: No module named 'no_such_module'"),
        ("import_raises:f", (), "ValueError: at import"),
        ("import_exits:f", (), "SystemExit: 3"),
        ("bad_syntax:f", (), "SyntaxError: "),
        ("null_byte:f", (), ("SyntaxError: source code", "ValueError: source code")),  # as the version has it
        ("circular_one:f", (), "ImportError: cannot import name"),
    ],
)
def test_a_task_that_fails_says_why_and_keeps_its_worker(
    served: Site, task: str, args: tuple[Any, ...], cause: str | tuple[str, ...]
) -> None:
    before = [row.name for row in served.store.workers.all()]

    job, attempt = ended(served, task, *args)

    assert job.state is FAILED
    assert (attempt.ending.cause or "").startswith(cause), attempt.ending
    assert [row.name for row in served.store.workers.all()] == before


@pytest.mark.parametrize(
    ("task", "args", "result"),
    [
        ("AClass.static", (), "static"),
        ("coroutine", (7,), 7),
        ("no_name", (), "lambda"),
        ("partial", (), 5),
        ("math:sqrt", (4,), 2.0),
        ("uses_a_pool", (), [1, 2]),
        ("ends_a_pool", (), None),
        ("runs_a_program", (23,), 23),
        ("closes_standard_descriptors", (), None),
        ("moves_standard_descriptors", (), None),
        ("replaces_streams", (), None),
        ("prints_bytes", (), None),
        ("dies_by", (signal.SIGTERM,), None),
        ("dies_by", (signal.SIGINT,), None),
        ("dies_by", (signal.SIGHUP,), None),
    ],
)
def test_what_can_be_called_is_called(served: Site, task: str, args: tuple[Any, ...], result: object) -> None:
    job, _ = ended(served, task, *args)

    assert job.state is OK, job
    assert json.loads(job.result or "") == result


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_that_a_task_sends_itself_reaches_its_own_handler_and_nobody_else(
    served: Site, signum: int
) -> None:
    workers = set(served.groups[0].workers())

    handled, unhandled = ended(served, "signals_itself", signum)[0], ended(served, "dies_by", signum)[0]

    assert json.loads(handled.result or "") == [signum]
    assert unhandled.state is OK, "with no handler it does nothing"
    assert set(served.groups[0].workers()) == workers


def test_an_import_that_hangs_is_under_the_time_limit(served: Site) -> None:
    job, attempt = ended(served, "import_hangs:f", timeout_s=0.2)

    assert (job.state, attempt.ending.outcome) == (FAILED, Outcome.TIMEOUT)


def test_a_thread_that_an_import_starts_is_noted_while_it_runs(served: Site) -> None:
    job, attempt = ended(served, "import_leaves_a_thread:f")

    assert job.state is OK, attempt
    assert attempt.ending.note in (None, "left 1 threads running"), "the call has told it to end"


def test_a_message_of_fifty_megabytes_is_cut(served: Site) -> None:
    job, _ = ended(served, "raises", "huge")

    assert job.error is not None
    assert len(job.error.message) < 70_000
    assert "49,934,464 characters cut" in job.error.message


@pytest.mark.parametrize(
    ("task", "args"),
    [("raises", ["Permanent"]), ("takes_two", [1]), ("missing", []), ("import_raises:f", [])],
)
def test_what_trying_again_cannot_mend_is_not_tried_again(served: Site, task: str, args: list[Any]) -> None:
    job, _ = ended(served, task, *args, retries=5, backoff_s=0)

    assert (job.state, job.attempt) == (FAILED, 1)


def test_a_type_error_inside_a_task_is_tried_again(served: Site) -> None:
    job, _ = ended(served, "raises_type_error_inside", retries=1, backoff_s=0)

    assert job.attempt == 2


def test_a_task_that_asks_for_a_retry_chooses_the_wait_but_not_the_number(served: Site) -> None:
    well, _ = ended(served, "raises_until", 3, "Retry now", retries=2, backoff_s=500)
    worn_out, _ = ended(served, "raises_until", 9, "Retry now", retries=2, backoff_s=500)

    assert (well.state, well.attempt) == (OK, 3)
    assert (worn_out.state, worn_out.attempt) == (FAILED, 3)


@pytest.mark.parametrize("task", ["returns_twice", "raises_twice"])
def test_a_task_that_forks_and_ends_in_both_is_reported_once(served: Site, task: str) -> None:
    job, attempt = ended(served, task)

    assert len(served.store.ledger.attempts(job.id)) == 1
    assert job.state is (OK if task == "returns_twice" else FAILED)
    if task == "returns_twice":
        assert job.result == str(attempt.pid), "the worker's result, not its fork's"


@pytest.mark.parametrize(
    ("how", "code"),
    [
        (("echo", 1), 0),
        (("exits",), 0),
        (("exits", 3), 3),
        (("exits", 0), 0),
        (("exits", "no paper"), 1),
        (("raises", "odd"), 1),
        (("forks", "exits", 3), 0),
        (("dies_by", signal.SIGTERM), -signal.SIGTERM),
        (("replaces_streams",), 0),
    ],
)
def test_a_fork_of_a_task_ends_as_a_fork_of_a_program_does(
    served: Site, how: tuple[Any, ...], code: int
) -> None:
    job, _ = ended(served, "forks", *how)

    assert job.result == str(code)


def test_what_a_fork_of_a_task_dies_of_is_in_the_output(served: Site) -> None:
    raised, exited = (
        ended(served, "forks", "raises", "Permanent")[1],
        ended(served, "forks", "exits", "no paper")[1],
    )

    assert raised.ending.output.head.startswith(b"Traceback")
    assert raised.ending.output.head.endswith(b"jobrun.errors.Permanent: never\n")
    assert exited.ending.output.head == b"no paper\n"


@pytest.mark.parametrize(
    "signum",
    [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGQUIT, signal.SIGRTMIN + 5],
)
def test_a_signal_ends_a_fork_of_a_task(served: Site, signum: int) -> None:
    job, _ = ended(served, "forks_and_signals", signum)

    assert job.result == str(-signum)


def test_a_daemon_that_a_task_leaves_is_ended_and_noted(served: Site) -> None:
    before = set(served.alive())

    job, attempt = ended(served, "leaves_a_daemon")

    assert (job.state, attempt.ending.note) == (OK, "left 1 process, ended")
    assert set(served.alive()) == before


def test_a_daemon_that_a_command_leaves_is_ended_and_noted(served: Site) -> None:
    before = set(served.alive())

    job = served.wait(served.shell("setsid sleep 600 & exit 0"))

    assert (job.state, job.note) == (OK, "left 1 process, ended")
    assert set(served.alive()) == before


@AS_ROOT
def test_what_a_task_leaves_as_another_user_is_ended_and_noted(served: Site) -> None:
    before = set(served.alive())

    job, attempt = ended(served, "leaves_another_behind", NOBODY)

    assert (job.state, attempt.ending.note) == (OK, "left 1 process, ended")
    assert set(served.alive()) == before


@AS_ROOT
def test_a_task_that_becomes_another_user_ends_and_is_replaced(served: Site) -> None:
    before = set(served.groups[0].workers())

    job, attempt = ended(served, "becomes_another", NOBODY)

    assert job.state is OK, attempt
    assert attempt.ending.note == "the task became another user; output not kept: Permission denied"
    left = before - {attempt.pid or served.groups[0].pid}
    eventually(lambda: attempt.pid not in served.groups[0].workers())
    assert left < set(served.groups[0].workers()), "nobody else was replaced"
    assert json.loads(served.wait(served.call("echo", 1)).result or "") == 1


def test_a_thread_that_a_task_leaves_is_noted(served: Site) -> None:
    job, attempt = ended(served, "leaves_a_thread", str(served.folder / "thread"))
    (served.folder / "thread").touch()

    assert (job.state, attempt.ending.note) == (OK, "left 1 threads running")


@pytest.mark.parametrize("task", ["enqueues_together", "enqueues_one_by_one", "enqueues_from_threads"])
def test_a_task_that_enqueues_gets_the_ids_and_its_jobs_run_once(served: Site, task: str) -> None:
    job, attempt = ended(served, task, 50)

    assert job.state is OK, attempt
    ids = json.loads(job.result or "")
    assert len(set(ids)) == 50
    assert all(served.wait(job_id).state is OK for job_id in ids)
    ran = Counter({line: n for line, n in served.effects().items() if int(line.split()[1]) in ids})
    assert ran == Counter(f"{what} {job_id} 1" for what in "SE" for job_id in ids)


def test_a_task_that_enqueues_what_cannot_be_is_told_so(served: Site) -> None:
    job, attempt = ended(served, "enqueues_nonsense")

    assert job.state is FAILED
    assert (attempt.ending.cause or "").startswith("UsageError: target `no target`")


@pytest.mark.parametrize(
    ("line", "code", "cause"),
    [
        ("exit 3", 3, "exit 3"),
        ("no-such-program", 127, "exit 127 (command not found)"),
        ("./effects", 126, "exit 126 (cannot be run)"),
        ("/tmp", 126, "exit 126 (cannot be run)"),
        ("kill -9 $$", None, "killed by SIGKILL"),
        ("kill -TERM $$", None, "killed by SIGTERM"),
    ],
)
def test_a_shell_line_that_fails_says_how(served: Site, line: str, code: int | None, cause: str) -> None:
    job = served.wait(served.shell(line))

    assert (job.state, job.exit_code) == (FAILED, code)
    assert (job.reason or "").startswith(cause)


@pytest.mark.parametrize(
    ("argv", "code", "cause"),
    [
        (["no-such-program"], 127, "command not found: `no-such-program`"),
        (["./effects"], 126, "cannot run `./effects`: Permission denied"),
        (["/tmp"], 126, "cannot run `/tmp`: Permission denied"),
        (["./bad"], 127, "command not found: `./bad`"),
    ],
)
def test_a_command_that_cannot_start_says_why_and_is_not_tried_again(
    served: Site, argv: list[str], code: int, cause: str
) -> None:
    bad = served.folder / "bad"
    bad.write_text("#!/no/such/interpreter\n")
    bad.chmod(0o755)

    job = served.wait(served.command(*argv, retries=3))

    assert (job.state, job.exit_code, job.attempt) == (FAILED, code, 1)
    assert job.reason == cause
