"""What has a door of its own, and is here for the help page alone."""

from __future__ import annotations


def enqueue() -> int:
    """Ask for a job: a Python call, a shell line or a command."""
    raise AssertionError("the door answers enqueue before typer is loaded; here it only stands in the list")


def exec_() -> int:
    """Run a command here and now as a job: silent when it goes well, its output when it fails."""
    raise AssertionError("the door answers exec before typer is loaded; here it only stands in the list")
