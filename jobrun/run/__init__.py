"""Run user code: calls, commands, their output and what surrounds them."""
