"""The verbs, a module for each group: parse, act, render, and return the exit code."""
