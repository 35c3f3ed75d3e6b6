"""Measure what grows with a job file: cost of a job, size of the file, the WAL, waits behind a purge.

    python -m bench.scale [--to ROWS] [--rounds N] [--folder FOLDER] [--curves FOLDER] [sizes] [breadth] [purge] [wal]

    sizes    enqueue, claim and end, promote, purge, checkpoint, status with 10^3 ... ROWS (10^7) rows in the file;
             one in ten is ready, one in ten scheduled
    breadth  the same with 10^4 queues, with a key for each job, and for 64 workers
    purge    the longest wait of an enqueue while 10^6 jobs (a tenth of ROWS) are purged, and without
    wal      size of the WAL under load: nobody reads, short reads overlap, one read stays open

A round asks every file in turn, small and large, and the smallest has a twin: how far the twins are apart is
what this machine adds. Figures are medians, wall and CPU time. The curves of `sizes` are written to docs/.
Files of 10^7 rows take 3 GB in a folder below the working directory, unless another is named.
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from bench.curves import draw
from bench.filling import TASK, claim, end_running, fill
from bench.stalls import purge, wal
from jobrun.actions.looking import listing, overview
from jobrun.model import JobFilter, Kind, NewJob, State
from jobrun.store import Store, open_store

ALONE, BATCH, DUE, GROUP = (
    24,
    100,
    20,
    16,
)  # jobs of a round: enqueued one by one, at once; due; claimed at once
SLOW = 6  # only in every so many rounds is the whole file looked at
DOCS = Path(__file__).resolve().parent.parent / "docs"

WHOLE = "a job, all of these"
LIFE = ("enqueue, 100 at once", "claim and end, by 16", "purge, 144 at once", "checkpoint, a job")

Maker = Callable[[Path], None]
Samples = dict[str, list[tuple[float, float]]]  # by what is done: wall and CPU seconds


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("--to", type=int, default=10_000_000, metavar="ROWS")
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--rounds", type=int, default=30, metavar="N")
    parser.add_argument("--curves", type=Path, default=DOCS, metavar="FOLDER")
    given = parser.parse_args()
    parts: dict[str, Callable[[Path], None]] = {
        "sizes": partial(sizes, largest=given.to, rounds=given.rounds, curves=given.curves),
        "breadth": partial(breadth, largest=given.to, rounds=given.rounds),
        "purge": partial(purge, count=given.to // 10),
        "wal": wal,
    }
    print(
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores, "
        f"Linux {platform.release()}, synchronous=FULL"
    )
    for name in given.parts or parts:
        with tempfile.TemporaryDirectory(dir=given.folder, prefix="bench-") as folder:
            parts[name](Path(folder).absolute())


def sizes(folder: Path, *, largest: int, rounds: int, curves: Path) -> None:
    """Print and draw the cost of each verb by the number of rows."""
    counts = [10**power for power in range(3, 9) if 10**power <= largest]
    makers: dict[str, Maker] = {f"{count:,}": partial(fill, rows=count) for count in counts}
    makers["1,000 again"] = partial(fill, rows=1_000)
    weights, samples = measure(folder, makers, rounds)
    table(
        "file, bytes a row",
        {name: weights[name] / count for name, count in zip(makers, counts, strict=False)},
    )
    for taken in samples.values():
        taken[WHOLE] = [
            (sum(wall for wall, _ in parts), sum(cpu for _, cpu in parts))
            for parts in zip(*(taken[verb] for verb in LIFE), strict=True)
        ]
    for verb in samples["1,000"]:
        show(verb, {name: samples[name][verb] for name in makers}, base="1,000")
    curves.mkdir(exist_ok=True)
    for title, place in (("wall time", 0), ("CPU time", 1)):
        series = {
            verb: [
                (
                    count,
                    max(statistics.median(pair[place] for pair in samples[f"{count:,}"][verb]) * 1e6, 0.1),
                )
                for count in counts
            ]
            for verb in samples["1,000"]
        }
        text = draw(f"{title}, by rows in the file", "rows", "µs a job or call", series)
        (curves / f"scale-{title.split()[0].lower()}.svg").write_text(text, encoding="utf-8")


def breadth(folder: Path, *, largest: int, rounds: int) -> None:
    """Print the cost of each verb with many queues and many keys, and for many workers."""
    rows = min(largest, 1_000_000)
    makers: dict[str, Maker] = {
        "plain": partial(fill, rows=rows),
        "plain again": partial(fill, rows=rows),
        "10^4 queues": partial(fill, rows=rows, queues=10_000),
        "keys": partial(fill, rows=rows, keys=True),
        "64 workers": partial(fill, rows=rows),
    }
    _, samples = measure(folder, makers, rounds)
    for verb in samples["plain"]:
        show(verb, {name: samples[name][verb] for name in makers}, base="plain")


def measure(folder: Path, makers: dict[str, Maker], rounds: int) -> tuple[dict[str, int], dict[str, Samples]]:
    """Make files, do the same rounds in each of them in turn; return their sizes and what was measured."""
    weights: dict[str, int] = {}
    samples: dict[str, Samples] = {name: {} for name in makers}
    with ExitStack() as stack:
        stores = {}
        for number, (name, make) in enumerate(makers.items()):
            path = folder / f"{number}.db"
            make(path)
            weights[name] = path.stat().st_size
            stores[name] = stack.enter_context(open_store(path))
        for number in range(rounds + 1):
            turns = list(stores.items())
            for name, store in turns if number % 2 else reversed(turns):  # each comes after its neighbours
                done = samples[name] if number else {}  # the first round only warms
                do_round(store, name, done, is_slow=number % SLOW == 1)
    return weights, samples


def do_round(store: Store, name: str, samples: Samples, *, is_slow: bool) -> None:
    """Add jobs, run them and purge as many: the file stays as large as it is."""
    now = datetime.now(UTC)
    one, soon = _job(name, now), _job(name, now + timedelta(milliseconds=1))
    with timed(samples, "enqueue, one by one", ALONE):
        for _ in range(ALONE):
            store.intake.add([one()], now=now)
    with timed(samples, "enqueue, 100 at once", BATCH):
        store.intake.add([one() for _ in range(BATCH)], now=now)
    store.intake.add([soon() for _ in range(DUE)], now=now)
    later = now + timedelta(seconds=1)
    with timed(samples, "promote, 20 at once", DUE):
        assert store.queue.promote(now=later) == DUE
    count, workers = ALONE + BATCH + DUE, 64 if "64" in name else 2
    with timed(samples, "claim and end, by 16", count):
        jobs = claim(store, GROUP, workers=workers, now=later)
        for _ in range(0, count - GROUP, GROUP):
            with store.group():
                end_running(store, jobs, now=later)
                jobs = claim(store, GROUP, workers=workers, now=later)
        end_running(store, jobs, now=later)
    with timed(samples, "purge, 144 at once", count):
        ids = store.ledger.ended_before(later + timedelta(hours=1), [State.SUCCEEDED], limit=count)
        assert store.orders.purge(ids) == count
    with timed(samples, "checkpoint, a job", count):
        store.checkpoint()
    look(store, samples, is_slow=is_slow)


def look(store: Store, samples: Samples, *, is_slow: bool) -> None:
    """Read, as people do."""
    ids = store.ledger.ids(JobFilter(), limit=20)
    with timed(samples, "look at one job", len(ids)):
        for job_id in ids:
            store.ledger.get(job_id)
    with timed(samples, "list, newest 20", 1):
        listing(store, JobFilter(), limit=20)
    if is_slow:
        with timed(samples, "status", 1):
            overview(store)


def _job(name: str, run_at: datetime) -> Callable[[], NewJob]:
    def make() -> NewJob:
        queue = f"queue-{int.from_bytes(os.urandom(4)) % 10_000}" if "queues" in name else "default"
        key = os.urandom(8).hex() if "keys" in name else None
        return NewJob(kind=Kind.CALL, task=TASK, args=(4711,), queue=queue, key=key, run_at=run_at)

    return make


@contextmanager
def timed(samples: Samples, verb: str, count: int) -> Iterator[None]:
    """Keep the seconds of each of `count` jobs or calls."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    taken = (time.perf_counter() - wall) / count, (time.process_time() - cpu) / count
    samples.setdefault(verb, []).append(taken)


def show(verb: str, samples: dict[str, list[tuple[float, float]]], *, base: str) -> None:
    """Print medians, and how many times those of `base` they are."""
    for title, place in (("wall", 0), ("CPU", 1)):
        medians = {
            name: statistics.median(pair[place] for pair in taken) * 1e6 for name, taken in samples.items()
        }
        table(f"{verb}, µs {title}", medians, base=medians[base])


def table(title: str, figures: dict[str, float], *, base: float | None = None) -> None:
    """Print one line of figures."""
    cells = [
        f"{name}: {figure:,.1f}" + (f" ({figure / base:.2f} x)" if base else "")
        for name, figure in figures.items()
    ]
    print(f"{title:34} {'  '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
