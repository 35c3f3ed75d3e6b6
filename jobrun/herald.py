"""A program that runs the jobs of one reserved queue and leaves: the scheduler's, for alerts that no worker tells.

python -m jobrun.herald JOB_FILE QUEUE DURABILITY
"""

from __future__ import annotations

import sys
from pathlib import Path

from jobrun.errors import JobrunError
from jobrun.log import Log
from jobrun.supervisor import Settings, run


def main(path: str, queue: str, durability: str) -> int:
    """Run a group of one worker until nothing is due; return its exit code."""
    settings = Settings(
        path=Path(path), workers=1, queues=(queue,), burst=True, keep_s=None, durability=durability
    )
    try:
        return run(settings)
    except JobrunError as error:
        Log("herald").refuse(error)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
