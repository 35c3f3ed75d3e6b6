"""One command run in the foreground: this process claims, watches and settles its job itself, with no group.

It opens the store and starts a command, and no user code runs in it: that of a command is another process.
To all others it is a worker that serves a queue of its own, and dies as one: its lock is the proof.
"""
