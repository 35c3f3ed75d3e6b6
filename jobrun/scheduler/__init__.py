"""The process that turns due ticks into jobs; it opens the store and imports no user code."""

from jobrun.scheduler.loop import run
from jobrun.scheduler.settings import Settings, World

__all__ = ["Settings", "World", "run"]
