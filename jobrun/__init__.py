"""Run jobs on one host: cron, shell tasks and Python callables, in one SQLite file."""

__version__ = "0.1.0"
