"""Commands as they are run for a worker: what they read, what their exit means, where they print."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobrun.model import Ending, Kind, Outcome, Terms
from jobrun.run.command import Command, Place
from jobrun.wire.messages import Run, Why

Runs = Callable[..., Ending]


def nothing_comes(poll: select.poll, timeout_s: float | None) -> Why | None:
    poll.poll(None if timeout_s is None else timeout_s * 1000)
    return None


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "output"


@pytest.fixture
def shell(tmp_path: Path, output: Path) -> Iterator[Runs]:
    """Run shell lines, their output in one file."""
    fd = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def run(line: str, *, cwd: str | None = None, **terms: Any) -> Ending:
        order = Run(
            token="t1",
            job_id=1,
            attempt=1,
            max_attempts=1,
            kind=Kind.SHELL,
            task=line,
            args=[],
            kwargs={},
            queue="default",
            name=None,
            grace_s=1.0,
            cwd=cwd,
            environment=dict(os.environ),
            terms=Terms(**terms),
        )
        place = Place(job_file=tmp_path / "jobs.db", attempt_lock=tmp_path / "t1", output=fd, boot="b")
        return Command(order, place).run(nothing_comes)[0]

    yield run
    os.close(fd)


def test_a_command_reads_its_text_to_the_end(shell: Runs, output: Path) -> None:
    text = "ä\n" * (1 << 18)

    shell("cat", stdin=text)

    assert output.read_text() == text


def test_a_command_may_leave_its_text_unread(shell: Runs) -> None:
    assert shell("true", stdin="x" * (1 << 20)).outcome is Outcome.OK


def test_a_command_without_a_text_reads_nothing(shell: Runs, output: Path) -> None:
    shell("cat; readlink /proc/self/fd/0")

    assert output.read_text() == "/dev/null\n"


@pytest.mark.parametrize(
    ("code", "terms", "meaning"),
    [
        (0, {}, {"outcome": Outcome.OK}),
        (3, {}, {"cause": "exit 3"}),
        (127, {}, {"cause": "exit 127 (command not found)", "is_permanent": True}),
        (127, {"no_retry_exit": ()}, {"cause": "exit 127 (command not found)"}),
        (3, {"no_retry_exit": (3,)}, {"cause": "exit 3", "is_permanent": True}),
        (24, {"ok_exit": (0, 24)}, {"outcome": Outcome.OK}),
        (0, {"ok_exit": (24,)}, {"cause": "exit 0"}),
        (
            75,
            {"skip_exit": (75,)},
            {"outcome": Outcome.OK, "cause": "exit 75: nothing to do", "is_skip": True},
        ),
        (127, {"ok_exit": (0, 127)}, {"outcome": Outcome.OK}),
    ],
)
def test_an_exit_code_means_what_the_terms_say(
    shell: Runs, code: int, terms: dict[str, Any], meaning: dict[str, Any]
) -> None:
    ending = shell(f"exit {code}", **terms)

    wanted = Ending(**{"outcome": Outcome.ERROR, "exit_code": code, **meaning})
    assert replace(ending, cpu_s=None, peak_rss=None) == wanted


def test_a_signal_is_no_exit_code_that_could_be_forgiven(shell: Runs) -> None:
    ending = shell("kill -9 $$", ok_exit=tuple(range(256)))

    assert (ending.outcome, ending.signal, ending.exit_code) == (Outcome.ERROR, 9, None)


def test_a_command_that_was_never_started_has_no_exit_code_to_forgive(shell: Runs) -> None:
    ending = shell("true", cwd="/nowhere", ok_exit=(0, 126))

    assert (ending.outcome, ending.is_permanent) == (Outcome.ERROR, True)


def test_discarded_output_reaches_no_file(shell: Runs, output: Path) -> None:
    shell("echo out; echo err >&2", discards_output=True)

    assert output.read_bytes() == b""
