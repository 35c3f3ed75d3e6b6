"""The command `jobrun`."""

from __future__ import annotations

import sys

# `python -m` puts the working directory first: a `json.py` there would be run for Python's own.
if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]

import os
import signal


def main() -> None:
    """Run the command line and leave with its exit code."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)  # ^C while modules load ends us without a traceback
    from jobrun.cli.door import INTERRUPTED, run  # noqa: PLC0415 -- see above

    words = sys.argv[1:]
    try:
        signal.signal(signal.SIGINT, before)  # which raises, or ignores it as our parent wants of us
        code = run(words)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # from here on there is nothing to tidy up
    except KeyboardInterrupt:  # where the door does not listen any more, or not yet
        code = INTERRUPTED
    if code == 0 and "enqueue" in words[:3]:
        os._exit(code)  # all is written and closed; to take the interpreter down would only take time
    sys.exit(code)


if __name__ == "__main__":
    main()
