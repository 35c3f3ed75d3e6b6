"""Measure jobrun and its peers in one run, and print a table.

When all of them were measured, in full, the page of results is written too: bench/RESULTS.md unless --to names
another. A peer that is missing or fails has a line that says why; the others go on.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

from bench.peers import ROOT
from bench.peers.catalogue import PEERS
from bench.peers.environments import interpreter
from bench.peers.measure import Broken, bulk, describe, pick_up, speed
from bench.peers.report import Figures, page, table
from bench.peers.servers import Missing, check

RESULTS = ROOT / "bench" / "RESULTS.md"
QUICK, PACED, QUICK_PACED = 100, 200, 20


def main() -> None:
    wanted = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and workers are ended too
    names = wanted.peer or list(PEERS)
    found = {name: Figures(jobs=QUICK if wanted.quick else PEERS[name].jobs) for name in names}
    rounds = 1 if wanted.quick else wanted.rounds
    with tempfile.TemporaryDirectory(prefix="jobrun-bench-", dir=wanted.folder) as folder:
        top = Path(folder)
        top.chmod(0o711)  # PostgreSQL, as another user, has its own folder in there
        try:
            for number in range(rounds):
                for name in [name for name in names if not found[name].failed]:
                    _tell(f"round {number + 1} of {rounds}: {name}")
                    _measure(name, found[name], top, QUICK_PACED if wanted.quick else PACED)
        finally:  # also of a run that was cut short
            print(table(found), flush=True)
        to = wanted.to or (RESULTS if not wanted.quick and not wanted.peer else None)
        if to:
            to.write_text(page(found, top, rounds), encoding="utf-8")
            _tell(f"written: {to}")
    failed = [name for name in names if not found[name].speeds]
    sys.exit(1 if len(failed) == len(names) else 0)


def _measure(name: str, figures: Figures, top: Path, paced: int) -> None:
    """Take one more sample of each kind; pick-up is a distribution already, once is enough."""
    peer = PEERS[name]
    try:
        if peer.server:
            check(peer.server)
        python = interpreter(peer.environment)
        figures.told = figures.told or describe(peer, python, top)
        figures.speeds.append(speed(peer, python, top, figures.jobs))
        if figures.told["bulk"]:
            figures.bulks.append(bulk(peer, python, top, figures.jobs))
        figures.waits_ms = figures.waits_ms or pick_up(peer, python, top, paced)
    except (Missing, Broken) as why:
        figures.failed = str(why)
        _tell(f"{name}: {why}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./install.sh bench", description="Measure jobrun and its peers.")
    parser.add_argument("peer", nargs="*", help=f"these only, of: {', '.join(PEERS)}")
    parser.add_argument(
        "--quick", action="store_true", help="few jobs, once: shows that it works, measures nothing"
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="samples of each figure (3)")
    parser.add_argument("--to", type=Path, metavar="FILE", help="write the page of results here in any case")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("/var/tmp"),
        metavar="DIR",
        help="on the disk to measure (/var/tmp)",
    )
    options = parser.parse_args()
    unknown = [word for word in options.peer if word not in PEERS]
    if unknown:
        parser.error(f"`{unknown[0]}` is none of {', '.join(PEERS)}")
    if not os.access(options.folder, os.W_OK):
        parser.error(f"`{options.folder}` cannot be written")
    return options


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
