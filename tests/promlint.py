"""What is wrong with a text for Prometheus, as `promtool check metrics` would say, and what its reader would trip over."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

ABBREVIATED = {"s", "ms", "us", "ns", "sec", "min", "b", "kb", "mb", "gb", "bytes_total_b", "pct"}
OTHER_UNITS = {"milliseconds", "minutes", "hours", "days", "kilobytes", "megabytes", "percent"}
TYPES = {"counter", "gauge", "histogram", "summary"}
SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def faults(text: str) -> list[str]:
    """Return all that is wrong."""
    found = list(_of_lines(text))
    for family in text_string_to_metric_families(text):
        found += [*_of_name(family.name, family.type), *_of_samples(family)]
        if family.type == "histogram":
            found += _of_histogram(family)
    return found


def _of_lines(text: str) -> Iterator[str]:
    if not text.endswith("\n"):
        yield "no end of line at the end"
    told: dict[str, set[str]] = {}
    for line in text.splitlines():
        if found := re.fullmatch(r"# (HELP|TYPE) (\S+) (.+)", line):
            told.setdefault(found[2], set()).add(found[1])
            if found[1] == "TYPE" and found[3] == "counter" and not found[2].endswith("_total"):
                yield f"{found[2]}: is a counter and does not end with _total"
        elif not line.startswith("#"):
            name = re.split(r"[{ ]", line, maxsplit=1)[0]
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            if {"HELP", "TYPE"} not in (told.get(name), told.get(base)):
                yield f"{name}: no HELP and TYPE before it"
    yield from (f"{name}: HELP or TYPE is missing" for name, both in told.items() if len(both) < 2)


def _of_name(name: str, kind: str) -> Iterator[str]:
    words = set(name.split("_"))
    if kind not in TYPES:
        yield f"{name}: has no type"
    if SNAKE.fullmatch(name) is None:
        yield f"{name}: is not written as snake_case"
    if words & (ABBREVIATED | OTHER_UNITS):
        yield f"{name}: is not in base units"
    if words & TYPES:
        yield f"{name}: has its type in its name"
    if name.endswith(("_total", "_bucket", "_sum", "_count")):
        yield f"{name}: ends with a suffix that is reserved"


def _of_samples(family: Metric) -> Iterator[str]:
    series = Counter((each.name, *sorted(each.labels.items())) for each in family.samples)
    yield from (f"{each}: is there {times} times" for each, times in series.items() if times > 1)
    for sample in family.samples:
        if family.type != "histogram" and {"le", "quantile"} & sample.labels.keys():
            yield f"{family.name}: has a label that is reserved"
        if family.type == "counter" and not (sample.value >= 0 and math.isfinite(sample.value)):
            yield f"{family.name}: a counter is {sample.value:g}"


def _of_histogram(family: Metric) -> Iterator[str]:
    buckets: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    counts, sums = {}, set()
    for sample in family.samples:
        labels = dict(sample.labels)
        edge = float(labels.pop("le", "nan"))
        of = tuple(sorted(labels.items()))
        if sample.name.endswith("_bucket"):
            buckets.setdefault(of, []).append((edge, sample.value))
        elif sample.name.endswith("_count"):
            counts[of] = sample.value
        elif sample.name.endswith("_sum"):
            sums.add(of)
    for of, steps in buckets.items():
        if steps != sorted(steps) or [n for _, n in steps] != sorted(n for _, n in steps):
            yield f"{family.name}: buckets are not cumulative"
        if steps[-1] != (math.inf, counts.get(of)):
            yield f"{family.name}: the last bucket is not +Inf with the count"
        if of not in sums:
            yield f"{family.name}: has no sum"
