"""What a monitor reads of health: one line after the guidelines of monitoring plugins, or JSON.

See www.monitoring-plugins.org/doc/guidelines.html. The line ends with performance data:
`name=value[unit];warning;critical;least`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from jobrun.cli.safe import safe_line
from jobrun.health import Gauge, Health
from jobrun.units import rfc3339


def line(found: Health) -> str:
    """Return the line; a bar in what it names would begin the performance data."""
    told = verdict(found).replace("|", "\\x7c")
    return f"{told} | {' '.join(map(_drawn, found.gauges))}"


def verdict(found: Health) -> str:
    """Return what a person reads of the line."""
    return f"{found.level.name} - {safe_line(', '.join(fact.text for fact in found.facts))}"


def health_object(found: Health, *, queue: str | None, at: datetime) -> dict[str, Any]:
    return {
        "level": found.level.name.lower(),
        "code": int(found.level),
        "at": rfc3339(at),
        "queue": queue,
        "facts": [{"level": fact.level.name.lower(), "text": fact.text} for fact in found.facts],
        "paused": list(found.paused),
        "measures": {
            gauge.name: {
                "value": gauge.value,
                "warning": gauge.limit.warning,
                "critical": gauge.limit.critical,
            }
            for gauge in found.gauges
        },
    }


def _drawn(gauge: Gauge) -> str:
    unit = "s" if gauge.is_time else ""
    end = ":" if gauge.limit.is_least else ""  # `4:` is the range from 4 on, outside of which it alarms
    edges = [
        "" if edge is None else f"{_number(edge)}{end}"
        for edge in (gauge.limit.warning, gauge.limit.critical)
    ]
    return f"{gauge.name}={_number(gauge.value)}{unit};{';'.join(edges)};0"


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3f}".rstrip("0").rstrip(".")
