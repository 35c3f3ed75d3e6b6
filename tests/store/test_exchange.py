"""An export that is imported is the same job file; whatever is drawn, it is sound."""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings

from jobrun.actions import exchange
from jobrun.actions.exchange import Source
from jobrun.store import Store, open_store
from jobrun.store.exporting import Wanted
from jobrun.store.importing import Choice
from jobrun.units import from_ms
from tests.store.machine import GROUND, START
from tests.store.wholemachine import StoreMachine

NOW = from_ms(START + 10_000_000)
Lines = list[dict[str, Any]]


def exported(store: Store, **wanted: Any) -> Lines:
    pages = exchange.lines(
        store, Wanted(**{"with_environments": True, **wanted}), now=NOW, tell=lambda _: None
    )
    return [line for page in pages for line in page]


def imported(lines: Lines, path: Path, **choice: Any) -> exchange.Imported:
    text = "".join(json.dumps(line) + "\n" for line in lines).encode()
    return exchange.take_in(
        path, Source(stream=io.BytesIO(text), name="lines"), Choice(**choice), lambda _: None
    )


def unsound(store: Store) -> list[str]:
    found = [
        broken.what for range_ in store.soundness.job_ranges() for broken in store.soundness.jobs(*range_)
    ]
    return [*found, *(broken.what for broken in store.soundness.rest(is_full=True))]


class ExchangeMachine(StoreMachine):
    """A store that is exported at the end of each history, when most is in it."""

    def teardown(self) -> None:
        try:
            self.go_round()
        finally:
            super().teardown()

    def go_round(self) -> None:
        first = exported(self.store)
        assert unsound(self.store) == []
        with tempfile.TemporaryDirectory(dir=GROUND) as folder:
            generations = [first]
            for name in ("b.db", "c.db"):
                imported(generations[-1], Path(folder) / name)
                with open_store(Path(folder) / name) as store:
                    generations.append(exported(store))
                    assert unsound(store) == []
        assert generations[1] == generations[2]
        is_calm = not any(
            row["state"] == "running"
            or (row["queue"].startswith(".") and row["state"] in {"scheduled", "ready"})
            for row in self.paper.jobs.values()
        )
        if is_calm:
            assert generations[0] == generations[1]


TestExchange = ExchangeMachine.TestCase
TestExchange.settings = settings(max_examples=50, stateful_step_count=80, deadline=None)
