"""Crontabs read, made into a table of ours, and both readings compared."""
