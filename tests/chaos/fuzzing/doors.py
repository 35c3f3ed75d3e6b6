"""The command line with whatever words, and whatever a job printed, was named or failed with."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from jobrun.alerts.words import Alert, Condition, Event, Latch, Quantity, Reading
from jobrun.cli.app import built
from jobrun.cli.verbs import FAMILIES
from jobrun.cron.words import Errand
from jobrun.lifecycle import settle
from jobrun.measures import Pause
from jobrun.model import Ending, ErrorInfo, NewJob, Outcome, Output
from jobrun.model import Kind as JobKind
from jobrun.store import Store, open_store
from tests.chaos.fuzzing import grammar
from tests.chaos.fuzzing.kinds import Kind
from tests.chaos.fuzzing.spoil import odd, spoilt
from tests.claims import claim
from tests.inputs.face import KNOWN_CODES, Said, ask, misbehaved

ROOT = Path(__file__).resolve().parents[3]
# Every verb that shows what is kept, but those whose answer is to be the bytes themselves.
VIEWERS = (
    *(("list",), ("inspect", "{}"), ("logs", "{}"), ("failed",), ("status",), ("why", "{}"), ("workers",)),
    *(("stats",), ("stats", "*"), ("alerts",), ("health",), ("doctor",), ("metrics",), ("top", "--once")),
    *(("purge", "--all", "--dry-run"), ("db", "check"), ("db", "export"), ("resume", "mail")),
    *(("completion", "fish", "--answer", "why", ""), ("completion", "bash", "--answer", "jobrun pause ")),
)
_NO_JSON = {"metrics", "completion", "db", "top"}
_DRAWS = {"db"}  # a bar on a terminal while it works
MODES: tuple[tuple[tuple[str, ...], bool], ...] = (((), False), ((), True), (("--json",), False))
_MOST_JOBS = 40  # of the viewed file; then a new one is begun
_PATIENCE_S = 60.0
# What goes on until it is told to end, asks, or starts processes: for `programs` alone.
_LASTING = ("--follow", "--wait", "--check", "--fg", "-f", "--cron", "--show-env")
_OF_CRON = ("check", "next", "explain", "pause", "resume", "trigger")
# What takes a terminal, reads standard input, or starts processes: for `programs` alone, too.
_ALONE = {("worker",), ("exec",), ("edit",), ("debug",), ("top",), ("db", "import"), ("cron", "import")}
_WRITES = {"backup", "metrics", "db"}  # files that are named: in the working directory, and nowhere else


def kinds(folder: Path) -> list[Kind]:
    """Return the kinds that go through the door; they work in `folder`, which is the working directory."""
    (folder / "jobs.toml").write_bytes((ROOT / "examples" / "jobs.toml").read_bytes())
    return [
        Kind("command lines", command_line, command, slice_s=0.3),
        Kind(
            "texts of jobs, through all viewers",
            foreign_text,
            Viewers(folder / "viewed").meet,
            slice_s=0.6,
            runs=len(VIEWERS) * len(MODES),
        ),
        Kind("spoilt job files", spoils, Spoilt(folder).meet, slice_s=0.4),
        Kind("programs", partial(command_line, is_program=True), program, slice_s=0.3),
    ]


def command_line(dice: Random, *, is_program: bool = False) -> list[str]:
    """Return a command line; nothing that goes on for ever, unless a program of its own runs it."""
    verb, flags = dice.choice(_verbs(is_program=is_program))
    words = [*verb, *(["jobs.toml"] if verb[:1] == ["cron"] and dice.random() < 0.8 else [])]
    for _ in range(dice.choice([0, 1, 1, 2, 2, 3, 5])):
        words += dice.choice([[dice.choice(flags)], [dice.choice(grammar.VALUES)]])
    if verb == ["enqueue"]:
        words += grammar.enqueue_words(dice)
    if dice.random() < 0.5:
        words = words[:1] + spoilt(
            dice, words[1:], lambda dice: [dice.choice([odd(dice), dice.choice(flags)])]
        )
    if dice.random() < 0.1:
        words = [grammar.text(dice, word, 0.5) for word in words]
    if dice.random() < 0.15:
        words[dice.randrange(len(words) + 1) : 0] = ["--json"]
    if verb == ["worker"]:
        words += ["--burst"]
    return _harmless([grammar.as_word(word) for word in words], is_program=is_program)


def _verbs(*, is_program: bool) -> list[tuple[list[str], list[str]]]:
    """Return each verb with its options."""
    group: Any = built()
    commands: dict[tuple[str, ...], Any] = {
        (name, *more): command
        for name, first in group.commands.items()
        for more, command in (
            [((verb,), each) for verb, each in first.commands.items()] if name in FAMILIES else [((), first)]
        )
    }
    del commands["cron", "run"]
    if not is_program:
        commands = {verb: command for verb, command in commands.items() if verb not in _ALONE}
    found = [
        (list(verb), [opt for param in command.params for opt in param.opts if opt[0] == "-"] or ["--json"])
        for verb, command in commands.items()
    ]
    return [*found, ([], ["--help", "--version", "-h"]), (["help"], ["list", "enqueue", "x"])]


def _harmless(words: list[str], *, is_program: bool) -> list[str]:
    """Leave out what would wait, read the terminal, or make files elsewhere."""
    if not words or words[0] in {"wait", "cron"}:
        words = [*words, "--timeout=0.01s"] if words[:1] == ["wait"] else words
    kept = [word for word in words if not word.startswith(("--db", "--durability", "--path", "--pdb"))]
    verb, following = ([word for word in kept if word[:1] != "-"] + ["", ""])[:2]
    if verb in _WRITES:
        kept = [word for word in kept if "/" not in word]
    if verb == "exec":
        kept = [word for word in kept if not word.startswith(("--shell", "-s"))]
    if is_program:
        return [word for word in kept if not word.startswith(("--follow", "-f", "--cron", "--wait", "--fg"))]
    kept = [word for word in kept if not word.startswith(_LASTING)]
    is_lasting = verb == "cron" and following not in _OF_CRON
    return ["status"] if is_lasting or {(verb,), (verb, following)} & _ALONE else kept


def command(argv: list[str]) -> str | None:
    """Ask the door of this process."""
    return misbehaved(ask(argv), argv)


def program(argv: list[str]) -> str | None:
    """Ask a process of its own, as a shell does."""
    done = subprocess.run(
        [sys.executable, "-m", "jobrun", *argv],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_PATIENCE_S,
        check=False,
    )
    said = Said(
        done.returncode, *(text.decode("utf-8", "surrogateescape") for text in (done.stdout, done.stderr))
    )
    return misbehaved(said, argv)


def foreign_text(dice: Random) -> str:
    return "".join(odd(dice) for _ in range(dice.randrange(1, 4)))


class Viewers:
    """A job file of jobs that carry a foreign text wherever they can, and all that shows them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        self._folder = folder
        self._numbers = itertools.count(1)
        self._path = folder / "none"
        self._jobs = 0

    def meet(self, text: str) -> str | None:
        if not self._jobs % _MOST_JOBS:
            self._path = self._folder / f"{next(self._numbers)}.db"
        self._jobs += 1
        job_id = _store(self._path, text)
        for words in VIEWERS:
            shown = [word.format(job_id) for word in words]
            for more, is_terminal in MODES:
                if (more and shown[0] in _NO_JSON) or (is_terminal and shown[0] in _DRAWS):
                    continue
                argv = ["--db", str(self._path), *shown, *more]
                if fault := misbehaved(ask(argv, is_terminal=is_terminal), argv, is_terminal=is_terminal):
                    return f"{' '.join([*words, *more])}{' on a terminal' if is_terminal else ''}: {fault}"
        return None


