"""The only process of a group that opens the store: claims, hands out, settles, enforces limits."""

from jobrun.dispatcher.desk import Desk
from jobrun.dispatcher.process import run

__all__ = ["Desk", "run"]
