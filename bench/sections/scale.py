"""What grows with a job file: cost of a job, size of the file, the WAL, waits behind a purge.

A round asks every file in turn, small and large, and the smallest has a twin: how far the twins are apart is
what this machine adds. Figures are medians, wall and CPU time. Files of 10^7 rows take 3 GB.
"""

from __future__ import annotations

import os
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from bench.curves import draw
from bench.filling import TASK, claim, end_running, fill
from bench.sections import Plan, Report, at_most, tell
from bench.stalls import purge, wal
from bench.tables import aligned
from jobrun.actions.looking import listing, overview
from jobrun.model import JobFilter, Kind, NewJob, State
from jobrun.store import Store, open_store

# Jobs of a round: enqueued one by one, at once; due; claimed at once.
ALONE, BATCH, DUE, GROUP = 24, 100, 20, 16
SLOW = 6  # only in every so many rounds is the whole file looked at
ROUNDS = 30
READING = """\
- A round adds jobs to each file in turn, runs them in commits of 16, and purges as many; {rounds} rounds, medians. One in
  ten rows of a file is ready, one in ten scheduled, the others have ended. "again" is a twin of the first: how far they
  are apart is what this machine adds.
- Breadth: files of {breadth:,} rows, with 10^4 queues, with a key for each job, and jobs claimed for 64 workers.
"""
CURVES = "- The curves are `scale-wall.svg` and `scale-cpu.svg` in `{}`.\n"

WHOLE = "a job, all of these"
LIFE = ("enqueue, 100 at once", "claim and end, by 16", "purge, 144 at once", "checkpoint, a job")
CLOCKS = {"wall": 0, "CPU": 1}

Maker = Callable[[Path], None]
Samples = dict[str, list[tuple[float, float]]]  # by what is done: wall and CPU seconds


def measure(plan: Plan) -> Report:
    rounds = plan.of(ROUNDS, 1)
    parts = [partial(part, plan, rounds) for part in (_sizes, _breadth)]
    reports = [part() for part in (*parts, partial(_purge, plan), partial(_wal, plan))]
    return Report(
        "\n".join(report.text for report in reports)
        + "\n"
        + READING.format(rounds=rounds, breadth=_broad(plan))
        + (CURVES.format(plan.curves.name) if plan.curves else ""),
        tuple(goal for report in reports for goal in report.goals),
    )


def _sizes(plan: Plan, rounds: int) -> Report:
    """Compare files of all sizes, and draw the curves."""
    counts = [10**power for power in range(3, 9) if 10**power <= plan.rows]
    makers: dict[str, Maker] = {f"{count:,}": partial(fill, rows=count) for count in counts}
    makers["1,000 again"] = partial(fill, rows=1_000)
    weights, samples = _measure(plan.folder, makers, rounds)
    for taken in samples.values():
        taken[WHOLE] = [
            (sum(wall for wall, _ in parts), sum(cpu for _, cpu in parts))
            for parts in zip(*(taken[verb] for verb in LIFE), strict=True)
        ]
    if plan.curves:
        _draw_all(plan.curves, samples, counts)
    bytes_each = [f"{weights[name] / count:.0f}" for name, count in zip(makers, counts, strict=False)]
    sizes = aligned([("rows", *[f"{count:,}" for count in counts]), ("file, bytes a row", *bytes_each)])
    small, large = (_median(samples[f"{count:,}"][WHOLE], CLOCKS["CPU"]) for count in (counts[0], counts[-1]))
    goal = at_most(f"CPU of a job, 10^3 rows against {counts[-1]:,}", large / small, 1.3, "x")
    return Report("\n".join([sizes, *_tables(samples, last=f"{counts[-1]:,}")]), (goal,))


def _breadth(plan: Plan, rounds: int) -> Report:
    """Compare files of many queues and keys, and claims for many workers."""
    folder, rows = plan.folder, _broad(plan)
    plain = folder / "plain.db"
    fill(plain, rows)
    copied = partial(shutil.copyfile, plain)
    makers: dict[str, Maker] = {
        "plain": copied,
        "plain again": copied,
        "10^4 queues": partial(fill, rows=rows, queues=10_000),
        "keys": partial(fill, rows=rows, keys=True),
        "64 workers": copied,
    }
    _, samples = _measure(folder, makers, rounds)
    return Report("\n".join(_tables(samples)))


def _broad(plan: Plan) -> int:
    return min(plan.rows, 1_000_000)


def _purge(plan: Plan) -> Report:
    count = plan.rows // 10
    tell(f"scale: a purge of {count:,}")
    rows, longest_ms = purge(plan.folder, count=count, quiet_s=plan.of(50, 1) / 10)
    goal = at_most(f"longest wait of an enqueue while {count:,} jobs are purged", longest_ms, 50.0)
    return Report(aligned(rows), (goal,))


def _wal(plan: Plan) -> Report:
    tell("scale: the WAL")
    return Report(aligned(wal(plan.folder, load_s=plan.of(100, 2) / 10)))


