"""Hurt jobrun in every way that its promise speaks of, and print what was tried and what held."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from random import SystemRandom
from threading import Event

from tests.chaos.drills import DRILLS
from tests.chaos.report import Tally, table
from tests.chaos.rounds import Found, run
from tests.chaos.trial import Drill

Begin = Callable[[str, int, float], Future[Found]]


def main() -> None:
    given = _options(sys.argv[1:])
    names = given.drill or [name for name, drill in DRILLS.items() if drill.share]
    print(f"seed {given.seed}, {given.minutes:g} minutes, {given.jobs} drills at a time: {', '.join(names)}")
    tallies = {name: Tally() for name in names}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _drive(given, tallies)
    except KeyboardInterrupt:
        print("stopped; what was tried until now:")
    print(f"\n{table(tallies)}", end="")
    sys.exit(any(tally.faults for tally in tallies.values()))


def _drive(given: argparse.Namespace, tallies: dict[str, Tally]) -> None:
    """Run rounds, always of the drill that is furthest behind its share, until the time is up."""
    stop = Event()
    with ThreadPoolExecutor(given.jobs) as pool:
        try:
            _run_all(given, tallies, lambda name, seed, s: pool.submit(run, name, seed, s, stop))
        finally:
            stop.set()  # if we are stopped, so is what runs


def _run_all(given: argparse.Namespace, tallies: dict[str, Tally], begin: Begin) -> None:
    end = time.monotonic() + given.minutes * 60
    running: dict[Future[Found], tuple[str, float]] = {}
    while True:
        while len(running) < given.jobs and (name := _next(given, tallies, end)):
            tally = tallies[name]
            seconds = _length(DRILLS[name], given)
            running[begin(name, given.seed + tally.started, seconds)] = name, seconds
            tally.started += 1
            tally.used_s += seconds
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            found = future.result()
            name, seconds = running.pop(future)
            tallies[name].add(found)
            tallies[name].used_s += found.took_s - seconds
            _tell(found)


def _length(drill: Drill, given: argparse.Namespace) -> float:
    """Return how long a round lasts, in seconds."""
    if given.seconds is not None:
        return float(given.seconds)
    return drill.long_s if drill.share else float(given.minutes * 60)


def _next(given: argparse.Namespace, tallies: dict[str, Tally], end: float) -> str | None:
    """Return whose turn it is; each gets a round at least, and none is begun after the end."""
    able = [
        name for name, tally in tallies.items() if not tally.cannot and _may_begin(name, tally, given, end)
    ]
    return min(able, key=lambda name: tallies[name].used_s / (DRILLS[name].share or 1), default=None)


def _may_begin(name: str, tally: Tally, given: argparse.Namespace, end: float) -> bool:
    """Say whether a drill may have one more round: so many as were asked for, or else until the end."""
    if given.rounds is not None:
        return tally.started < int(given.rounds)
    if tally.started == 0:
        return True
    return bool(DRILLS[name].share) and time.monotonic() < end


def _tell(found: Found) -> None:
    if found.faults:
        print(f"BROKEN {found.drill}, after {found.took_s:.0f} s; its files: {found.folder}")
        for fault in found.faults[:10]:
            print(f"    {fault}")
        print(f"    replay: {found.replay}", flush=True)
    elif found.cannot:
        print(f"not tried: {found.drill}: {found.cannot}", flush=True)
    else:
        figures = ", ".join(f"{number:,} {what}" for what, number in found.counts.items())
        print(f"held   {found.drill} seed {found.seed} in {found.took_s:.0f} s: {figures}", flush=True)


def _options(words: list[str]) -> argparse.Namespace:
    longest = max(map(len, DRILLS))
    levels = max(len(drill.level) for drill in DRILLS.values())
    drills = "".join(
        f"\n  {name:{longest}}  {drill.level:{levels}}  {drill.says}{'' if drill.share else '; only if it is named'}"
        for name, drill in DRILLS.items()
    )
    parser = argparse.ArgumentParser(
        prog="./install.sh chaos",
        description=__doc__,
        epilog=f"drills:{drills}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("drill", nargs="*", metavar="DRILL", help="these only")
    parser.add_argument("--minutes", type=float, default=10.0, metavar="N", help="how long (10)")
    parser.add_argument("--seed", type=int, metavar="S", help="of the first round of each drill (drawn)")
    parser.add_argument(
        "--rounds", type=int, metavar="N", help="so many of each drill, however long they take"
    )
    parser.add_argument("--seconds", type=float, metavar="N", help="how long a round goes on")
    parser.add_argument(
        "-j", "--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="drills at a time"
    )
    given = parser.parse_args(words)
    if unknown := [name for name in given.drill if name not in DRILLS]:
        parser.error(f"`{unknown[0]}` is none of {', '.join(DRILLS)}")
    if given.seed is None:
        given.seed = SystemRandom().randrange(1_000_000)
    return given


if __name__ == "__main__":
    main()
