"""A program that asks for jobs until it is killed, and notes each id it was given; it keeps the job file open.

    python -m tests.chaos.people.asker PAPER PAUSE_S

What it is refused it notes on standard error, one line each, and tries again.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import jobrun
from jobrun.errors import JobrunError
from jobrun.paths import default_path
from tests.chaos import ledger


def main(paper: str, pause_s: str) -> None:
    path = default_path(os.environ, is_root=False)
    while True:
        try:
            with jobrun.open(path) as jobs:
                while True:
                    ledger.write(Path(paper), [jobs.enqueue("chaostasks:short")])
                    time.sleep(float(pause_s))
        except JobrunError as error:
            sys.stderr.write(f"{type(error).__name__} {error}\n")
            sys.stderr.flush()
            time.sleep(float(pause_s))


if __name__ == "__main__":
    main(*sys.argv[1:])
