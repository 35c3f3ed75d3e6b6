"""Completing a command line: which words could follow, and the scripts that let a shell ask for them."""