def _store(path: Path, text: str) -> int:
    """Add a job that carries the text, and one that waits; end the first, and return its id."""
    plain = text.replace("\0", "").encode("utf-8", "replace").decode() or "x"
    now, tokens = datetime.now(UTC), itertools.count()
    error = ErrorInfo(type=text[:200], message=text, traceback=f"{text}\n  {text}")
    data = text.encode("utf-8", "surrogateescape")
    ending = Ending(
        outcome=Outcome.ERROR, cause=text, note=text, error=error, output=Output(head=data, size=len(data))
    )
    job = NewJob(
        kind=JobKind.CALL,
        task=plain,
        args=(plain,),
        kwargs={plain: plain},
        key=None,
        name=plain,
        tags=(plain,),
        queue=plain,
    )
    with open_store(path, create=True) as store:
        _watch(store, plain, now)
        [added] = store.intake.add([job], now=now)
        [claimed] = claim(store, plain, now=now, new_token=lambda: f"{plain}{added.id}{next(tokens)}")
        settled = settle(claimed, ending, now, 0.5)
        assert store.endings.settle(claimed, ending, settled, now=now, pid=1)
    return added.id


def _watch(store: Store, text: str, now: datetime) -> None:
    """Pause a queue, and have an alert that fires, both of which carry the text."""
    store.pauses.begin(Pause(queue=text, since=now, until=None, by=text, reason=text))
    condition = Condition(quantity=Quantity.DEPTH, threshold=1, queue=text)
    errand = Errand(kind=JobKind.CALL, task=text)
    store.alerts.load(text, [Alert(name=text, condition=condition, errand=errand)], now=now)
    row = store.alerts.get(text)
    assert row is not None
    latch = Latch(holds_since=now, told_at=now, tells=1)
    store.alerts.move(row, latch, told=(Event.FIRING, Reading(value=2, text=text)), now=now)


