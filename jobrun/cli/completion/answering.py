"""What a shell is answered: the words that could follow, each with what it means."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from jobrun.actions import naming
from jobrun.cli.completion.grammar import Choices, Need, Wanted
from jobrun.cli.readers import STATE_WORDS
from jobrun.cli.safe import safe_line
from jobrun.errors import JobrunError
from jobrun.model import Job
from jobrun.store import Store, open_store, store_exists

FILES = ":files"  # the shell is to offer names of files, too
PATIENCE_S = 0.2  # for a busy job file: who presses Tab does not wait
_BREAK = re.compile(r"[:=]")  # where bash takes words apart
_SHOWN = 60  # characters of a task


def split(line: str) -> list[str]:
    """Return the words of a line as typed so far, without the command; the last one may be empty.

    >>> split("jobrun why 'my en")
    ['why', 'my en']
    >>> split("jobrun list ")
    ['list', '']
    """
    for end in ("", "'", '"'):  # a quote may still be open
        with suppress(ValueError):
            words = shlex.split(line + end)
            return [*words, ""][1:] if not end and line[-1:].isspace() else words[1:] or [""]
    return [""]


def answers(asked: Wanted, path: Path, shell: str) -> Iterator[str]:
    """Yield a line for each word that could be meant; bash gets what follows its last break of a word."""
    found = [*asked.choices, *_live(asked, path)]
    prefix = asked.typed
    for word, meaning in dict.fromkeys(found):
        if not word.startswith(prefix) or not _is_harmless(word):
            continue
        whole = f"{asked.before}{word}"
        if shell == "bash":
            yield _after_break(whole, f"{asked.before}{prefix}")
        else:
            yield f"{whole}\t{safe_line(meaning)}"
    if Need.FILE in asked.needs:
        yield FILES


def _is_harmless(word: str) -> bool:
    """Say whether a shell could put a word into its line as it is."""
    return bool(word) and word.isprintable() and not re.search(r"[\s'\"\\$`;&|<>(){}*?!#~]", word)


def _after_break(word: str, typed: str) -> str:
    breaks = list(_BREAK.finditer(typed))
    return word[breaks[-1].end() :] if breaks else word


def _live(asked: Wanted, path: Path) -> Choices:
    """Return what the job file names; nothing when it cannot be read just now."""
    needs = asked.needs - {Need.FILE}
    found: list[tuple[str, str]] = []
    if Need.STATE in needs:
        found += [(word, "") for word in STATE_WORDS.split(", ")]
    if not needs - {Need.STATE} or not store_exists(path):
        return tuple(found)
    with suppress(JobrunError), open_store(path, patience_s=PATIENCE_S) as store:
        for need in sorted(needs - {Need.STATE}):
            found += _LOOKS[need](store, asked.verb)
    return tuple(found)


def _ids(store: Store, verb: str) -> list[tuple[str, str]]:
    return [(str(job.id), _in_short(job)) for job in naming.jobs(store, verb)]


def _in_short(job: Job) -> str:
    return f"{job.state}: {job.name or job.task}"[:_SHOWN]


def _plain(look: Callable[[Store], Sequence[str]]) -> Callable[[Store, str], list[tuple[str, str]]]:
    return lambda store, _verb: [(word, "") for word in look(store)]


_LOOKS: dict[Need, Callable[[Store, str], list[tuple[str, str]]]] = {
    Need.ID: _ids,
    Need.QUEUE: _plain(naming.queues),
    Need.TASK: _plain(naming.tasks),
    Need.TAG: _plain(naming.tags),
    Need.ENTRY: _plain(naming.entries),
}
