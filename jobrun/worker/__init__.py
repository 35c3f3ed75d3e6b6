"""The process that runs user code, one job at a time; it never opens the store."""

from jobrun.worker.loop import Post, run

__all__ = ["Post", "run"]
