"""What Prometheus reads: all numbers of a job file in its text format.

Names follow prometheus.io/docs/practices/naming. Every metric is there from the first moment, and counters only grow.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from jobrun import __version__
from jobrun.actions.metrics import Snapshot
from jobrun.cli.series import Labels, histograms, naming, summed
from jobrun.measures import QueueMeasure
from jobrun.queues import public


def text(found: Snapshot) -> bytes:
    """Return the text, as a collector takes it."""
    registry = CollectorRegistry()
    registry.register(cast("Collector", _Once(list(_families(found)))))
    return generate_latest(registry)


@dataclass(frozen=True, slots=True, eq=False)  # a registry tells collectors apart by what they are
class _Once:
    """Numbers that were taken once, as a collector."""

    families: list[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.families


def _families(found: Snapshot) -> Iterator[Metric]:
    yield InfoMetricFamily(
        "jobrun_build",
        "Versions of jobrun and of what it runs with.",
        {"version": __version__, "python": platform.python_version(), "sqlite": found.sqlite},
    )
    yield from _queues(found)
    yield from _jobs(found)
    yield from _attempts(found)
    yield from _people(found)
    yield from _entries(found)
    yield _gauge("jobrun_job_file_size_bytes", "Size of the job file.", found.file_size)
    yield _gauge("jobrun_wal_size_bytes", "Size of the WAL beside the job file.", found.wal_size)


def _queues(found: Snapshot) -> Iterator[Metric]:
    at, measured = found.measures.at, found.measures.queues
    known = {each.queue: each for each in measured}
    for each in found.tallies.jobs:  # a queue that is empty now is no less a queue
        empty = QueueMeasure(queue=public(each.queue), ready=0, running=0, oldest_at=None, pause=None)
        known.setdefault(empty.queue, empty)
    label = naming(known)
    rows = [((label(name),), measure) for name, measure in known.items()]
    waits: dict[Labels, float] = {}
    for of, queue in sorted(rows, key=lambda row: row[0]):
        waits[of] = max(waits.get(of, 0.0), queue.oldest_wait(at).total_seconds())
    told = "Jobs that are due and wait for a worker."
    yield _gauges("jobrun_queue_depth", told, ("queue",), summed((of, row.ready) for of, row in rows))
    told = "How long the longest waiting job of a queue has been due; 0 when none waits."
    yield _gauges("jobrun_queue_oldest_wait_seconds", told, ("queue",), waits)
    paused = summed((of, row.pause is not None) for of, row in rows)
    told = "1 while a queue is paused, 0 while it is not."
    yield _gauges("jobrun_queue_paused", told, ("queue",), {of: min(n, 1) for of, n in paused.items()})
    told = "Jobs that run."
    yield _gauges("jobrun_jobs_running", told, ("queue",), summed((of, row.running) for of, row in rows))


def _jobs(found: Snapshot) -> Iterator[Metric]:
    now, tallies = found.measures, found.tallies.jobs
    yield _gauge("jobrun_jobs_scheduled", "Jobs that are due later.", now.scheduled)
    yield _gauge("jobrun_jobs_failed", "Failed jobs that are kept for a person to look at.", now.failed)
    yield _gauge("jobrun_jobs_crashed", "Crashed jobs that are kept for a person to look at.", now.crashed)
    queue, task = naming(public(each.queue) for each in tallies), naming(each.work for each in tallies)
    yield _counters(
        "jobrun_jobs",
        "Jobs that ended, by how they ended. The task is the entry of a table, or the function, or the kind.",
        ("queue", "task", "state"),
        summed(((queue(public(each.queue)), task(each.work), each.state), each.count) for each in tallies),
    )


def _attempts(found: Snapshot) -> Iterator[Metric]:
    tallies = found.tallies.attempts
    task = naming(each.work for each in tallies)
    counts = summed(((task(each.work), each.outcome), each.count) for each in tallies)
    told = "Attempts that ended, by how they ended."
    yield _counters("jobrun_attempts", told, ("task", "outcome"), counts)
    durations = HistogramMetricFamily(
        "jobrun_attempt_duration_seconds", "How long attempts took, however they ended.", labels=["task"]
    )
    for work, (buckets, total) in histograms(tallies, found.tallies.steps_s).items():
        durations.add_metric([work], buckets, total)
    yield durations


def _people(found: Snapshot) -> Iterator[Metric]:
    workers: dict[Labels, float] = {("alive",): found.alive, ("dead",): found.dead}
    told = "Workers, alive by their locks; dead ones are not yet cleared away."
    yield _gauges("jobrun_workers", told, ("state",), workers)
    yield _gauge("jobrun_schedulers", "Tables that a living scheduler serves.", found.schedulers)


def _entries(found: Snapshot) -> Iterator[Metric]:
    tallies, rows, at = found.tallies.ticks, found.entries, found.measures.at
    told = "Ticks of all tables that no scheduler was there for."
    missed = sum(each.count for each in tallies if each.state == "missed")
    yield _counters("jobrun_ticks_missed", told, (), {(): missed})
    entry = naming([*(each.entry for each in tallies), *(row.name for row in rows)])
    counts = summed(((entry(each.entry), each.state), each.count) for each in tallies)
    told = "Ticks that were decided, by what became of them."
    yield _counters("jobrun_ticks", told, ("entry", "state"), counts)
    last: dict[Labels, float] = {}
    for row in rows:
        if row.last_success_at is not None:
            of = (entry(row.name),)
            last[of] = max(last.get(of, 0.0), row.last_success_at.timestamp())
    told = "When a job of an entry last succeeded."
    yield _gauges("jobrun_entry_last_success_timestamp_seconds", told, ("entry",), last)
    told = "Jobs of an entry that failed in a row; 0 after one that succeeded."
    failing = summed(((entry(row.name),), row.failed_runs) for row in rows)
    yield _gauges("jobrun_entry_failed_runs", told, ("entry",), failing)
    told = "1 while an entry is paused or disabled, 0 while it is not."
    resting = summed(((entry(row.name),), row.is_paused_at(at) or not row.is_enabled) for row in rows)
    yield _gauges("jobrun_entry_paused", told, ("entry",), {of: min(n, 1) for of, n in resting.items()})


def _gauge(name: str, told: str, number: float) -> Metric:
    return GaugeMetricFamily(name, told, value=number)


def _gauges(name: str, told: str, labels: Labels, numbers: Mapping[Labels, float]) -> Metric:
    family = GaugeMetricFamily(name, told, labels=labels)
    for values, number in numbers.items():
        family.add_metric(values, number)
    return family


def _counters(name: str, told: str, labels: Labels, numbers: Mapping[Labels, float]) -> Metric:
    family = CounterMetricFamily(name, told, labels=labels)
    for values, number in numbers.items():
        family.add_metric(values, number)
    return family