def _draw_all(folder: Path, samples: Mapping[str, Samples], counts: list[int]) -> None:
    folder.mkdir(exist_ok=True)
    for clock, place in CLOCKS.items():
        series = {
            verb: [(n, max(_median(samples[f"{n:,}"][verb], place), 0.1)) for n in counts]
            for verb in samples["1,000"]
        }
        text = draw(f"{clock} time, by rows in the file", "rows", "µs a job or call", series)
        (folder / f"scale-{clock.lower()}.svg").write_text(text, encoding="utf-8")


def _measure(
    folder: Path, makers: dict[str, Maker], rounds: int
) -> tuple[dict[str, int], dict[str, Samples]]:
    """Make files, do the same rounds in each of them in turn; return their sizes and what was measured."""
    weights: dict[str, int] = {}
    samples: dict[str, Samples] = {name: {} for name in makers}
    with ExitStack() as stack:
        stores = {}
        for number, (name, make) in enumerate(makers.items()):
            path = folder / f"{len(makers)}-{number}.db"
            tell(f"scale: a file, {name}")
            make(path)
            weights[name] = path.stat().st_size
            stores[name] = stack.enter_context(open_store(path))
        for number in range(rounds + 1):
            turns = list(stores.items())
            for name, store in turns if number % 2 else reversed(turns):  # each comes after its neighbours
                done = samples[name] if number else {}  # the first round only warms
                _do_round(store, name, done, is_slow=number % SLOW == 1)
    return weights, samples


def _do_round(store: Store, name: str, samples: Samples, *, is_slow: bool) -> None:
    """Add jobs, run them and purge as many: the file stays as large as it is."""
    now = datetime.now(UTC)
    one, soon = _job(name, now), _job(name, now + timedelta(milliseconds=1))
    with _timed(samples, "enqueue, one by one", ALONE):
        for _ in range(ALONE):
            store.intake.add([one()], now=now)
    with _timed(samples, "enqueue, 100 at once", BATCH):
        store.intake.add([one() for _ in range(BATCH)], now=now)
    store.intake.add([soon() for _ in range(DUE)], now=now)
    later = now + timedelta(seconds=1)
    with _timed(samples, "promote, 20 at once", DUE):
        assert store.queue.promote(now=later) == DUE
    count, workers = ALONE + BATCH + DUE, 64 if "64" in name else 2
    with _timed(samples, "claim and end, by 16", count):
        jobs = claim(store, GROUP, workers=workers, now=later)
        for _ in range(0, count - GROUP, GROUP):
            with store.group():
                end_running(store, jobs, now=later)
                jobs = claim(store, GROUP, workers=workers, now=later)
        end_running(store, jobs, now=later)
    with _timed(samples, "purge, 144 at once", count):
        ids = store.ledger.ended_before(later + timedelta(hours=1), [State.SUCCEEDED], limit=count)
        assert store.orders.purge(ids) == count
    with _timed(samples, "checkpoint, a job", count):
        store.checkpoint()
    _look(store, samples, is_slow=is_slow)


def _look(store: Store, samples: Samples, *, is_slow: bool) -> None:
    """Read, as people do."""
    ids = store.ledger.ids(JobFilter(), limit=20)
    with _timed(samples, "look at one job", len(ids)):
        for job_id in ids:
            store.ledger.get(job_id)
    with _timed(samples, "list, newest 20", 1):
        listing(store, JobFilter(), limit=20)
    if is_slow:
        with _timed(samples, "status", 1):
            overview(store, now=datetime.now(UTC))


def _job(name: str, run_at: datetime) -> Callable[[], NewJob]:
    def make() -> NewJob:
        queue = f"queue-{int.from_bytes(os.urandom(4)) % 10_000}" if "queues" in name else "default"
        key = os.urandom(8).hex() if "keys" in name else None
        return NewJob(kind=Kind.CALL, task=TASK, args=(4711,), queue=queue, key=key, run_at=run_at)

    return make


@contextmanager
def _timed(samples: Samples, verb: str, count: int) -> Iterator[None]:
    """Keep the seconds of each of `count` jobs or calls."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    taken = (time.perf_counter() - wall) / count, (time.process_time() - cpu) / count
    samples.setdefault(verb, []).append(taken)


def _tables(samples: Mapping[str, Samples], *, last: str = "") -> list[str]:
    """Return a table for each clock: a line for each verb, a column for each file; a ratio for `last`."""
    [base, *_] = samples
    tables = []
    for clock, place in CLOCKS.items():
        rows: list[tuple[str, ...]] = [(f"µs {clock}", *samples, *([f"{last} : {base}"] if last else []))]
        for verb in samples[base]:
            medians = {name: _median(samples[name][verb], place) for name in samples}
            ratio = [f"{medians[last] / medians[base]:.2f}" if medians[base] else "-"] if last else []
            rows.append((verb, *[f"{median:,.1f}" for median in medians.values()], *ratio))
        tables.append(aligned(rows))
    return tables


def _median(taken: list[tuple[float, float]], place: int) -> float:
    """Return microseconds."""
    return statistics.median(pair[place] for pair in taken) * 1e6
