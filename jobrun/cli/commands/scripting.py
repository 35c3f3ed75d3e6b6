"""inspect --sh: a job as a script; loaded for it alone."""

from __future__ import annotations

import sys
from pathlib import Path

from jobrun.actions import looking
from jobrun.actions.reordering import order_again
from jobrun.cli.scripts import script
from jobrun.run.mark import variables
from jobrun.run.surroundings import as_bytes
from jobrun.store import open_store


def print_script(path: Path, job_id: int, *, show_secrets: bool) -> None:
    """Print the script of a job, byte for byte. Raises `NoSuchJob`."""
    with open_store(path) as store:
        job = looking.get(store, job_id)
        order = order_again(store, job)
    told = script(job, order, variables(order, path.absolute()), show_secrets=show_secrets)
    sys.stdout.flush()
    sys.stdout.buffer.write(as_bytes(told))
