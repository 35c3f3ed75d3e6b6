"""The process that forks, reaps, restarts and passes on signals; it knows no jobs.

    supervisor           opens no store, imports no user code, has no threads
     |-- dispatcher      replaced when it dies; ends the group when it exits with 4 or 5
     `-- worker x N      replaced when they die, with back-off

It keeps a copy of the dispatcher's end of every worker's socket pair, so that a dispatcher killed by
SIGKILL is replaced and loses no running job and no result.
"""

from jobrun.supervisor.house import run
from jobrun.supervisor.settings import Settings

__all__ = ["Settings", "run"]
