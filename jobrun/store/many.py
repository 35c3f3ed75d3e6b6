"""Many rows as the VALUES of one statement: to begin a statement for each takes longer than all the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from jobrun.store.database import Database

AT_ONCE = (16, 4, 1)  # rows of one statement; more make it no faster, but slow to prepare


def run_for_all(database: Database, sql: str, rows: Sequence[Sequence[object]]) -> list[Any]:
    """Run a statement that has %s in the place of VALUES, for all rows; return all that it returns."""
    columns = columns_of(sql)
    shared, own = apart(columns, rows)
    return [
        row
        for values, arguments in in_values(columns, shared, own)
        for row in database.rows(sql % values, arguments)
    ]


@lru_cache
def columns_of(sql: str) -> tuple[str, ...]:
    """Return the names in the first parentheses of a statement: those of the columns that it is given."""
    return tuple(sql[sql.index("(") + 1 : sql.index(")")].replace(",", " ").split())


def in_values(
    columns: Sequence[str], shared: Mapping[str, object], rows: Sequence[Sequence[object]]
) -> Iterator[tuple[str, list[object]]]:
    """Yield `VALUES (...), (...)` and its parameters, as often as it takes.

    What is the same in all rows is `shared`, in the order of `columns`, and is bound once; a row holds
    the others, in that order, too.
    """
    own = tuple(name for name in columns if name not in shared)
    first = 0
    for count in AT_ONCE:
        while len(rows) - first >= count:
            some = chain.from_iterable(rows[first : first + count])
            yield _values(tuple(columns), own, count), [*shared.values(), *some]
            first += count


def apart(
    columns: Sequence[str], rows: Sequence[Sequence[object]]
) -> tuple[dict[str, object], list[tuple[object, ...]]]:
    """Return what is the same in all rows, by name, and what each has besides; the first column is its own."""
    if not rows:
        return {}, []
    by_column = dict(zip(columns, zip(*rows, strict=True), strict=True))
    shared = {
        name: values[0]
        for name, values in by_column.items()
        if name != columns[0] and values.count(values[0]) == len(values)
    }
    return shared, list(
        zip(*(values for name, values in by_column.items() if name not in shared), strict=True)
    )


@lru_cache
def _values(columns: Sequence[str], own: Sequence[str], count: int) -> str:
    places = {name: number for number, name in enumerate((name for name in columns if name not in own), 1)}
    rows = []
    for first in range(len(places) + 1, len(places) + 1 + count * len(own), len(own)):
        numbers = places | {name: first + number for number, name in enumerate(own)}
        rows.append(f"({', '.join(f'?{numbers[name]}' for name in columns)})")
    return f"VALUES {', '.join(rows)}"
