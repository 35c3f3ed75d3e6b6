"""Every way in which a function can end, called in this process."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from functools import partial
from typing import Any, NoReturn

import pytest

from jobrun.errors import Interrupted, Permanent, Retry, Stopped, TimeLimit
from jobrun.model import Kind, Outcome
from jobrun.run.call import LARGEST_RESULT, LARGEST_TEXT, Caller
from jobrun.wire.messages import Run, Why


def order(task: str, *args: Any, **kwargs: Any) -> Run:
    return Run(
        token="t",
        job_id=1,
        attempt=1,
        max_attempts=1,
        kind=Kind.CALL,
        task=task if ":" in task else f"{__name__}:{task}",
        args=list(args),
        kwargs=kwargs,
        queue="default",
        name=None,
        grace_s=1.0,
    )


@pytest.fixture
def caller() -> Iterator[Caller]:
    caller = Caller()
    yield caller
    if caller._loop is not None:
        caller._loop.close()


def give(value: Any = None, **more: Any) -> Any:
    return [value, more] if more else value


def add_two(one: int, two: int) -> int:
    return one + two


def refuse_inside() -> NoReturn:
    add_two(1)  # type: ignore[call-arg]
    raise AssertionError


def fail(name: str, *args: Any) -> NoReturn:
    kinds: dict[str, Callable[..., BaseException]] = {
        "value": ValueError,
        "type": TypeError,
        "exit": SystemExit,
        "interrupt": KeyboardInterrupt,
        "generator exit": GeneratorExit,
        "retry": Retry,
        "retry later": lambda: Retry("later", in_s=90.0),
        "retry in a decimal": lambda: Retry("later", in_s=Decimal(90)),  # type: ignore[arg-type]
        "hollow retry": HollowRetry,
        "spoilt retry": SpoiltRetry,
        "exits in __str__": ExitsInText,
        "named by a number": NamedByANumber,
        "exit unlike anything": lambda: SystemExit(Unlike()),
        "permanent": Permanent,
        "mute": Mute,
        "cancelled": asyncio.CancelledError,
    }
    raise kinds[name](*args)


def cycle() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def deep() -> Any:
    return deep()


def grow(size: int) -> str:
    return "x" * size


def odd() -> object:
    return Odd()


def numbers() -> Iterator[int]:
    yield 1


def make_numbers() -> object:
    return iter([1])


async def flow() -> AsyncIterator[int]:
    yield 1


async def wait_for(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


async def which_loop() -> int:
    return id(asyncio.get_running_loop())


async def leave_a_task() -> None:
    task = asyncio.get_running_loop().create_task(asyncio.sleep(3600))
    LEFT.append(task)


async def sleep_long() -> None:
    await asyncio.sleep(3600)


LEFT: list[asyncio.Task[None]] = []
GATE = threading.Event()


def leave_a_thread() -> None:
    threading.Thread(target=GATE.wait, daemon=True).start()


def stop_by_alarm(then: str = "raise") -> str:
    """Be told to stop while we run, as by the nudge of a dispatcher."""
    try:
        signal.raise_signal(signal.SIGUSR1)
    except Stopped as error:
        if then == "raise":
            raise
        if then == "fail":
            raise ValueError("while cleaning up") from error
        if then.startswith("exit"):
            sys.exit(int(then[4:]))
    return "finished all the same"


def swallow() -> str:
    try:
        signal.raise_signal(signal.SIGUSR1)
    except Exception:  # noqa: BLE001 -- the point of this task
        return "swallowed"
    return "not stopped"


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class HollowRetry(Retry):
    def __init__(self) -> None:
        pass


class SpoiltRetry(Retry):
    def __init__(self) -> None:
        self.in_s = float("inf")


class ExitsInText(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)


class NamedByANumber(Exception):
    pass


NamedByANumber.__module__ = 5  # type: ignore[assignment]


class Unlike:
    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return "unlike"


class Odd:
    def __repr__(self) -> str:
        raise RuntimeError("no words")


class Worker:
    def run(self) -> None: ...

    @staticmethod
    def static() -> str:
        return "static"


NUMBER = 42
PARTIAL = partial(give, "partial")


@pytest.mark.parametrize(
    ("task", "args", "result"),
    [
        ("give", [], "null"),
        ("give", [{"a": [1, 2.5, None, True]}], '{"a":[1,2.5,null,true]}'),
        ("give", ["ü\ud800"], '"\\u00fc\\ud800"'),
        ("wait_for", [7], "7"),
        ("Worker.static", [], '"static"'),
        ("PARTIAL", [], '"partial"'),
        ("math:sqrt", [4], "2.0"),
    ],
)
def test_what_a_function_returns_is_kept_as_json(
    caller: Caller, task: str, args: list[Any], result: str
) -> None:
    ending = caller.run(order(task, *args))

    assert (ending.outcome, ending.result, ending.note) == (Outcome.OK, result, None)


@pytest.mark.parametrize(
    ("task", "note"),
    [
        (order("odd"), "result of type `Odd` is not JSON: <__repr__ raised RuntimeError>"),
        (order("cycle"), "result of type `list` is not JSON: [[...]]"),
        (order("give", float("nan")), "result of type `float` is not JSON: nan"),
        (order("grow", LARGEST_RESULT), f"result of {LARGEST_RESULT + 2:,} bytes is over the limit"),
    ],
)
def test_a_result_that_cannot_be_kept_is_noted_and_no_failure(caller: Caller, task: Run, note: str) -> None:
    ending = caller.run(task)

    assert (ending.outcome, ending.result) == (Outcome.OK, None)
    assert (ending.note or "").startswith(note)


@pytest.mark.parametrize(
    ("task", "cause", "is_permanent"),
    [
        (order("fail", "value", "bad\nworse"), "ValueError: bad", False),
        (order("fail", "value"), "ValueError", False),
        (order("fail", "type", "raised by the task itself"), "TypeError: raised by", False),
        (order("fail", "interrupt"), "KeyboardInterrupt", False),
        (order("fail", "generator exit"), "GeneratorExit", False),
        (order("fail", "mute"), f"{__name__}.Mute: <__str__ raised RuntimeError>", False),
        (order("fail", "cancelled"), "asyncio.exceptions.CancelledError", False),
        (order("deep"), "RecursionError: maximum recursion depth", False),
        (order("refuse_inside"), "TypeError: add_two() missing", False),
        (order("add_two", 1), "TypeError: add_two() missing 1 required", True),
        (order("add_two", 1, 2, 3), "TypeError: add_two() takes 2", True),
        (order("add_two", three=3), "TypeError: add_two() got an unexpected", True),
        (order("wait_for"), "TypeError: wait_for() missing", True),
        (order("no_such_module:f"), "ModuleNotFoundError: No module named 'no_such_module'", True),
        (
            order("math:sqroot"),
            "AttributeError: `math:sqroot`: there is no `sqroot`; did you mean `sqrt`?",
            True,
        ),
        (order("math:sqrt.deeper"), "AttributeError: `math:sqrt.deeper`: there is no `deeper`", True),
        (order("NUMBER"), f"TypeError: `{__name__}:NUMBER` is a int, not a function", True),
        (order("Worker"), f"TypeError: `{__name__}:Worker` is a class", True),
        (order("numbers"), f"TypeError: `{__name__}:numbers` is a generator function", True),
        (order("flow"), f"TypeError: `{__name__}:flow` is a generator function", True),
        (order("make_numbers"), "TypeError: the task returned a list_iterator", True),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_what_a_function_raises_is_said_exactly(
    caller: Caller, task: Run, cause: str, *, is_permanent: bool
) -> None:
    ending = caller.run(task)

    assert ending.outcome is Outcome.ERROR
    assert (ending.cause or "").startswith(cause)
    assert ending.is_permanent == is_permanent


@pytest.mark.parametrize(
    ("code", "outcome", "exit_code", "cause"),
    [
        (None, Outcome.OK, 0, None),
        (0, Outcome.OK, 0, None),
        (3, Outcome.ERROR, 3, "exit 3"),
        (256 + 3, Outcome.ERROR, 3, "exit 3"),
        (-1, Outcome.ERROR, 255, "exit 255"),
        ("no such host", Outcome.ERROR, 1, "exit 1: no such host"),
    ],
)
def test_leaving_by_exit_is_read_as_the_interpreter_does(
    caller: Caller, code: object, outcome: Outcome, exit_code: int, cause: str | None
) -> None:
    ending = caller.run(order("fail", "exit", code))

    assert (ending.outcome, ending.exit_code, ending.cause) == (outcome, exit_code, cause)


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("hollow retry", f"{__name__}.HollowRetry"),
        ("spoilt retry", f"{__name__}.SpoiltRetry"),
        ("exits in __str__", f"{__name__}.ExitsInText: <__str__ raised SystemExit>"),
        ("named by a number", "failed with an error that cannot be described"),
        ("exit unlike anything", "exit 1: unlike"),
    ],
)
def test_an_error_that_is_made_to_confuse_is_an_error_like_others(
    caller: Caller, name: str, cause: str
) -> None:
    ending = caller.run(order("fail", name))

    assert (ending.outcome, ending.cause, ending.retry_in_s) == (Outcome.ERROR, cause, None)


def test_a_task_may_ask_to_be_retried_and_when(caller: Caller) -> None:
    assert caller.run(order("fail", "retry")).retry_in_s is None
    later = caller.run(order("fail", "retry later"))

    assert (later.outcome, later.retry_in_s, later.is_permanent) == (Outcome.ERROR, 90.0, False)
    assert type(caller.run(order("fail", "retry in a decimal")).retry_in_s) is float


def test_a_task_may_say_that_trying_again_is_useless(caller: Caller) -> None:
    assert caller.run(order("fail", "permanent", "gone")).is_permanent


def test_a_traceback_shows_the_frames_of_the_task_and_none_of_ours(caller: Caller) -> None:
    error = caller.run(order("fail", "value", "bad")).error

    assert error is not None
    assert error.traceback is not None
    assert "in fail" in error.traceback
    assert "run/call.py" not in error.traceback


def test_a_huge_message_is_cut_in_its_middle(caller: Caller) -> None:
    error = caller.run(order("fail", "value", "x" * 10 * LARGEST_TEXT)).error

    assert error is not None
    assert len(error.message) < LARGEST_TEXT + 100
    assert f"{9 * LARGEST_TEXT:,} characters cut" in error.message


def test_a_module_whose_import_fails_says_so_itself(
    caller: Caller, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_module.py").write_text("raise RuntimeError('at import')")
    (tmp_path / "leaving_module.py").write_text("import sys; sys.exit(3)")
    monkeypatch.syspath_prepend(tmp_path)

    broken, leaving = caller.run(order("broken_module:f")), caller.run(order("leaving_module:f"))

    assert (broken.cause, broken.is_permanent) == ("RuntimeError: at import", True)
    assert (leaving.outcome, leaving.is_permanent) == (Outcome.ERROR, True)


def test_threads_that_outlive_a_call_are_noted(caller: Caller) -> None:
    ending = caller.run(order("leave_a_thread"))
    GATE.set()

    assert ending.note == "left 1 threads running"


def test_coroutines_share_one_loop_and_leave_no_task_in_it(caller: Caller) -> None:
    first, second = caller.run(order("which_loop")), caller.run(order("which_loop"))

    assert first.result == second.result
    caller.run(order("leave_a_task"))
    assert LEFT.pop().cancelled()


@pytest.fixture
def told(caller: Caller) -> Iterator[Callable[[Why], None]]:
    """Have a call stopped by a signal that it sends itself."""
    before = signal.getsignal(signal.SIGUSR1)

    def tell(why: Why) -> None:
        signal.signal(signal.SIGUSR1, lambda _signum, _frame: caller.stop(why))

    yield tell
    signal.signal(signal.SIGUSR1, before)


STOPS = [
    (Why.TIMEOUT, Outcome.TIMEOUT, "stopped at its time limit"),
    (Why.CANCELLED, Outcome.CANCELLED, "cancelled"),
    (Why.INTERRUPTED, Outcome.INTERRUPTED, "interrupted by a shutdown"),
]


@pytest.mark.parametrize("then", ["raise", "fail", "exit1"])
@pytest.mark.parametrize(("why", "outcome", "cause"), STOPS)
def test_a_call_that_is_stopped_ends_as_what_stopped_it(  # noqa: PLR0917 -- a table and its fixtures
    caller: Caller, told: Callable[[Why], None], why: Why, outcome: Outcome, cause: str, then: str
) -> None:
    told(why)

    ending = caller.run(order("stop_by_alarm", then))

    assert (ending.outcome, ending.cause) == (outcome, cause)


@pytest.mark.parametrize(("then", "result"), [("return", '"finished all the same"'), ("exit0", None)])
def test_a_call_that_finishes_all_the_same_has_succeeded(
    caller: Caller, told: Callable[[Why], None], then: str, result: str | None
) -> None:
    told(Why.TIMEOUT)

    ending = caller.run(order("stop_by_alarm", then))

    assert (ending.outcome, ending.result) == (Outcome.OK, result)


def test_a_stop_is_not_swallowed_by_except_exception(caller: Caller, told: Callable[[Why], None]) -> None:
    told(Why.TIMEOUT)

    ending = caller.run(order("swallow"))

    assert ending.outcome is Outcome.TIMEOUT
    assert ending.error is not None
    assert ending.error.type == TimeLimit.__name__


@pytest.mark.parametrize(("why", "outcome", "cause"), STOPS)
def test_a_coroutine_that_waits_is_stopped_and_its_loop_lives_on(
    caller: Caller, why: Why, outcome: Outcome, cause: str
) -> None:
    before = signal.signal(signal.SIGALRM, lambda _signum, _frame: caller.stop(why))
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    ending = caller.run(order("sleep_long"))
    signal.signal(signal.SIGALRM, before)

    assert (ending.outcome, ending.cause) == (outcome, cause)
    assert caller.run(order("wait_for", 1)).result == "1"


def test_a_stop_between_calls_hits_nobody(caller: Caller) -> None:
    caller.stop(Why.TIMEOUT)

    assert caller.run(order("give", 1)).outcome is Outcome.OK


def test_a_stop_that_came_before_the_call_is_seen_on_entering() -> None:
    early: Caller = Caller(on_enter=lambda: early.stop(Why.INTERRUPTED))

    ending = early.run(order("give"))

    assert ending.outcome is Outcome.INTERRUPTED
    assert ending.error is not None
    assert ending.error.type == Interrupted.__name__
