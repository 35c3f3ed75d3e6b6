"""What the processes of a group use, looked at again and again, and whether it grows."""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20
Points = list[tuple[float, float]]  # minutes, value


@dataclass(slots=True)
class Watch:
    """Series by name: memory in MiB and open descriptors of each process, and whatever is added."""

    memory: defaultdict[str, Points] = field(default_factory=lambda: defaultdict(list))
    descriptors: defaultdict[str, Points] = field(default_factory=lambda: defaultdict(list))
    wal: Points = field(default_factory=list)  # MiB
    wait: Points = field(default_factory=list)  # p99 of a minute, in ms

    def look(self, minute: float, processes: Mapping[str, int], wal: Path) -> None:
        """Add what these processes use now, and the size of the WAL."""
        for name, pid in processes.items():
            with contextlib.suppress(OSError):
                pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                self.memory[name].append((minute, pages * PAGE_MIB))
                self.descriptors[name].append((minute, len(os.listdir(f"/proc/{pid}/fd"))))
        with contextlib.suppress(OSError):
            self.wal.append((minute, wal.stat().st_size / 2**20))


def ends(points: Points) -> tuple[float, float]:
    """Return the median of the first third, without its start, and that of the last third.

    >>> ends([(0, 90), (1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (6, 2), (7, 4), (8, 5), (9, 4)])
    (1.0, 4)
    """
    third = max(len(points) // 3, 1)
    early = points[third // 3 : third] or points[:1]
    return _middle(early), _middle(points[-third:])


def growth(points: Points) -> float:
    """Return by how much the last third lies above the first.

    >>> growth([(0, 5.0), (1, 5.0), (2, 5.0), (3, 7.5), (4, 7.5), (5, 7.5)])
    2.5
    """
    first, last = ends(points)
    return last - first


def _middle(points: Sequence[tuple[float, float]]) -> float:
    return median(value for _, value in points)
