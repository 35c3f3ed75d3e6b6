"""Rules of cron: the dialect, the days, the clocks, and what becomes of a due tick; all of them pure."""
