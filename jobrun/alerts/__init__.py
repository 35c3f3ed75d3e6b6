"""Alerts: what a table asks to be told of about its host. Pure: no clock, no files, no processes."""
