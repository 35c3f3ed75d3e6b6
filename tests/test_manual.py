"""The manual, the README and the version say what the program does and is."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import jobrun
from jobrun.cli import door, waiting
from jobrun.cli.asking import BY_FLAG
from jobrun.cli.verbs import FAMILIES
from jobrun.cron.words import EntrySpec, NewTick, TickState
from jobrun.errors import JobrunError
from jobrun.model import Kind, NewJob, State, Terms
from jobrun.run.mark import entry_variables, variables
from jobrun.store import open_store
from jobrun.table import read_table
from jobrun.units import from_ms
from jobrun.wire.messages import Run

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted((ROOT / "man").glob("*.[157]"))
MANUAL = (ROOT / "man" / "jobrun.1").read_text(encoding="utf-8")
GENERAL = {"-h", "--help", "--db", "--version"}  # of every command, or of none

Finished = subprocess.CompletedProcess[str]


def _parts(text: str, macro: str) -> dict[str, str]:
    """Return what stands below each heading of a kind, in the order of the page."""
    _, *pieces = re.split(rf"(?m)^\.{macro} (.+)\n", text)
    return dict(zip(pieces[::2], pieces[1::2], strict=True))


SECTIONS = _parts(MANUAL, "Sh")
COMMANDS = _parts(SECTIONS["COMMANDS"], "Ss")
FIELDS = _parts(SECTIONS["JSON"], "Ss")


def _options_of(text: str) -> set[str]:
    """Return the options that a piece of the page lists."""
    items = re.findall(r"(?m)^\.It Fl .+", text)
    return {f"-{name}" for item in items for name in re.findall(r"Fl (\S+)", item)}


def _items(text: str, macro: str) -> list[str]:
    """Return the words that a piece of the page lists, in their order."""
    items = re.findall(rf"(?m)^\.It {macro} (.+)", text)
    return [word for item in items for word in item.split(" , ")]


def _commands_in(text: str) -> list[tuple[str, set[str]]]:
    """Return each `jobrun VERB` that stands in a text as code, with the options that follow it."""
    said = re.findall(r"(?:`|\$ |\$\(|[|&] |\.Ql )jobrun ([a-z]+)([^`|&)\n]*)", text.replace("\\-", "-"))
    return [(_with_its_verb(verb, words), _options_among(words)) for verb, words in said]


def _with_its_verb(verb: str, words: str) -> str:
    """Return a command of one or two words; without a word of its own `cron` is `cron run`."""
    first = next(iter(words.split()), "")
    if verb != "cron" or not first:
        return verb
    return f"cron {first}" if f"cron {first}" in COMMANDS else "cron run"


def _options_among(words: str) -> set[str]:
    unquoted = re.sub(r"'[^']*(?:'|$)", "", words)
    return set(re.findall(r"(?<=\s)-(?:-[a-z-]+|[a-zA-Z]\b)", unquoted.partition(" -- ")[0]))


def _run(*words: str, **environ: str) -> Finished:
    return subprocess.run(
        [sys.executable, "-m", "jobrun", *words],
        env={**os.environ, **environ},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _help(*words: str) -> str:
    done = _run(*words, "--help")
    assert done.returncode == 0, done.stderr
    return done.stdout


def _listed(*words: str) -> list[str]:
    """Return the commands that a help page lists."""
    listed = _help(*words).partition("Options:\n")[2].partition("codes:\n")[0].partition("Examples:\n")[0]
    return re.findall(r"(?m)^  ([a-z]+) ", listed)


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> tuple[Finished, Path]:
    """Run all examples of the page, most of them beside a group of workers; return what they printed."""
    folder = tmp_path_factory.mktemp("examples")
    first, *others = _example_lines(folder)
    script = "\n".join(
        [
            'set -eux; jobrun() { "$PYTHON" -m jobrun "$@"; }',
            *first,
            'timeout 50 "$PYTHON" -m jobrun worker -n 2 & workers=$!',
            "trap 'kill $workers; wait $workers' EXIT",
            *(line for lines in others for line in lines),
            "jobrun workers --json > workers.json",
        ]
    )
    environ = {**os.environ, "PYTHON": sys.executable, "JOBRUN_DB": str(folder / "jobs.db")}
    done = subprocess.run(
        ["sh", "-c", script],
        env={**environ, "PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done, folder


def _example_lines(folder: Path) -> list[list[str]]:
    """Return what the page tells to type, block by block; it writes into a folder of the test."""
    blocks = re.findall(r"\.Bd -literal.*\n((?s:.*?))\.Ed", SECTIONS["EXAMPLES"])
    can_run = [block for block in blocks if shutil.which("jq") or " jq " not in block]
    typed = [block.replace("\\e", "\\").replace("/tmp/", f"{folder}/") for block in can_run]
    return [[line.removeprefix("$ ") for line in block.splitlines()] for block in typed]


@pytest.fixture
def shown(examples: tuple[Finished, Path]) -> Callable[..., Any]:
    """Return the JSON that a command prints about the file of the examples."""
    _, folder = examples

    def show(*words: str) -> Any:
        return json.loads(_run(*words, "--json", JOBRUN_DB=str(folder / "jobs.db")).stdout)

    return show


def test_the_page_has_every_command_in_the_order_of_the_help() -> None:
    commands = []
    for verb in _listed():
        commands += [verb, *(f"{verb} {each}" for each in _listed(verb) if verb in FAMILIES)]

    assert commands == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_has_the_options_of_each_command_and_no_other(command: str) -> None:
    known = re.findall(r"(?m)^ +(?:(-\w), )?(--[a-z-]+)(?: |$)", _help(*command.split()))

    assert _options_of(COMMANDS[command]) == {flag for flags in known for flag in flags if flag} - GENERAL


def test_the_page_has_every_option_of_the_table_of_enqueue() -> None:
    assert _options_of(COMMANDS["enqueue"]) == set(BY_FLAG)


def test_the_page_speaks_of_no_option_that_it_does_not_explain() -> None:
    spoken_of = {f"-{name}" for name in re.findall(r"\bFl (\S+)", MANUAL)}

    assert spoken_of - _options_of(MANUAL) == {"--"}  # the end of options


@pytest.mark.parametrize(
    "text", ["README.md", "SECURITY.md", "CHANGELOG.md", *(f"man/{p.name}" for p in PAGES)]
)
def test_every_command_in_a_text_is_known_with_its_options(text: str) -> None:
    said = _commands_in((ROOT / text).read_text(encoding="utf-8"))
    unknown = [
        (verb, options)
        for verb, options in said
        if verb != "help" and not (verb in COMMANDS and options <= _options_of(COMMANDS[verb]))
    ]

    assert unknown == []


def test_the_page_has_every_exit_code_and_no_other() -> None:
    ours = {error.exit_code for error in _and_below(JobrunError)}
    others = {0, door.BUG, door.INTERRUPTED, door.BROKEN_PIPE, waiting.OWN_ERROR}

    assert {int(code) for code in re.findall(r"(?m)^\.It (\d+)$", SECTIONS["EXIT STATUS"])} == ours | others


def _and_below(kind: type[JobrunError]) -> Iterator[type[JobrunError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _and_below(each)


def test_the_page_has_every_variable_that_a_job_finds() -> None:
    terms = Terms(is_catchup=True)
    job = NewJob(kind=Kind.SHELL, task="true", entry="backup", scheduled_for=from_ms(0), terms=terms)
    order = Run(
        token="t",
        job_id=1,
        attempt=1,
        max_attempts=1,
        kind=Kind.CALL,
        task="os:getcwd",
        args=[],
        kwargs={},
        queue="default",
        name=None,
        grace_s=1.0,
        cwd=None,
        umask=None,
        environment={},
        variables=entry_variables(job, last_success_at=from_ms(0)),
    )
    found = SECTIONS["ENVIRONMENT"].partition("A job finds")[2]

    assert _items(found, "Ev") == list(variables(order, Path("jobs.db")))


def test_the_page_has_every_state() -> None:
    words = _parts(SECTIONS["DESCRIPTION"], "Ss")["Words"]

    assert _items(words, "Cm") == list(State)


def test_the_page_has_every_name_and_every_option_of_the_package() -> None:
    named = set(re.findall(r"\bjobrun\.(\w+)", SECTIONS["PYTHON"]))
    told = set(re.findall(r"\b\w+\b", SECTIONS["PYTHON"]))

    assert named == set(jobrun.__all__)
    assert {field.name for kind in (jobrun.Options, jobrun.Current) for field in fields(kind)} <= told


@pytest.mark.process
def test_every_example_of_the_page_runs(examples: tuple[Finished, Path]) -> None:
    done, _ = examples

    assert done.returncode == 0, done.stderr
    assert {"hello", "yes"} <= set(done.stdout.splitlines())


@pytest.mark.process
def test_the_page_has_every_field_of_jobs_and_attempts(shown: Callable[..., Any]) -> None:
    job = shown("inspect", "1")

    assert job["state"] == "succeeded"
    of_inspect = {"attempts", "edits", "environment", "deadline_at", "moved_from", "terms"}
    assert sorted(_items(FIELDS["Jobs"], "Va")) == sorted(job.keys() - of_inspect)
    assert of_inspect | job["terms"].keys() <= set(re.findall(r"\w+", FIELDS["Jobs"]))
    assert sorted(_items(FIELDS["Attempts"], "Va")) == sorted(job["attempts"][0])


@pytest.mark.process
def test_the_page_has_every_field_of_workers_and_of_the_status(
    shown: Callable[..., Any], examples: tuple[Finished, Path]
) -> None:
    _, folder = examples
    [first, _] = json.loads((folder / "workers.json").read_text(encoding="utf-8"))

    assert sorted(_items(FIELDS["Workers"], "Va")) == sorted(first)
    assert sorted(_items(FIELDS["Status"], "Va")) == sorted(shown("status"))


def test_the_page_has_every_field_of_health(tmp_path: Path) -> None:
    job_file = tmp_path / "jobs.db"
    open_store(job_file, create=True).close()

    health = json.loads(_run("health", "--json", JOBRUN_DB=str(job_file)).stdout)

    told = FIELDS["Health"]
    assert sorted(re.findall(r"(?m)^\.It Va (.+)", told)) == sorted(
        ["level , code", *(name for name in health if name not in {"level", "code"})]
    )
    assert health["measures"].keys() | health["measures"]["ready"].keys() <= set(re.findall(r"\w+", told))


def test_the_page_has_every_field_of_runs_entries_and_ticks(tmp_path: Path) -> None:
    table, job_file = tmp_path / "jobs.toml", tmp_path / "jobs.db"
    table.write_text('[jobs.a]\nshell = "true"\nschedule = "@daily"\n', encoding="utf-8")
    table.chmod(0o600)
    entries = read_table(table, local=UTC, local_name="UTC", environ={}).entries
    with open_store(job_file, create=True) as store:
        specs = [EntrySpec(entry=entry, digest="1", schedule_digest="1") for entry in entries]
        store.entries.load(str(table), specs, boot_id="b1", now=datetime.now(UTC))
        store.ticks.record("a", NewTick(at=datetime.now(UTC), state=TickState.PAUSED), now=datetime.now(UTC))

    environ = {"JOBRUN_DB": str(job_file)}
    [run] = json.loads(_run("cron", "next", str(table), "-n", "1", "--json", **environ).stdout)
    entry = json.loads(_run("why", "a", "--json", **environ).stdout)
    paused = json.loads(_run("cron", "pause", "a", "--json", **environ).stdout)

    listed = _items(FIELDS["Entries"], "Va")
    assert sorted(_items(FIELDS["Runs to come"], "Va")) == sorted(run)
    assert sorted(listed) == sorted(entry)
    assert set(listed[: listed.index("removed_at") + 1]) == set(paused)
    assert sorted(_items(FIELDS["Ticks"], "Va")) == sorted(entry["ticks"][0])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_mandoc_finds_nothing_wrong_with_a_page(page: Path) -> None:
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not installed")
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_line_of_a_page_is_longer_than_80_columns(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()

    assert [line for line in lines if len(line) > 80] == []


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    headings = re.findall(r"(?m)^## \[(\d[^]]*)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))

    assert project["project"]["version"] == headings[0] == jobrun.__version__
    assert _run("--version").stdout == f"jobrun {jobrun.__version__}\n"