def spoils(dice: Random) -> list[tuple[int, int]]:
    """Return places in a file, as parts of 2**32, with what is written there; -1 cuts it off."""
    places = [dice.randrange(1 << 32) for _ in range(dice.choice([1, 1, 2, 5, 20]))]
    near_the_head = dice.random() < 0.3
    values = [
        dice.choice([0, 0xFF, 0x80, dice.randrange(256), -1 if dice.random() < 0.1 else 1]) for _ in places
    ]
    return [
        (place >> 9 if near_the_head else place, value) for place, value in zip(places, values, strict=True)
    ]


class Spoilt:
    """A job file with flipped or missing bytes, and the commands that read it."""

    COMMANDS = (
        *(
            ["list"],
            ["status"],
            ["inspect", "1"],
            ["failed"],
            ["logs", "1"],
            ["why", "1"],
            ["list", "--json"],
        ),
        *(
            ["inspect", "1", "--json"],
            ["workers"],
            ["status", "--json"],
            ["why", "hello"],
            ["stats"],
            ["stats", "*", "--json"],
            ["alerts"],
            ["health"],
            ["doctor"],
            ["metrics"],
            ["top", "--once"],
            ["db", "check"],
            ["db", "export"],
            ["inspect", "1", "--sh"],
            ["completion", "fish", "--answer", "why", ""],
            ["cron", "pause", "hello"],
        ),
        *(
            ["enqueue", "m:f"],
            ["retry", "1"],
            ["cancel", "2"],
            ["purge", "--all", "--yes"],
            ["purge", "--all", "--dry-run"],
            ["pause", "mail"],
            ["resume", "mail"],
            ["edit", "2", "--set", "priority=3"],
            ["db", "vacuum", "--yes"],
            ["failed", "--retry"],
        ),
    )

    def __init__(self, folder: Path) -> None:
        model = folder / "model.db"
        for text in ("abc", "x" * 5000, "tail"):
            _store(model, text)
        self._data = model.read_bytes()
        self._path = folder / "spoilt.db"

    def meet(self, edits: Sequence[tuple[int, int]]) -> str | None:
        data = bytearray(self._data)
        for place, value in edits:
            at = place * len(data) >> 32
            if value < 0:
                del data[at:]
            elif at < len(data):
                data[at] = value
        argv = [
            "--db",
            str(self._path),
            *self.COMMANDS[sum(place for place, _ in edits) % len(self.COMMANDS)],
        ]
        self._path.touch(mode=0o600)
        for side in ("-wal", "-shm"):
            Path(f"{self._path}{side}").unlink(missing_ok=True)
        self._path.write_bytes(data)
        fault = misbehaved(ask(argv), argv)
        return fault and f"{' '.join(argv[2:])}: {fault}"


def prepare(folder: Path) -> None:
    """Make this process one that may ask the door: nothing of it reaches another job file."""
    os.chdir(folder)
    os.environ.update(
        JOBRUN_DB=str(folder / "jobs.db"), COLUMNS="100", TERM="xterm-256color", HOME=str(folder)
    )
    for name in ("VISUAL", "EDITOR"):
        os.environ.pop(name, None)
    assert KNOWN_CODES
