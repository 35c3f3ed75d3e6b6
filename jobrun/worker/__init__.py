"""The process that runs user code, one job at a time; it never opens the store."""

from jobrun.worker.loop import run
from jobrun.worker.post import Post

__all__ = ["Post", "run"]
