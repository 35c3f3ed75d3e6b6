"""What people do with jobs: look, act, wait. Functions over an open store that return frozen results.

They print nothing; `cli/` does.
"""
