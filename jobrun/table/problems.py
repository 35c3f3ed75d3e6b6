"""What is wrong with a table: everything at once, each with its file, line and key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from jobrun.errors import UsageError, meant
from jobrun.table.skeleton import Place, Skeleton
from jobrun.units import plural

MOST = 50  # then nobody reads on, and a hostile table would go on for long

_BARE = re.compile(r"[A-Za-z0-9_-]+")


class TableError(UsageError):
    """A table that is not as it should be; `details` are its problems, in the order of its lines."""

    def __init__(self, path: Path, problems: Iterable[tuple[int, str]], *, is_all: bool = True) -> None:
        """Take problems as pairs of a line and a text; a text may begin with a column."""
        lines = [f"{path}:{line}:{text}" for line, text in sorted(problems, key=lambda problem: problem[0])]
        count = plural(len(lines), "problem") if is_all else f"more than {MOST} problems"
        super().__init__(f"`{path}` has {count}", details=lines)


class Several(UsageError):
    """Several values of one table are wrong."""

    def __init__(self, errors: Mapping[str, UsageError]) -> None:
        """Take what is wrong, by the names of the values."""
        super().__init__(f"{len(errors)} values are wrong")
        self.errors = errors


class TooMany(Exception):
    """There are `MOST` problems; look no further."""


class Problems:
    """The problems of one table as they are found."""

    def __init__(self, path: Path, skeleton: Skeleton) -> None:
        self._path = path
        self._skeleton = skeleton
        self._found: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._found)

    def at(self, *place: str) -> Spot:
        return Spot(self, place)

    def line_of(self, place: Place) -> int:
        return self._skeleton.line_of(place)

    def add(self, place: Place, error: UsageError) -> None:
        if len(self._found) == MOST:
            raise TooMany
        self._found.append((self.line_of(place), self._said(place, error)))

    def remark(self, place: Place, text: str) -> str:
        """Word what is no problem, but worth a thought, in the form of one."""
        return f"{self._path}:{self.line_of(place)}:{self._said(place, UsageError(text))}"

    def error(self, *, is_all: bool) -> TableError:
        return TableError(self._path, self._found, is_all=is_all)

    def _said(self, place: Place, error: UsageError) -> str:
        name = ".".join(part if _BARE.fullmatch(part) else f'"{part[:64]}"' for part in place)
        return f" {name}: " + "; ".join([error.message, error.hint] if error.hint else [error.message])


class Spot:
    """One TOML table while it is read: where its problems go."""

    def __init__(self, problems: Problems, place: Place) -> None:
        self._problems = problems
        self._place = place
        self._before = len(problems)

    @property
    def is_clean(self) -> bool:
        return len(self._problems) == self._before

    @property
    def name(self) -> str:
        return ".".join(self._place)

    @property
    def line(self) -> int:
        return self._problems.line_of(self._place)

    def add(self, key: str, error: UsageError) -> None:
        """Add what is wrong with a key, or with the table itself if `key` is empty."""
        place = (*self._place, key) if key else self._place
        if isinstance(error, Several):
            for name, each in error.errors.items():
                self._problems.add((*place, name), each)
        else:
            self._problems.add(place, error)

    @contextmanager
    def blame(self, key: str) -> Iterator[None]:
        """Add what goes wrong meanwhile."""
        try:
            yield
        except UsageError as error:
            self.add(key, error)


def unknown(what: str, word: str, known: Iterable[str], *, otherwise: str | None = None) -> UsageError:
    """Return the error for a word that nobody knows, with the nearest that somebody does."""
    return UsageError(f"{what} `{word[:64]}`", hint=meant(word, known, otherwise))
